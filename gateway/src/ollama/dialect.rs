//! Where each of Ollama's APIs keeps its fields, and of which type it takes them.
//!
//! One table per API, read from the request structs of Ollama v0.33. `request::inspect` checks requests by it; what
//! it does not list is passed on unread.

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
            Self::Generate => &GENERATE,
            Self::Chat => &CHAT,
            Self::Embed => &EMBED,
            Self::Embeddings => &EMBEDDINGS,
            Self::Show => &SHOW,
            Self::Pull => &PULL,
            Self::Delete => &DELETE,
            Self::ChatCompletions => &CHAT_COMPLETIONS,
            Self::Completions => &COMPLETIONS,
            Self::OpenAiEmbeddings => &OPENAI_EMBEDDINGS,
            Self::Responses => &RESPONSES,
            Self::Messages => &MESSAGES,
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

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, prompt: Prompt::No }
}

const fn read(name: &'static str, shape: Shape, prompt: Prompt) -> Field {
    Field { name, shape, prompt }
}

/// Fields that are looked at whichever API they are sent to: a later Ollama may give them a meaning there.
pub const EVERYWHERE: &[Field] = &[
    field("model", Shape::Text),
    field("stream", Shape::Flag),
    field("options", Shape::Object),
    field("keep_alive", Shape::KeepAlive),
    field("shift", Shape::Flag),
    field("_debug_render_only", Shape::Flag),
    field("top_logprobs", Shape::TopLogprobs),
    field("stream_options", Shape::Object),
    read("tools", Shape::Objects, Prompt::Tools),
    field("remote_host", Shape::Text),
    field("remote_model", Shape::Text),
    field("insecure", Shape::Flag),
];

static GENERATE: Layout = Layout {
    streams: Some(true),
    limit: Some(Limit::Option),
    alias: false,
    fields: &[
        read("prompt", Shape::Text, Prompt::Text),
        read("suffix", Shape::Text, Prompt::Text),
        read("system", Shape::Text, Prompt::Text),
        read("template", Shape::Text, Prompt::Text),
        read("context", Shape::Array, Prompt::Tokens),
        read("images", Shape::Texts, Prompt::Images),
        field("raw", Shape::Flag),
        field("format", Shape::Format),
        field("think", Shape::Think),
        field("truncate", Shape::Flag),
        field("logprobs", Shape::Flag),
    ],
};

static CHAT: Layout = Layout {
    streams: Some(true),
    limit: Some(Limit::Option),
    alias: false,
    fields: &[
        read("messages", Shape::Objects, Prompt::Messages),
        field("format", Shape::Format),
        field("think", Shape::Think),
        field("truncate", Shape::Flag),
        field("logprobs", Shape::Flag),
    ],
};

static EMBED: Layout = Layout {
    streams: None,
    limit: None,
    alias: false,
    fields: &[
        read("input", Shape::TextOrTexts, Prompt::Inputs),
        field("truncate", Shape::Flag),
        field("dimensions", Shape::Whole),
    ],
};

static EMBEDDINGS: Layout = Layout {
    streams: None,
    limit: None,
    alias: false,
    fields: &[read("prompt", Shape::Text, Prompt::Inputs)],
};

static SHOW: Layout = Layout {
    streams: None,
    limit: None,
    alias: true,
    fields: &[
        field("name", Shape::Text),
        field("system", Shape::Text),
        field("template", Shape::Text),
        field("verbose", Shape::Flag),
    ],
};

static PULL: Layout = Layout {
    streams: Some(true),
    limit: None,
    alias: true,
    fields: &[field("name", Shape::Text), field("username", Shape::Text), field("password", Shape::Text)],
};

static DELETE: Layout =
    Layout { streams: None, limit: None, alias: true, fields: &[field("name", Shape::Text)] };

static CHAT_COMPLETIONS: Layout = Layout {
    streams: Some(false),
    limit: Some(Limit::Field("max_tokens")),
    alias: false,
    fields: &[
        read("messages", Shape::Objects, Prompt::Messages),
        field("max_tokens", Shape::Whole),
        field("max_completion_tokens", Shape::Whole),
        field("seed", Shape::Whole),
        field("stop", Shape::TextOrTexts),
        field("temperature", Shape::Number),
        field("top_p", Shape::Number),
        field("frequency_penalty", Shape::Number),
        field("presence_penalty", Shape::Number),
        field("response_format", Shape::Object),
        field("reasoning", Shape::Object),
        field("reasoning_effort", Shape::Text),
        field("logprobs", Shape::Flag),
    ],
};

