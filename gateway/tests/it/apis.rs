//! The six streaming APIs as a client knows them: bodies, end markers, keep-alive bytes, errors; and a hop between two
//! ends.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use demo::ollama::SimulatedOllama;
use fleet::shutdown::Tasks;
use fleet::telemetry::{Capture, subscriber};
use h2::RecvStream;
use h2::client::SendRequest;
use http::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use crate::support::{Builder, CHAT, PATIENCE, TestGateway};

/// What a stream may say while it is silent, and how it ends.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    pub path: &'static str,
    pub content_type: &'static str,
    pub keepalive: &'static str,
    /// The terminal marker of a whole answer.
    pub end: &'static str,
}

const NDJSON: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";
const COMMENT: &str = ": keep-alive\n\n";

const fn api(
    path: &'static str,
    content_type: &'static str,
    keepalive: &'static str,
    end: &'static str,
) -> Api {
    Api { path, content_type, keepalive, end }
}

/// Every API that streams an answer.
pub const APIS: [Api; 6] = [
    api("/api/generate", NDJSON, " ", "\"done\":true"),
    api("/api/chat", NDJSON, " ", "\"done\":true"),
    api("/v1/chat/completions", SSE, COMMENT, "data: [DONE]"),
    api("/v1/completions", SSE, COMMENT, "data: [DONE]"),
    api("/v1/responses", SSE, COMMENT, "event: response.completed"),
    api("/v1/messages", SSE, "event: ping\ndata: {\"type\": \"ping\"}\n\n", "event: message_stop"),
];

/// One API of each family.
pub const FAMILIES: [Api; 3] = [APIS[1], APIS[2], APIS[5]];

impl Api {
    /// A question of one word for the chat model.
    pub fn body(&self, stream: bool) -> Value {
        let mut body = json!({ "model": CHAT, "stream": stream });
        match self.path {
            "/api/generate" | "/v1/completions" => body["prompt"] = json!("hello"),
            "/v1/responses" => body["input"] = json!("hello"),
            _ => body["messages"] = json!([{ "role": "user", "content": "hello" }]),
        }
        if self.path == "/v1/messages" {
            body["max_tokens"] = json!(1_000_000);
        }
        body
    }

    /// Where the API keeps its output limit.
    pub fn cap_of(&self, body: &Value) -> Value {
        match self.path {
            "/api/generate" | "/api/chat" => body["options"]["num_predict"].clone(),
            "/v1/responses" => body["max_output_tokens"].clone(),
            _ => body["max_tokens"].clone(),
        }
    }

    /// The text of the error at the end of a stream that broke; `None` unless it stands there in the family's form
    /// and nothing makes the answer look whole.
    pub fn error_in(&self, stream: &str) -> Option<String> {
        let text = match self.path {
            "/api/generate" | "/api/chat" => {
                let last: Value = serde_json::from_str(stream.strip_suffix('\n')?.lines().last()?).ok()?;
                last["error"].as_str()?.to_owned()
            }
            "/v1/responses" => {
                let (before, data) =
                    stream.strip_suffix("\n\n")?.rsplit_once("event: response.failed\ndata: ")?;
                let event: Value = serde_json::from_str(data).ok()?;
                (!before.contains(self.end) && event["type"] == "response.failed").then_some(())?;
                event["response"]["error"]["message"].as_str()?.to_owned()
            }
            "/v1/messages" => {
                let (before, data) = stream.strip_suffix("\n\n")?.rsplit_once("event: error\ndata: ")?;
                let event: Value = serde_json::from_str(data).ok()?;
                (!before.contains(self.end) && event["type"] == "error").then_some(())?;
                event["error"]["message"].as_str()?.to_owned()
            }
            _ => {
                let before = stream.strip_suffix("data: [DONE]\n\n")?;
                let data = before.strip_suffix("\n\n")?.rsplit_once("data: ")?.1;
                let event: Value = serde_json::from_str(data).ok()?;
                (event["error"]["type"].is_string() && !before.contains(self.end)).then_some(())?;
                event["error"]["message"].as_str()?.to_owned()
            }
        };
        (!stream.contains("\"done\":true")).then_some(text)
    }

    /// The message of a whole error answer in this family's form.
    pub fn error_of(&self, answer: &Value) -> String {
        let text = if self.content_type == NDJSON { &answer["error"] } else { &answer["error"]["message"] };
        text.as_str().unwrap_or_else(|| panic!("{}: no error text in {answer}", self.path)).to_owned()
    }
}

/// A text for people: words, and nothing of the server's inside.
pub fn assert_plain(text: &str) {
    assert!(text.split(' ').count() > 3, "{text:?}");
    for inner in ["127.0.0.1", "localhost", "/var/", "http:", "{", "os error"] {
        assert!(!text.contains(inner), "{inner:?} in {text:?}");
    }
}

