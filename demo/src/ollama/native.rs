//! `/api/generate`, `/api/chat`, `/api/embed` and `/api/embeddings`.

use http::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Body, Family, Refusal, Render, native, stream, to_json};
use super::app::{App, Asked};
use super::echo;
use super::fields::{Fields, tokens_of};
use super::generate::{Event, Finish, Job, Work, collect, word};
use super::json::Json;
use super::models::{Kind, Model};

/// Tokens that a template puts around a prompt.
pub(super) const TEMPLATE: u64 = 8;

/// One line of a native answer, or all of it.
#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    done: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    done_reason: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    context: Vec<u64>,
    #[serde(flatten)]
    counts: Counts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logprobs: Vec<Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

/// Durations in nanoseconds; what is zero is left out.
#[derive(Default, Serialize)]
struct Counts {
    #[serde(skip_serializing_if = "is_zero")]
    total_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    load_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    eval_duration: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A duration in nanoseconds, never zero: nothing real takes no time.
fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1000)
}

impl Counts {
    fn of(finish: &Finish) -> Self {
        Self {
            total_duration: nanoseconds(finish.total),
            load_duration: nanoseconds(finish.load),
            prompt_eval_count: finish.prompt_tokens,
            prompt_eval_duration: nanoseconds(finish.prompt),
            eval_count: finish.tokens,
            eval_duration: nanoseconds(finish.decode),
        }
    }
}

/// How one native request wants its lines.
#[derive(Clone)]
struct Shape {
    model: String,
    chat: bool,
    /// Generate's `context`, unless `raw`.
    with_context: bool,
    /// Alternatives per token; `None` without `logprobs`.
    logprobs: Option<u64>,
    written: u64,
}

impl Shape {
    fn line<'a>(&'a self, text: &'a str, finish: Option<&Finish>, tokens: u64) -> Line<'a> {
        let context = |f: &Finish| if self.with_context { f.prompt_tokens + f.tokens } else { 0 };
        Line {
            model: &self.model,
            created_at: now(),
            response: (!self.chat).then_some(text),
            message: self.chat.then_some(Message { role: "assistant", content: text }),
            done: finish.is_some(),
            done_reason: finish.map_or("", |f| f.reason),
            context: (0..finish.map_or(0, context)).map(|n| 100 + n % 400).collect(),
            counts: finish.filter(|f| f.prompt_tokens > 0).map(Counts::of).unwrap_or_default(),
            logprobs: self.logprobs.map_or_else(Vec::new, |top| logprobs(self.written, tokens, top)),
        }
    }
}

impl Render for Shape {
    fn pieces(&mut self, event: Event) -> Vec<String> {
        let text = match event {
            Event::Token(token) => {
                let line = to_json(&self.line(&token, None, 1));
                self.written += 1;
                line
            }
            Event::Done(finish) => to_json(&self.line("", Some(&finish), 0)),
            Event::Died => to_json(&json!({"error": Refusal::engine_died().text()})),
            Event::Refused(refusal) => to_json(&json!({"error": refusal.text()})),
        };
        vec![text + "\n"]
    }
}

/// The time, as Go writes it.
pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Made-up probabilities of tokens, each with `top` alternatives.
pub(super) fn logprobs(from: u64, tokens: u64, top: u64) -> Vec<Value> {
    let entry = |n: u64| {
        let token = word(n);
        json!({"token": token, "logprob": -0.5, "bytes": token.as_bytes()})
    };
    (from..from + tokens)
        .map(|n| {
            let mut own = entry(n);
            if top > 0 {
                own["top_logprobs"] = (n..n + top).map(entry).collect();
            }
            own
        })
        .collect()
}

