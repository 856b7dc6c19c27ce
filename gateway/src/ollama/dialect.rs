//! Where each of Ollama's APIs keeps its fields, and how its answers end.

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
}
