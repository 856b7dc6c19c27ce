//! Answers on the wire: whole ones (with a length up to 2 KiB, chunked above), streams, and refusals by family.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::generate::Event;

/// The body of every answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Go's HTTP server buffers this much of an answer before it has to give up on a `Content-Length`.
const BUFFERED: usize = 2048;

/// Native answers made in one piece.
pub(super) const JSON_UTF8: &str = "application/json; charset=utf-8";
/// Answers that went through a converter or a stream's error path.
pub(super) const JSON: &str = "application/json";
/// Native streams.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// Streams of the other families.
pub(super) const SSE: &str = "text/event-stream";

/// Who defined the shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Native,
    OpenAi,
    /// `/v1/responses`: errors as OpenAI's, streams with two headers more.
    Responses,
    Anthropic,
}

impl Family {
    /// The family of a path.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/v1/messages" => Family::Anthropic,
            "/v1/responses" => Family::Responses,
            v1 if v1.starts_with("/v1/") => Family::OpenAi,
            _ => Family::Native,
        }
    }
}

/// Where a request failed: it decides content type, framing and a line feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// While its body was decoded.
    Binding,
    /// Before anything ran.
    Handler,
    /// After the stream was set up, before its first chunk.
    Stream,
}

/// An error of the simulated Ollama.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    text: String,
    stage: Stage,
    streamed: bool,
}

impl Refusal {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), stage: Stage::Handler, streamed: false }
    }

    /// A body that could not be read as what the route expects.
    pub(super) fn binding(text: impl Into<String>) -> Self {
        Self { stage: Stage::Binding, ..Self::new(400, text) }
    }

    pub(super) fn queue_full() -> Self {
        Self::new(503, "server busy, please try again.  maximum pending requests exceeded")
    }

    pub(super) fn engine_died() -> Self {
        Self::new(500, "an error was encountered while running the model: unexpected EOF")
    }

    /// The same error, of a request that asked for a stream: Anthropic and responses show it in their headers.
    pub(super) fn of_stream(mut self, streamed: bool) -> Self {
        self.streamed = streamed;
        self
    }

    /// The same error, found when the stream was already set up.
    pub(super) fn in_stream(mut self) -> Self {
        (self.stage, self.streamed) = (Stage::Stream, true);
        self
    }

    /// The answer, as the family of the route shows it.
    pub(super) fn answer(&self, family: Family) -> Response<Body> {
        let text = &self.text;
        let mut body = match family {
            Family::Native => format!(r#"{{"error":{}}}"#, json!(text)),
            Family::OpenAi | Family::Responses => {
                let kind = self.kind();
                let (kind, text) =
                    (json!(if kind == "overloaded_error" { "api_error" } else { kind }), json!(text));
                format!(r#"{{"error":{{"message":{text},"type":{kind},"param":null,"code":null}}}}"#)
            }
            Family::Anthropic => {
                let (kind, text, id) = (json!(self.kind()), json!(text), json!(format!("req_{}", id(24))));
                format!(r#"{{"type":"error","error":{{"type":{kind},"message":{text}}},"request_id":{id}}}"#)
            }
        };
        let content_type = match (self.stage, family) {
            (Stage::Binding, _) | (Stage::Handler, Family::Native) => JSON_UTF8,
            _ => JSON,
        };
        if family != Family::Native && self.stage != Stage::Binding {
            body.push('\n');
        }
        let chunked = self.stage == Stage::Stream;
        let mut answer = respond(self.status, content_type, body, chunked);
        if self.streamed {
            event_headers(&mut answer, family);
        }
        answer
    }

    /// What went wrong.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn kind(&self) -> &'static str {
        match self.status {
            400 => "invalid_request_error",
            404 => "not_found_error",
            503 => "overloaded_error",
            _ => "api_error",
        }
    }
}

/// A body of known content; chunked when it is long or the caller says so.
pub(super) fn respond(
    status: u16,
    content_type: &str,
    body: impl Into<Bytes>,
    chunked: bool,
) -> Response<Body> {
    let body: Bytes = body.into();
    let long = chunked || body.len() > BUFFERED;
    let body = if long { Pieces::one(body).boxed_unsync() } else { Full::new(body).boxed_unsync() };
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type)
        && !content_type.is_empty()
    {
        answer.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    answer
}

/// A whole native answer.
pub(super) fn native(value: &impl Serialize) -> Response<Body> {
    respond(200, JSON_UTF8, to_json(value), false)
}

/// A whole answer of the other families: converted, with a line feed.
pub(super) fn converted(value: &impl Serialize) -> Response<Body> {
    respond(200, JSON, to_json(value) + "\n", false)
}

/// Serialization of our own plain structs cannot fail; an empty object would show in every test.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

/// `length` random hexadecimal digits.
pub(super) fn id(length: usize) -> String {
    (0..length).map(|_| char::from_digit(fastrand::u32(..16), 16).unwrap_or('0')).collect()
}

/// How a family writes the events of a generation.
pub(super) trait Render: Send + Unpin + 'static {
    /// The pieces of the stream for one event, one write each; `Err` ends the connection's stream after them.
    fn pieces(&mut self, event: Event) -> Vec<String>;
}

/// Answers with a stream. No head goes out before the first event; a refusal until then keeps its real status.
pub(super) async fn stream(
    mut events: UnboundedReceiver<Event>,
    family: Family,
    mut render: impl Render,
) -> Response<Body> {
    let first = match events.recv().await {
        Some(Event::Refused(refusal)) => return refusal.answer(family),
        Some(Event::Died) => return Refusal::engine_died().in_stream().answer(family),
        Some(event) => render.pieces(event),
        None => Vec::new(),
    };
    let ready = first.into_iter().map(Bytes::from).collect();
    let body = Events { events, ready, render }.boxed_unsync();
    let mut answer = Response::new(body);
    let content_type = if family == Family::Native { NDJSON } else { SSE };
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    event_headers(&mut answer, family);
    answer
}

/// Two families set these for a stream before they know whether it will come to one.
fn event_headers(answer: &mut Response<Body>, family: Family) {
    if matches!(family, Family::Responses | Family::Anthropic) {
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    }
}

/// A stream's body. Dropping it (the connection closed) is what the generation notices as a cancel.
struct Events<R> {
    events: UnboundedReceiver<Event>,
    ready: VecDeque<Bytes>,
    render: R,
}

impl<R: Render> http_body::Body for Events<R> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match self.events.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(event)) => {
                    let pieces = self.render.pieces(event);
                    self.ready.extend(pieces.into_iter().map(Bytes::from));
                }
            }
        }
    }
}

/// A body without a length: each piece becomes a chunk.
pub(super) struct Pieces(VecDeque<Bytes>);

impl Pieces {
    pub(super) fn one(piece: Bytes) -> Self {
        Self([piece].into())
    }

    pub(super) fn lines(lines: Vec<String>) -> Self {
        Self(lines.into_iter().map(Bytes::from).collect())
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