/// `POST /api/generate`.
pub(super) async fn generate(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "GenerateRequest")?;
    let name = fields.text("model")?;
    let (prompt, raw) = (fields.text("prompt")?, fields.flag("raw")?.unwrap_or(false));
    let ask = Ask::read(app, &fields, name, false)?;
    let images = fields.list("images")?;
    if images.iter().any(|image| !is_base64(image)) {
        return Err(Refusal::binding("illegal base64 data at input byte 0"));
    }
    if !fields.text("suffix")?.is_empty() {
        return Err(Refusal::new(
            400,
            format!("registry.ollama.ai/library/{} does not support insert", ask.model.name),
        ));
    }
    if fields.flag("_debug_render_only")? == Some(true) {
        return Ok(rendered(name, &format!("<|user|>\n{prompt}\n<|assistant|>\n"), false));
    }
    let overhead = if raw { 0 } else { TEMPLATE };
    let tokens = tokens_of(prompt) + tokens_of(fields.text("system")?) + overhead;
    let ask = ask.with_images(images.len()).needs(tokens, fields.flag("truncate")? != Some(false));
    let shape = Shape { with_context: !raw, ..ask.shape(&fields, name, false)? };
    ask.answer(app, asked, shape, prompt.is_empty() && images.is_empty()).await
}

/// `POST /api/chat`.
pub(super) async fn chat(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::native(&asked.body, "ChatRequest")?;
    let name = fields.text("model")?;
    let messages = fields.list("messages")?;
    let ask = Ask::read(app, &fields, name, true)?;
    if fields.flag("_debug_render_only")? == Some(true) {
        let text = messages.iter().filter_map(|m| m.get("content").and_then(Json::text)).collect::<String>();
        return Ok(rendered(name, &text, true));
    }
    let images = messages.iter().filter_map(|m| m.get("images")).count();
    let mut ask = ask.with_images(images).needs(message_tokens(messages), false);
    ask.job.says = messages.last().and_then(|m| echo::translation(m.get("content")?.text()?));
    let shape = ask.shape(&fields, name, true)?;
    ask.answer(app, asked, shape, messages.is_empty()).await
}

/// Tokens of a conversation, its template included.
pub(super) fn message_tokens(messages: &[Json]) -> u64 {
    let content = |m: &Json| match m.get("content") {
        Some(Json::Text(text)) => tokens_of(text),
        Some(Json::List(parts)) => parts.iter().filter_map(|p| p.get("text")?.text().map(tokens_of)).sum(),
        _ => 0,
    };
    messages.iter().map(|m| content(m) + 5).sum::<u64>() + 3
}

fn rendered(model: &str, text: &str, chat: bool) -> Response<Body> {
    let info = json!({"rendered_template": text});
    let mut answer = json!({"model": model, "created_at": now(), "done": false, "_debug_info": info});
    if chat {
        answer["message"] = json!({"role": "", "content": ""});
    } else {
        answer["response"] = json!("");
    }
    native(&answer)
}

fn is_base64(image: &Json) -> bool {
    let taken = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    image.text().is_some_and(|text| text.len() % 4 == 0 && text.bytes().all(taken))
}

/// What chat and generate have in common.
struct Ask {
    model: Model,
    job: Job,
    streamed: bool,
    /// A wrong `format` is found by the engine.
    bad_format: Option<Refusal>,
    images: bool,
}

impl Ask {
    fn read(app: &App, fields: &Fields, name: &str, chat: bool) -> Result<Self, Refusal> {
        let keep_alive = fields.keep_alive()?;
        if fields.number("top_logprobs")?.is_some_and(|n| !(0.0..=20.0).contains(&n)) {
            return Err(Refusal::new(400, "top_logprobs must be between 0 and 20"));
        }
        let model = app.model(name)?;
        let thinks = fields.any("think").is_some_and(|think| *think != Json::Bool(false));
        if model.kind == Kind::Embedding || thinks {
            let what = if thinks && model.kind == Kind::Chat {
                "thinking"
            } else if chat {
                "chat"
            } else {
                "generate"
            };
            return Err(Refusal::new(400, format!("\"{name}\" does not support {what}")));
        }
        let options = fields.options()?;
        let mut job = app.job(&model, &options, keep_alive);
        if let Work::Text { limit } = &mut job.work {
            *limit = options.num_predict.map_or(*limit, |asked| asked.min(*limit));
        }
        let streamed = fields.flag("stream")? != Some(false);
        Ok(Self { model, job, streamed, bad_format: bad_format(fields), images: false })
    }