static COMPLETIONS: Layout = Layout {
    streams: Some(false),
    limit: Some(Limit::Field("max_tokens")),
    alias: false,
    fields: &[
        read("prompt", Shape::Text, Prompt::Text),
        read("suffix", Shape::Text, Prompt::Text),
        field("max_tokens", Shape::Whole),
        field("seed", Shape::Whole),
        field("stop", Shape::TextOrTexts),
        field("temperature", Shape::Number),
        field("top_p", Shape::Number),
        field("frequency_penalty", Shape::Number),
        field("presence_penalty", Shape::Number),
        field("logprobs", Shape::Whole),
    ],
};

static OPENAI_EMBEDDINGS: Layout = Layout {
    streams: None,
    limit: None,
    alias: false,
    fields: &[
        read("input", Shape::TextOrTexts, Prompt::Inputs),
        field("dimensions", Shape::Whole),
        field("encoding_format", Shape::Text),
    ],
};

static RESPONSES: Layout = Layout {
    streams: Some(false),
    limit: Some(Limit::Field("max_output_tokens")),
    alias: false,
    fields: &[
        read("input", Shape::TextOrObjects, Prompt::Messages),
        read("instructions", Shape::Text, Prompt::Text),
        field("max_output_tokens", Shape::Whole),
        field("background", Shape::Flag),
        field("include", Shape::Texts),
        field("reasoning", Shape::Object),
        field("temperature", Shape::Number),
        field("top_p", Shape::Number),
        field("text", Shape::Object),
        field("truncation", Shape::Text),
    ],
};

static MESSAGES: Layout = Layout {
    streams: Some(false),
    limit: Some(Limit::Field("max_tokens")),
    alias: false,
    fields: &[
        read("system", Shape::TextOrObjects, Prompt::Messages),
        read("messages", Shape::Objects, Prompt::Messages),
        field("max_tokens", Shape::Whole),
        field("temperature", Shape::Number),
        field("top_p", Shape::Number),
        field("top_k", Shape::Whole),
        field("stop_sequences", Shape::Texts),
        field("tool_choice", Shape::Object),
        field("thinking", Shape::Object),
        field("metadata", Shape::Object),
        field("output_config", Shape::Object),
    ],
};

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

const fn option(name: &'static str, kind: OptionKind) -> ModelOption {
    ModelOption { name, kind, runner: false }
}

const fn runner(name: &'static str, kind: OptionKind) -> ModelOption {
    ModelOption { name, kind, runner: true }
}

/// Every option this version knows, and those that older ones knew as part of the load.
pub const OPTIONS: &[ModelOption] = &[
    option("num_predict", OptionKind::Integer),
    option("temperature", OptionKind::Float),
    option("seed", OptionKind::Integer),
    option("top_k", OptionKind::Integer),
    option("top_p", OptionKind::Float),
    option("min_p", OptionKind::Float),
    option("typical_p", OptionKind::Float),
    option("num_keep", OptionKind::Integer),
    option("repeat_last_n", OptionKind::Integer),
    option("repeat_penalty", OptionKind::Float),
    option("presence_penalty", OptionKind::Float),
    option("frequency_penalty", OptionKind::Float),
    option("stop", OptionKind::Texts),
    runner("num_ctx", OptionKind::Integer),
    runner("num_batch", OptionKind::Integer),
    runner("num_gpu", OptionKind::Integer),
    runner("main_gpu", OptionKind::Integer),
    runner("num_thread", OptionKind::Integer),
    runner("use_mmap", OptionKind::Boolean),
    runner("draft_num_predict", OptionKind::Integer),
    runner("use_mlock", OptionKind::Boolean),
    runner("numa", OptionKind::Boolean),
    runner("low_vram", OptionKind::Boolean),
    runner("f16_kv", OptionKind::Boolean),
    runner("logits_all", OptionKind::Boolean),
    runner("vocab_only", OptionKind::Boolean),
];
