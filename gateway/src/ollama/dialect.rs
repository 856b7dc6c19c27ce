//! Where each of Ollama's APIs keeps its fields, and of which type it takes them.
//!
//! One table per API (`tables`). `request::inspect` checks requests by it; what it does not list is passed on unread.
//! Names and types follow Ollama's published request structs of several versions and what a v0.33 was seen to take
//! and refuse; not every row was tried against one.

mod tables;

pub use self::tables::{EVERYWHERE, OPTIONS};

/// Which clients a route is for; decides the shape of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `/api/*`: NDJSON, `{"error":"text"}`.
    Native,
    /// `/v1/*`: SSE, `{"error":{…}}`.
    OpenAi,
    /// `/v1/messages`: named SSE events.
    Anthropic,
}

/// A call that has a JSON body and goes to Ollama.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `POST /api/generate`
    Generate,
    /// `POST /api/chat`
    Chat,
    /// `POST /api/embed`
    Embed,
    /// `POST /api/embeddings`, the old form
    Embeddings,
    /// `POST /api/show`
    Show,
    /// `POST /api/pull`
    Pull,
    /// `DELETE /api/delete`
    Delete,
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    OpenAiEmbeddings,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/messages`
    Messages,
}

impl Api {
    /// The family whose clients use this API.
    pub fn family(self) -> Family {
        match self {
            Self::Generate
            | Self::Chat
            | Self::Embed
            | Self::Embeddings
            | Self::Show
            | Self::Pull
            | Self::Delete => Family::Native,
            Self::ChatCompletions | Self::Completions | Self::OpenAiEmbeddings | Self::Responses => {
                Family::OpenAi
            }
            Self::Messages => Family::Anthropic,
        }
    }

    /// Where this API keeps what the gateway must know.
    pub fn layout(self) -> &'static Layout {
        match self {
            Self::Generate => &tables::GENERATE,
            Self::Chat => &tables::CHAT,
            Self::Embed => &tables::EMBED,
            Self::Embeddings => &tables::EMBEDDINGS,
            Self::Show => &tables::SHOW,
            Self::Pull => &tables::PULL,
            Self::Delete => &tables::DELETE,
            Self::ChatCompletions => &tables::CHAT_COMPLETIONS,
            Self::Completions => &tables::COMPLETIONS,
            Self::OpenAiEmbeddings => &tables::OPENAI_EMBEDDINGS,
            Self::Responses => &tables::RESPONSES,
            Self::Messages => &tables::MESSAGES,
        }
    }
}

/// Where one API keeps the fields that decide something.
#[derive(Debug)]
pub struct Layout {
    /// Whether an answer is streamed when `stream` is absent; `None`: this API never streams.
    pub streams: Option<bool>,
    /// Where the output limit lives; `None`: this API generates nothing.
    pub limit: Option<Limit>,
    /// The model may be given as `name` instead (older clients).
    pub alias: bool,
    /// Every field with a known type, by its canonical name, and how its text counts.
    pub fields: &'static [Field],
}

/// Where an API keeps the number of tokens it may generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `options.num_predict`
    Option,
    /// A field of the body.
    Field(&'static str),
}

/// One field: its canonical name, its type, and whether a model reads it.
#[derive(Debug)]
pub struct Field {
    /// As Ollama's struct tag spells it.
    pub name: &'static str,
    /// What Ollama takes.
    pub shape: Shape,
    /// How it counts towards the prompt.
    pub prompt: Prompt,
}

/// The types Ollama takes. `null` stands for an absent field everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number: Go's `int`, without fraction or exponent.
    Whole,
    /// Any finite number.
    Number,
    /// An object.
    Object,
    /// An array of anything.
    Array,
    /// An array of objects.
    Objects,
    /// An array of strings.
    Texts,
    /// A string or an array of strings.
    TextOrTexts,
    /// A string or an array of objects.
    TextOrObjects,
    /// `"json"`, a schema, or the empty string.
    Format,
    /// A flag, or one of the levels.
    Think,
    /// A number of seconds, or a Go duration.
    KeepAlive,
    /// 0 to 20.
    TopLogprobs,
}

/// How a field counts towards the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// The model never reads it.
    No,
    /// All strings in it.
    Text,
    /// Messages or items, with images in their known places.
    Messages,
    /// Tool definitions.
    Tools,
    /// Base64 images.
    Images,
    /// Numbers that are tokens.
    Tokens,
    /// Texts that are one inference each.
    Inputs,
}

/// One entry of `options`.
#[derive(Debug)]
pub struct ModelOption {
    /// Its exact key: Ollama looks options up by exact name.
    pub name: &'static str,
    /// Its type as Ollama names it in its error.
    pub kind: OptionKind,
    /// Part of how the model is loaded: another value reloads it and makes everybody on it wait.
    pub runner: bool,
}

/// The types of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Any finite number; Ollama cuts the fraction off.
    Integer,
    /// Any finite number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// An array of strings.
    Texts,
}