    fn with_images(mut self, count: usize) -> Self {
        self.images = count > 0;
        self
    }

    /// Sets the prompt's tokens; what the context cannot hold is cut or refused.
    fn needs(mut self, tokens: u64, truncate: bool) -> Self {
        let context = self.job.want.context;
        self.job.prompt_tokens = if truncate && tokens > context { context / 2 } else { tokens };
        let refusal = if self.images {
            Some(engine_error(
                "invalid_request_error",
                "Multimodal data provided, but model does not support multimodal requests.",
                "",
            ))
        } else if self.job.prompt_tokens > context {
            Some(over_context(tokens, context))
        } else {
            self.bad_format.take()
        };
        self.job.engine_refuses = refusal.map(|r| if self.streamed { r.in_stream() } else { r });
        self
    }

    fn shape(&self, fields: &Fields, name: &str, chat: bool) -> Result<Shape, Refusal> {
        let top = fields.number("top_logprobs")?.and_then(super::fields::whole).unwrap_or(0);
        let logprobs = (fields.flag("logprobs")? == Some(true)).then_some(top);
        Ok(Shape { model: name.to_owned(), chat, with_context: false, logprobs, written: 0 })
    }

    async fn answer(
        mut self,
        app: &App,
        asked: &Asked,
        shape: Shape,
        empty: bool,
    ) -> Result<Response<Body>, Refusal> {
        if empty {
            return self.load_or_unload(app, asked, &shape).await;
        }
        asked.hand_over(&mut self.job);
        let events = app.bench.begin(self.job);
        if self.streamed {
            return Ok(stream(events, Family::Native, shape).await);
        }
        let all = collect(events).await?;
        let finish = all.done.then_some(&all.finish);
        Ok(native(&shape.line(&all.text, finish, all.finish.tokens)))
    }

    /// Without a prompt a request only loads its model, or with `keep_alive` 0 unloads it: always answered whole.
    async fn load_or_unload(
        mut self,
        app: &App,
        asked: &Asked,
        shape: &Shape,
    ) -> Result<Response<Body>, Refusal> {
        let shape = Shape { logprobs: None, with_context: false, ..shape.clone() };
        let reason = if self.job.want.keep_alive == Some(Some(std::time::Duration::ZERO)) {
            app.bench.engine.unload(&self.model.key());
            "unload"
        } else {
            self.job.work = Work::Load;
            asked.hand_over(&mut self.job);
            collect(app.bench.begin(self.job)).await?;
            "load"
        };
        Ok(native(&shape.line("", Some(&Finish { reason, ..Finish::default() }), 0)))
    }
}

/// `format` is "json", a schema, or nothing.
fn bad_format(fields: &Fields) -> Option<Refusal> {
    let shown = match fields.any("format")? {
        Json::Object(_) => return None,
        Json::Text(text) if text.is_empty() || text == "json" => return None,
        Json::Text(text) => format!("{text:?}"),
        other => other.kind().to_owned(),
    };
    Some(Refusal::new(
        500,
        format!("invalid format: {shown:?}; expected \"json\" or a valid JSON Schema object"),
    ))
}

/// The engine's own error: its JSON body, passed on as a text.
fn engine_error(kind: &str, message: &str, more: &str) -> Refusal {
    let (kind, message) = (json!(kind), json!(message));
    Refusal::new(400, format!(r#"{{"error":{{"code":400,"message":{message},"type":{kind}{more}}}}}"#))
}

/// A prompt longer than the context.
pub(super) fn over_context(tokens: u64, context: u64) -> Refusal {
    let message = format!(
        "request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
    );
    let more = format!(r#","n_prompt_tokens":{tokens},"n_ctx":{context}"#);
    engine_error("exceed_context_size_error", &message, &more)
}