/// What is logged on this thread while the guard lives: gateway, Ollama and clients of a test all run there.
pub fn logged(filter: &str) -> (Capture, DefaultGuard) {
    // With one subscriber alone, tracing asks the thread that meets an event first whether anybody wants it, and
    // remembers its answer for all threads. Tests beside this one do not listen.
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(subscriber("off", Capture::default()).unwrap()));
    let log = Capture::default();
    let guard = tracing::subscriber::set_default(subscriber(filter, log.clone()).unwrap());
    (log, guard)
}

/// Waits until `reached`.
pub async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let waiting = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// The value of a metric; 0 where it was never counted.
pub fn metric(gateway: &TestGateway, name: &str) -> f64 {
    let text = gateway.metrics();
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    lines.sum()
}

/// A gateway that takes its Ollama for a fast one: no wait is predicted, and a slot is not held long for a prompt that
/// may still be read.
pub async fn quick(ollama: &SimulatedOllama) -> Builder {
    TestGateway::in_front_of(ollama).await.config(|config| {
        let ollama = config.ollama.as_mut().unwrap();
        (ollama.prefill_tokens_per_second, ollama.decode_tokens_per_second) = (1e6, 1e6);
    })
}

/// Waits until the chat model has its places: behind a broken answer the gateway looks first what is left.
pub async fn places(gateway: &TestGateway) {
    until("the model has its places", || gateway.gateway.shared.queue.load().slots >= 2).await;
}

/// An HTTP/2 connection whose unread answers do not hold up each other.
pub async fn h2_wide(gateway: &TestGateway) -> SendRequest<Bytes> {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(64 << 10).initial_connection_window_size(16 << 20);
    let (send, connection) = builder.handshake(gateway.tls(&[b"h2"]).await).await.unwrap();
    gateway.tasks.spawn(async move { drop(connection.await) });
    send.ready().await.unwrap()
}

/// `POST` over HTTP/2.
pub async fn h2_post(
    gateway: &TestGateway,
    h2: &mut SendRequest<Bytes>,
    path: &str,
    body: &Value,
) -> Response<RecvStream> {
    h2_try_post(gateway, h2, path, body).await.unwrap()
}

/// `POST` over HTTP/2 that may be reset before its head is read.
pub async fn h2_try_post(
    gateway: &TestGateway,
    h2: &mut SendRequest<Bytes>,
    path: &str,
    body: &Value,
) -> Result<Response<RecvStream>, h2::Error> {
    let head = http::Request::post(gateway.url(path))
        .header("authorization", format!("Bearer {}", gateway.token()))
        .body(())
        .unwrap();
    let (answer, mut send) = h2.send_request(head, false).unwrap();
    send.send_data(body.to_string().into(), true).unwrap();
    timeout(PATIENCE, answer).await.expect("a head comes")
}

/// The next bytes of an answer over HTTP/2; `None` at its proper end.
pub async fn h2_chunk(stream: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let chunk = timeout(PATIENCE, stream.data()).await.expect("bytes or an end come")?;
    if let Ok(bytes) = &chunk {
        stream.flow_control().release_capacity(bytes.len()).unwrap();
    }
    Some(chunk)
}

/// A TCP hop. It closes what has been silent for too long, as load balancers do, and counts what it passes back.
pub struct Hop {
    pub port: u16,
    passed: Arc<AtomicU64>,
    tasks: Tasks,
}

impl Hop {
    /// A hop to `port` of this machine.
    pub async fn to(port: u16, longest_silence: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hop =
            Self { port: listener.local_addr().unwrap().port(), passed: Arc::default(), tasks: Tasks::new() };
        let (passed, tasks) = (hop.passed.clone(), hop.tasks.clone());
        hop.tasks.spawn_background(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpSocket::new_v4().unwrap();
                // Little room, so that what is counted is what the other side took.
                server.set_recv_buffer_size(32 << 10).unwrap();
                socket2::SockRef::from(&client).set_send_buffer_size(32 << 10).unwrap();
                if let Ok(server) = server.connect(([127, 0, 0, 1], port).into()).await {
                    tasks.spawn_background(pass(client, server, longest_silence, passed.clone()));
                }
            }
        });
        hop
    }

    /// Bytes passed from the server to its clients.
    pub fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    longest_silence: Duration,
    passed: Arc<AtomicU64>,
) {
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    loop {
        let next = async {
            tokio::select! {
                read = from_client.read(&mut up) => {
                    let n = read.ok().filter(|n| *n > 0)?;
                    to_server.write_all(&up[..n]).await.ok()
                }
                read = from_server.read(&mut down) => {
                    let n = read.ok().filter(|n| *n > 0)?;
                    to_client.write_all(&down[..n]).await.ok()?;
                    passed.fetch_add(n as u64, Relaxed);
                    Some(())
                }
            }
        };
        if !matches!(timeout(longest_silence, next).await, Ok(Some(()))) {
            return;
        }
    }
}
