//! `/v1/chat/completions` and `/v1/completions`.

use http::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Body, Family, Refusal, Render, converted, stream, to_json};
use super::app::{App, Asked};
use super::fields::{Fields, Options, tokens_of, whole};
use super::generate::{Collected, Event, Finish, Job, Work, collect};
use super::json::Json;
use super::models::Kind;
use super::native::{TEMPLATE, logprobs, message_tokens, over_context};

/// `POST /v1/chat/completions`.
pub(super) async fn chat(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::foreign(&asked.body, "openai", "ChatCompletionRequest")?;
    let messages = fields.list("messages")?;
    if messages.is_empty() {
        return Err(Refusal::binding("[] is too short - 'messages'"));
    }
    if messages.iter().any(has_http_image) {
        let text = "image URLs are not currently supported, please use base64 encoded data instead";
        return Err(Refusal::binding(text));
    }
    let reasons = fields.any("reasoning_effort").and_then(Json::text).is_some_and(|effort| effort != "none");
    let job = job(app, &fields, "max_tokens", message_tokens(messages), reasons)?;
    let top = fields.number("top_logprobs")?.and_then(whole).unwrap_or(0);
    let logprobs = (fields.flag("logprobs")? == Some(true)).then_some(top);
    Shape::read(&fields, Object::Chat, logprobs)?.answer(app, asked, &fields, job).await
}

/// `POST /v1/completions`.
pub(super) async fn completions(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::foreign(&asked.body, "openai", "CompletionRequest")?;
    let tokens = tokens_of(fields.text("prompt")?) + TEMPLATE;
    let job = job(app, &fields, "max_tokens", tokens, false)?;
    Shape::read(&fields, Object::Text, None)?.answer(app, asked, &fields, job).await
}

/// A job of any `/v1` route; `limit` names the field that caps the answer.
pub(super) fn job(
    app: &App,
    fields: &Fields,
    limit: &str,
    tokens: u64,
    thinks: bool,
) -> Result<Job, Refusal> {
    let name = fields.text("model")?;
    let model = app.model(name)?;
    if model.kind == Kind::Embedding || thinks {
        let what = if model.kind == Kind::Embedding { "chat" } else { "thinking" };
        return Err(Refusal::new(400, format!("\"{name}\" does not support {what}")));
    }
    let mut job = app.job(&model, &Options::default(), None);
    job.prompt_tokens = tokens;
    if let (Work::Text { limit }, Some(asked)) = (&mut job.work, fields.number(limit)?.and_then(whole)) {
        *limit = asked.min(*limit);
    }
    let context = job.want.context;
    let streamed = fields.flag("stream")? == Some(true);
    job.engine_refuses = (tokens > context).then(|| over_context(tokens, context));
    job.engine_refuses = job.engine_refuses.map(|r| if streamed { r.in_stream() } else { r });
    Ok(job)
}

fn has_http_image(message: &Json) -> bool {
    let Some(Json::List(parts)) = message.get("content") else { return false };
    let url = |part: &Json| Some(part.get("image_url")?.get("url")?.text()?.starts_with("http"));
    parts.iter().any(|part| url(part) == Some(true))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Chat,
    Text,
}

/// How one request wants its answer.
struct Shape {
    object: Object,
    id: String,
    created: i64,
    model: String,
    usage: bool,
    logprobs: Option<u64>,
    written: u64,
}

#[derive(Default, Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Usage {
    fn of(finish: &Finish) -> Self {
        let (prompt_tokens, completion_tokens) = (finish.prompt_tokens, finish.tokens);
        Self { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    system_fingerprint: &'static str,
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Default, Serialize)]
struct Choice<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Said<'a>>,
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Value>,
}

#[derive(Default, Serialize)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl Shape {
    fn read(fields: &Fields, object: Object, logprobs: Option<u64>) -> Result<Self, Refusal> {
        let prefix = if object == Object::Chat { "chatcmpl" } else { "cmpl" };
        let options = fields.any("stream_options").and_then(|options| options.get("include_usage"));
        Ok(Self {
            object,
            // Not unique: Ollama's own have three digits at most.
            id: format!("{prefix}-{}", fastrand::u32(..999)),
            created: seconds(),
            model: fields.text("model")?.to_owned(),
            usage: options == Some(&Json::Bool(true)),
            logprobs,
            written: 0,
        })
    }

    async fn answer(
        mut self,
        app: &App,
        asked: &Asked,
        fields: &Fields,
        mut job: Job,
    ) -> Result<Response<Body>, Refusal> {
        asked.hand_over(&mut job);
        let events = app.bench.begin(job);
        if fields.flag("stream")? == Some(true) {
            return Ok(stream(events, Family::OpenAi, self).await);
        }
        let all = collect(events).await?;
        Ok(converted(&self.whole(&all)))
    }

    fn whole<'a>(&'a mut self, all: &'a Collected) -> Chunk<'a> {
        let finish_reason = all.done.then_some(all.finish.reason);
        let logprobs = self.logprobs.map(|top| json!({"content": logprobs(0, all.finish.tokens, top)}));
        let mut choice = Choice { finish_reason, logprobs, ..Choice::default() };
        match self.object {
            Object::Chat => choice.message = Some(Said { role: Some("assistant"), content: Some(&all.text) }),
            Object::Text => choice.text = Some(&all.text),
        }
        let object = if self.object == Object::Chat { "chat.completion" } else { "text_completion" };
        Chunk { object, usage: Some(Usage::of(&all.finish)), ..self.chunk(vec![choice]) }
    }

    fn chunk<'a>(&'a self, choices: Vec<Choice<'a>>) -> Chunk<'a> {
        let (object, usage) = match self.object {
            Object::Chat => ("chat.completion.chunk", None),
            // Completions carry zeros until the last chunk.
            Object::Text => ("text_completion", self.usage.then(Usage::default)),
        };
        let (id, created, model) = (&self.id, self.created, &self.model);
        Chunk { id, object, created, model, system_fingerprint: "fp_ollama", choices, usage }
    }

    fn said<'a>(&self, text: &'a str, finish_reason: Option<&'static str>) -> Choice<'a> {
        let first = self.written == 0 && finish_reason.is_none();
        match self.object {
            Object::Text => Choice { text: Some(text), finish_reason, ..Choice::default() },
            Object::Chat => {
                let role = first.then_some("assistant");
                let content = finish_reason.is_none().then_some(text);
                Choice { delta: Some(Said { role, content }), finish_reason, ..Choice::default() }
            }
        }
    }
}

impl Render for Shape {
    fn pieces(&mut self, event: Event) -> Vec<String> {
        match event {
            Event::Token(token) => {
                let mut choice = self.said(&token, None);
                choice.logprobs = self.logprobs.map(|top| json!({"content": logprobs(self.written, 1, top)}));
                let piece = data(&self.chunk(vec![choice]));
                self.written += 1;
                vec![piece]
            }
            Event::Done(finish) => {
                let mut text = data(&self.chunk(vec![self.said("", Some(finish.reason))]));
                if self.usage {
                    text += &data(&Chunk { usage: Some(Usage::of(&finish)), ..self.chunk(vec![]) });
                }
                vec![text + "data: [DONE]\n\n"]
            }
            // An error squeezed through the converter: an empty chunk, no marker.
            Event::Died | Event::Refused(_) => {
                self.written += 1;
                vec![data(&Chunk { model: "", ..self.chunk(vec![self.said("", None)]) })]
            }
        }
    }
}

/// One server-sent event without a name.
fn data(value: &impl Serialize) -> String {
    format!("data: {}\n\n", to_json(value))
}

/// Seconds since 1970.
pub(super) fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
