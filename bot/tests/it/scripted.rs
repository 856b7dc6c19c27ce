//! A gateway that says what a test has scripted, to the agreed form: conversations, their messages as events, links.
//! An answer goes on when its reader is gone, as the real one's does; only stop ends it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// The bot's own key.
pub const OWN_KEY: &str = "own-key-of-the-bot";
/// The code of a test's person, good as often as it is asked.
pub const CODE: &str = "ABCD-EFGH";
/// The key that it is good for.
pub const KEY: &str = "key-that-acts-as-a-person";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What an answer does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Says what is waited for.
    Wait(&'static str, f64),
    /// Says a piece.
    Say(String),
    /// Says nothing until the test lets go, or somebody stops it.
    Hold,
    /// Breaks the connection; the answer goes on.
    Break,
    /// Ends with an error.
    Fail(&'static str),
}

#[derive(Debug, Clone)]
struct Talk {
    id: String,
    model: String,
    closed: bool,
    busy: bool,
    stopping: bool,
    /// Role, text, state.
    messages: Vec<(&'static str, String, &'static str)>,
}

#[derive(Default)]
struct State {
    talks: Vec<Talk>,
    answers: VecDeque<Vec<Step>>,
    refusals: VecDeque<(u16, &'static str)>,
    calls: Vec<String>,
    revoked: bool,
    knows_no_models: bool,
    export: Option<Vec<u8>>,
}

struct Shared {
    state: Mutex<State>,
    held: watch::Sender<u32>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running gateway.
pub struct Scripted {
    pub url: String,
    shared: Arc<Shared>,
}

impl Scripted {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { state: Mutex::default(), held: watch::Sender::new(0) });
        let serving = shared.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = serving.clone();
                let service = service_fn(move |request| answer(request, shared.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, shared }
    }

    /// The next answer does this. Without one, it repeats the question.
    pub fn answers(&self, steps: impl IntoIterator<Item = Step>) {
        self.shared.state().answers.push_back(steps.into_iter().collect());
    }

    /// The next message is refused.
    pub fn refuses(&self, status: u16, sentence: &'static str) {
        self.shared.state().refusals.push_back((status, sentence));
    }

    /// Lets go of every answer that is held now, or will be.
    pub fn let_go(&self) {
        self.shared.held.send_modify(|count| *count += 1);
    }

    /// The link is ended by an administrator.
    pub fn revoke(&self) {
        self.shared.state().revoked = true;
    }

    /// The fleet has slept since it was made.
    pub fn knows_no_models(&self) {
        self.shared.state().knows_no_models = true;
    }

    /// Somebody closes every conversation on the page.
    pub fn close_all(&self) {
        self.shared.state().talks.iter_mut().for_each(|talk| talk.closed = true);
    }

    /// Somebody deletes every conversation on the page.
    pub fn delete_all(&self) {
        self.shared.state().talks.clear();
    }

    /// What an export gives.
    pub fn exports(&self, bytes: Vec<u8>) {
        self.shared.state().export = Some(bytes);
    }

    /// `METHOD path` of every call.
    pub fn calls(&self) -> Vec<String> {
        self.shared.state().calls.clone()
    }

    /// What was asked, by conversation.
    pub fn questions(&self) -> Vec<Vec<String>> {
        let asked = |talk: &Talk| {
            talk.messages
                .iter()
                .filter(|(role, ..)| *role == "user")
                .map(|(_, text, _)| text.clone())
                .collect()
        };
        self.shared.state().talks.iter().map(asked).collect()
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = head.uri.path().to_owned();
    shared.state().calls.push(format!("{} {path}", head.method));
    let key = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = key.strip_prefix("Bearer ").unwrap_or_default();
    if path == "/links/redeem" {
        return Ok(redeem(key, &body));
    }
    if key != KEY || shared.state().revoked {
        return Ok(error(401, "the key is not known"));
    }
    Ok(routed(&head.method, &path, &body, &shared))
}

fn redeem(key: &str, body: &Value) -> Response<Body> {
    if key != OWN_KEY {
        return error(401, "the key is not known");
    }
    if body["code"] != CODE {
        return error(404, "this code is wrong, used or too old");
    }
    assert!(body["label"].as_str().unwrap().starts_with("telegram-"));
    json_answer(200, &json!({ "key": KEY, "principal": "issuer#ann", "id": "0123456789ab" }))
}

fn routed(method: &Method, path: &str, body: &Value, shared: &Arc<Shared>) -> Response<Body> {
    let steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), &steps[..]) {
        ("GET", ["api", "tags"]) => {
            let names = ["small:1b", "gemma3:4b", "gemma3:12b"];
            let names = if shared.state().knows_no_models { &[][..] } else { &names[..] };
            let named = names.iter().map(|name| json!({ "name": name, "capabilities": ["completion"] }));
            let embeds = json!({ "name": "embeds-only", "capabilities": ["embedding"] });
            let named: Vec<Value> = [embeds].into_iter().chain(named).collect();
            json_answer(200, &json!({ "models": named }))
        }
        ("GET", ["api", "ps"]) => json_answer(200, &json!({ "models": [{ "name": "gemma3:4b" }] })),
        ("POST", ["conversations"]) => begin(body, shared),
        ("GET", ["conversations"]) => {
            let heads: Vec<Value> = shared.state().talks.iter().rev().map(head_of).collect();
            json_answer(200, &json!({ "conversations": heads, "next": null }))
        }
        ("GET", ["conversations", "export"]) => {
            let bytes = shared.state().export.clone().unwrap_or_else(|| b"{\"conversations\":[]}".to_vec());
            let mut answer = Response::new(full(bytes));
            let named = "attachment; filename=\"conversations-ann.json\"".parse().unwrap();
            answer.headers_mut().insert("content-disposition", named);
            answer
        }
        ("GET", ["conversations", id]) => with(shared, id, |talk| {
            let messages: Vec<Value> = (0..talk.messages.len()).map(|at| message_of(talk, at)).collect();
            json_answer(200, &json!({ "conversation": head_of(talk), "messages": messages, "earlier": null }))
        }),
        ("POST", ["conversations", id, "stop"]) => {
            let answer = with(shared, id, |talk| {
                talk.stopping = talk.busy;
                json_answer(202, &json!({ "stopping": talk.busy }))
            });
            shared.held.send_modify(|_| {});
            answer
        }
        ("POST", ["conversations", id, "messages"]) => say(id, body, shared),
        _ => error(404, "there is no such route"),
    }
}

fn with(shared: &Shared, id: &str, work: impl FnOnce(&mut Talk) -> Response<Body>) -> Response<Body> {
    match shared.state().talks.iter_mut().find(|talk| talk.id == id) {
        Some(talk) => work(talk),
        None => error(404, "there is no such conversation"),
    }
}

fn begin(body: &Value, shared: &Shared) -> Response<Body> {
    let mut state = shared.state();
    let id = format!("00000000-0000-4000-8000-{:012}", state.calls.len());
    let model = body["model"].as_str().unwrap().to_owned();
    let talk = Talk { id, model, closed: false, busy: false, stopping: false, messages: Vec::new() };
    let head = head_of(&talk);
    state.talks.push(talk);
    json_answer(201, &head)
}

fn head_of(talk: &Talk) -> Value {
    let title = talk.messages.first().map_or("", |(_, text, _)| text);
    json!({
        "id": talk.id, "title": title, "model": talk.model, "system": null, "options": {}, "created": 1_790_000_000,
        "updated": 1_790_000_000, "closed": talk.closed, "messages": talk.messages.len(), "prompt_tokens": 1,
        "output_tokens": 1, "archived": false, "busy": talk.busy,
    })
}

fn message_of(talk: &Talk, at: usize) -> Value {
    let (role, text, state) = &talk.messages[at];
    json!({ "id": format!("{at:016}"), "role": role, "content": text, "state": state, "at": 1_790_000_000 })
}

fn say(id: &str, body: &Value, shared: &Arc<Shared>) -> Response<Body> {
    let refused = shared.state().refusals.pop_front();
    if let Some((status, sentence)) = refused {
        return error(status, sentence);
    }
    let steps = shared.state().answers.pop_front();
    let content = body["content"].as_str().unwrap().to_owned();
    let steps = steps.unwrap_or_else(|| vec![Step::Say(format!("You said: {content}"))]);
    with(shared, id, |talk| {
        if talk.closed {
            return error(409, "it is closed; open it again with PATCH");
        }
        if talk.busy {
            return error(409, "this conversation is being written to elsewhere");
        }
        (talk.busy, talk.stopping) = (true, false);
        talk.messages.push(("user", content, "whole"));
        talk.messages.push(("assistant", String::new(), "writing"));
        let (sender, pieces) = mpsc::unbounded_channel();
        let start = json!({
            "user": message_of(talk, talk.messages.len() - 2), "turns_cut": 0, "model": talk.model,
            "answer": format!("{:016}", talk.messages.len() - 1),
        });
        event(&sender, "start", &start);
        tokio::spawn(act(talk.id.clone(), steps, sender, shared.clone()));
        let stream = futures_util::stream::unfold(pieces, |mut pieces| async move {
            let piece: Option<Option<String>> = pieces.recv().await;
            Some((Ok(Frame::data(Bytes::from(piece??))), pieces))
        });
        Response::new(BodyExt::boxed_unsync(StreamBody::new(stream)))
    })
}

fn event(sender: &mpsc::UnboundedSender<Option<String>>, name: &str, data: &Value) {
    let _gone = sender.send(Some(format!("event: {name}\ndata: {data}\n\n")));
}

async fn act(
    id: String,
    steps: Vec<Step>,
    sender: mpsc::UnboundedSender<Option<String>>,
    shared: Arc<Shared>,
) {
    let mut end = "whole";
    for step in steps {
        match step {
            Step::Wait(state, seconds) => {
                event(&sender, "wait", &json!({ "state": state, "seconds": seconds }))
            }
            Step::Say(piece) => {
                with(&shared, &id, |talk| {
                    talk.messages.last_mut().unwrap().1.push_str(&piece);
                    json_answer(200, &json!(null))
                });
                event(&sender, "delta", &json!({ "text": piece }));
            }
            Step::Hold => {
                let mut held = shared.held.subscribe();
                let stopping = || shared.state().talks.iter().any(|talk| talk.id == id && talk.stopping);
                let waited = held.wait_for(|count| *count > 0 || stopping());
                tokio::time::timeout(Duration::from_secs(60), waited).await.unwrap().unwrap();
                if stopping() {
                    end = "stopped";
                    break;
                }
            }
            Step::Break => drop(sender.send(None)),
            Step::Fail(sentence) => {
                finish(&shared, &id, "broken");
                let told =
                    json!({ "error": sentence, "code": "upstream", "retryAfter": null, "message": null });
                return event(&sender, "error", &told);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = finish(&shared, &id, end);
    event(&sender, "message", &told);
}

fn finish(shared: &Shared, id: &str, end: &'static str) -> Value {
    let mut state = shared.state();
    let Some(talk) = state.talks.iter_mut().find(|talk| talk.id == id) else { return json!(null) };
    talk.busy = false;
    talk.messages.last_mut().unwrap().2 = end;
    json!({ "message": message_of(talk, talk.messages.len() - 1), "conversation": head_of(talk) })
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

fn json_answer(status: u16, value: &Value) -> Response<Body> {
    let mut answer = Response::new(full(value.to_string()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn error(status: u16, sentence: &str) -> Response<Body> {
    json_answer(status, &json!({ "error": sentence }))
}
