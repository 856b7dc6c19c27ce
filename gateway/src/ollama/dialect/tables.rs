//! The fields of every API and the options of the native ones.

use super::{Field, Layout, Limit, ModelOption, OptionKind, Prompt, Shape};

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

pub(super) static GENERATE: Layout = Layout {
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

pub(super) static CHAT: Layout = Layout {
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

pub(super) static EMBED: Layout = Layout {
    streams: None,
    limit: None,
    alias: false,
    fields: &[
        read("input", Shape::TextOrTexts, Prompt::Inputs),
        field("truncate", Shape::Flag),
        field("dimensions", Shape::Whole),
    ],
};

pub(super) static EMBEDDINGS: Layout = Layout {
    streams: None,
    limit: None,
    alias: false,
    fields: &[read("prompt", Shape::Text, Prompt::Inputs)],
};

pub(super) static SHOW: Layout = Layout {
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

pub(super) static PULL: Layout = Layout {
    streams: Some(true),
    limit: None,
    alias: true,
    fields: &[field("name", Shape::Text), field("username", Shape::Text), field("password", Shape::Text)],
};

pub(super) static DELETE: Layout =
    Layout { streams: None, limit: None, alias: true, fields: &[field("name", Shape::Text)] };

pub(super) static CHAT_COMPLETIONS: Layout = Layout {
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

pub(super) static COMPLETIONS: Layout = Layout {
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

pub(super) static OPENAI_EMBEDDINGS: Layout = Layout {
    streams: None,
    limit: None,
    alias: false,
    fields: &[
        read("input", Shape::TextOrTexts, Prompt::Inputs),
        field("dimensions", Shape::Whole),
        field("encoding_format", Shape::Text),
    ],
};

pub(super) static RESPONSES: Layout = Layout {
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

pub(super) static MESSAGES: Layout = Layout {
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

const fn option(name: &'static str, kind: OptionKind) -> ModelOption {
    ModelOption { name, kind, runner: false }
}

const fn runner(name: &'static str, kind: OptionKind) -> ModelOption {
    ModelOption { name, kind, runner: true }
}

/// The options known here, with those that older versions had as part of the load.
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
