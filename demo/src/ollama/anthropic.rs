//! `/v1/messages`.

use http::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Body, Family, Refusal, Render, converted, id, stream, to_json};
use super::app::{App, Asked};
use super::fields::{Fields, tokens_of, whole};
use super::generate::{Event, Finish, collect};
use super::json::Json;
use super::native::message_tokens;
use super::openai::job;

/// `POST /v1/messages`.
pub(super) async fn messages(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::foreign(&asked.body, "anthropic", "MessagesRequest")?;
    if fields.text("model")?.is_empty() {
        return Err(Refusal::binding("model is required"));
    }
    if fields.number("max_tokens")?.and_then(whole).is_none() {
        return Err(Refusal::binding("max_tokens is required and must be positive"));
    }
    let list = fields.list("messages")?;
    if list.is_empty() {
        return Err(Refusal::binding("messages is required"));
    }
    let system = fields.any("system").and_then(Json::text).map_or(0, tokens_of);
    let streamed = fields.flag("stream")? == Some(true);
    let thinks =
        fields.any("thinking").and_then(|t| t.get("type")?.text()).is_some_and(|kind| kind != "disabled");
    let made = job(app, &fields, "max_tokens", message_tokens(list) + system, thinks);
    let mut job = made.map_err(|refusal| refusal.of_stream(streamed))?;
    asked.hand_over(&mut job);
    let shape = Shape { id: format!("msg_{}", id(24)), model: fields.text("model")?.to_owned(), open: false };
    let events = app.bench.begin(job);
    if streamed {
        return Ok(stream(events, Family::Anthropic, shape).await);
    }
    let all = collect(events).await?;
    let content = json!([{"type": "text", "text": all.text}]);
    let stop_reason = Some(stop_reason(&all.finish));
    let (input_tokens, output_tokens) = (all.finish.prompt_tokens, all.finish.tokens);
    Ok(converted(&Message { stop_reason, ..shape.message(content, Usage { input_tokens, output_tokens }) }))
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'static str>,
    usage: Usage,
}

#[derive(Serialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
}

fn stop_reason(finish: &Finish) -> &'static str {
    if finish.reason == "length" { "max_tokens" } else { "end_turn" }
}

struct Shape {
    id: String,
    model: String,
    open: bool,
}

impl Shape {
    fn message(&self, content: Value, usage: Usage) -> Message<'_> {
        let (id, model) = (&self.id, &self.model);
        Message { id, kind: "message", role: "assistant", model, content, stop_reason: None, usage }
    }

    fn open(&mut self) -> String {
        self.open = true;
        // Ollama does not know the prompt's tokens yet, and says 1 for a short one.
        let message = self.message(json!([]), Usage { input_tokens: 1, output_tokens: 0 });
        let block =
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        let start = format!(r#"{{"type":"message_start","message":{}}}"#, to_json(&message));
        event("message_start", &start) + &event("content_block_start", &to_json(&block))
    }
}

impl Render for Shape {
    fn pieces(&mut self, event_in: Event) -> Vec<String> {
        let opening = if self.open { String::new() } else { self.open() };
        let rest = match event_in {
            Event::Token(token) => {
                let delta = json!({"type": "text_delta", "text": token});
                let delta = json!({"type": "content_block_delta", "index": 0, "delta": delta});
                event("content_block_delta", &to_json(&delta))
            }
            Event::Done(finish) => {
                let usage = json!({"input_tokens": finish.prompt_tokens, "output_tokens": finish.tokens});
                let delta = json!({"stop_reason": stop_reason(&finish)});
                let delta = json!({"type": "message_delta", "delta": delta, "usage": usage});
                event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#)
                    + &event("message_delta", &to_json(&delta))
                    + &event("message_stop", r#"{"type":"message_stop"}"#)
            }
            // The real one says nothing at all.
            Event::Died | Event::Refused(_) => return Vec::new(),
        };
        vec![opening + &rest]
    }
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
