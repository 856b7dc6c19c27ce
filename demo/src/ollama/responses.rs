//! `/v1/responses`: named events, no `[DONE]`.

use http::Response;
use serde_json::{Value, json};

use super::answer::{Body, Family, Refusal, Render, converted, stream, to_json};
use super::app::{App, Asked};
use super::fields::{Fields, tokens_of};
use super::generate::{Event, Finish, collect};
use super::json::Json;
use super::native::{TEMPLATE, message_tokens};
use super::openai::{job, seconds};

/// `POST /v1/responses`.
pub(super) async fn responses(app: &App, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let fields = Fields::foreign(&asked.body, "openai", "ResponsesRequest")?;
    let tokens = match fields.any("input") {
        Some(Json::List(items)) => message_tokens(items),
        Some(Json::Text(text)) => tokens_of(text) + TEMPLATE,
        _ => TEMPLATE,
    };
    let streamed = fields.flag("stream")? == Some(true);
    let made = job(app, &fields, "max_output_tokens", tokens, fields.any("reasoning").is_some());
    let mut job = made.map_err(|refusal| refusal.of_stream(streamed))?;
    asked.hand_over(&mut job);
    let shape = Shape {
        id: format!("resp_{}", fastrand::u32(100_000..999_999)),
        item: format!("msg_{}", fastrand::u32(100_000..999_999)),
        created: seconds(),
        model: fields.text("model")?.to_owned(),
        max_output_tokens: fields.number("max_output_tokens")?.and_then(super::fields::whole),
        temperature: fields.number("temperature")?.unwrap_or(1.0),
        text: String::new(),
        sequence: 0,
    };
    let events = app.bench.begin(job);
    if streamed {
        return Ok(stream(events, Family::Responses, shape).await);
    }
    let all = collect(events).await?;
    let shape = Shape { text: all.text, ..shape };
    Ok(converted(&shape.response("completed", Some(&all.finish))))
}

struct Shape {
    id: String,
    item: String,
    created: i64,
    model: String,
    max_output_tokens: Option<u64>,
    temperature: f64,
    text: String,
    sequence: u64,
}

impl Shape {
    fn response(&self, status: &str, finish: Option<&Finish>) -> Value {
        let usage = finish.map(|finish| {
            json!({
                "input_tokens": finish.prompt_tokens, "output_tokens": finish.tokens,
                "total_tokens": finish.prompt_tokens + finish.tokens,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
            })
        });
        json!({
            "id": self.id, "object": "response", "created_at": self.created,
            "completed_at": finish.map(|_| seconds()), "status": status, "incomplete_details": null,
            "model": self.model, "previous_response_id": null, "instructions": null,
            "output": finish.map_or_else(Vec::new, |_| vec![self.message("completed")]),
            "error": null, "tools": [], "tool_choice": "auto", "truncation": "disabled",
            "parallel_tool_calls": true, "text": {"format": {"type": "text"}}, "top_p": 1,
            "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0, "temperature": self.temperature,
            "reasoning": null, "usage": usage, "max_output_tokens": self.max_output_tokens,
            "max_tool_calls": null, "store": false, "background": false, "service_tier": "default",
            "metadata": {}, "safety_identifier": null, "prompt_cache_key": null,
        })
    }

    fn message(&self, status: &str) -> Value {
        let content = if status == "completed" { vec![self.part()] } else { vec![] };
        let (id, role) = (&self.item, "assistant");
        json!({"id": id, "type": "message", "status": status, "role": role, "content": content})
    }

    fn part(&self) -> Value {
        json!({"type": "output_text", "text": self.text, "annotations": [], "logprobs": []})
    }

    /// One named event; the sequence number counts them.
    fn event(&mut self, kind: &str, mut value: Value) -> String {
        value["type"] = kind.into();
        value["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        format!("event: {kind}\ndata: {}\n\n", to_json(&value))
    }

    fn open(&mut self) -> Vec<String> {
        let (response, item) = (self.response("in_progress", None), self.message("in_progress"));
        let part = json!({"content_index": 0, "item_id": self.item, "output_index": 0, "part": self.part()});
        vec![
            self.event("response.created", json!({"response": response})),
            self.event("response.in_progress", json!({"response": response})),
            self.event("response.output_item.added", json!({"item": item, "output_index": 0})),
            self.event("response.content_part.added", part),
        ]
    }

    fn close(&mut self, finish: &Finish) -> Vec<String> {
        let at = json!({"content_index": 0, "item_id": self.item, "output_index": 0});
        let (mut text, mut part) = (at.clone(), at);
        text["text"] = self.text.as_str().into();
        text["logprobs"] = json!([]);
        part["part"] = self.part();
        let (item, response) = (self.message("completed"), self.response("completed", Some(finish)));
        vec![
            self.event("response.output_text.done", text),
            self.event("response.content_part.done", part),
            self.event("response.output_item.done", json!({"item": item, "output_index": 0})),
            self.event("response.completed", json!({"response": response})),
        ]
    }
}

impl Render for Shape {
    fn pieces(&mut self, event: Event) -> Vec<String> {
        let mut pieces = if self.sequence == 0 { self.open() } else { Vec::new() };
        match event {
            Event::Token(token) => {
                self.text.push_str(&token);
                let item = &self.item;
                let delta = json!({"content_index": 0, "delta": token, "item_id": item, "logprobs": [], "output_index": 0});
                pieces.push(self.event("response.output_text.delta", delta));
            }
            Event::Done(finish) => pieces.extend(self.close(&finish)),
            // The real one says nothing at all.
            Event::Died | Event::Refused(_) => return Vec::new(),
        }
        pieces
    }
}
