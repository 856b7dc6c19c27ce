//! One connection's requests: read, observed, judged, routed, answered.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::answer::{Body, Family, JSON_UTF8, Refusal, respond};
use super::app::{App, Asked};
use super::origin::{Verdict, judge};
use super::route::{INFERENCE, Way};
use super::script::Fault;
use super::stats::Seen;
use super::tap::{Tap, Wire};
use super::{anthropic, embed, lists, manage, native, openai, responses};

/// Go's limit for a request's head.
const HEAD_BYTES: usize = 1 << 20;

/// Serves a connection to its end.
pub(super) async fn connection(stream: TcpStream, app: Arc<App>) {
    // Only a hint to the kernel: an answer is right without it.
    let _ = stream.set_nodelay(true);
    let (tap, wire) = Tap::new(stream, app.recording);
    let number = app.bench.observer.accepted(&wire, app.recording);
    let _open = Open(&app);
    let service = service_fn(|request| {
        let (app, wire) = (app.clone(), wire.clone());
        async move { Ok::<_, Infallible>(answer(request, &app, &wire, number).await) }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .max_buf_size(HEAD_BYTES)
        .header_read_timeout(None);
    // How a connection ended is the client's affair; what it left behind shows in the counters.
    let _ = server.serve_connection(TokioIo::new(tap), service).await;
}

struct Open<'a>(&'a App);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.bench.observer.count(|stats| stats.open -= 1);
    }
}

async fn answer(request: Request<Incoming>, app: &App, wire: &Wire, connection: usize) -> Response<Body> {
    let (head, body) = request.into_parts();
    if head.headers.get("expect").is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return closing(manage::empty(417));
    }
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        // It broke off: the connection is gone or past use, and the request was never whole.
        return closing(manage::empty(400));
    };
    observe(app, &head, &body, wire, connection);
    let script = app.bench.script.clone();
    let fault = script.on_arrival(head.uri.path(), INFERENCE.contains(&head.uri.path()));
    match &fault {
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::QueueFull) => return Refusal::queue_full().answer(Family::of(head.uri.path())),
        Some(Fault::Answer { status, content_type, body }) => {
            return respond(*status, content_type, body.clone(), false);
        }
        _ => {}
    }
    let attached = !head.headers.contains_key("transfer-encoding");
    let multipart =
        head.headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"multipart/form-data"));
    let asked = Asked { body, multipart, fault, wire: wire.clone(), script, attached };
    asked.cut(asked.fault.as_ref());
    let answer = judged(&head, app, &asked).await;
    if head.method == Method::HEAD { without_body(answer) } else { answer }
}

fn observe(app: &App, head: &Parts, body: &Bytes, wire: &Wire, connection: usize) {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let seen = Seen {
        connection,
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        raw: wire.take(),
        body: body.clone(),
    };
    app.bench.observer.saw(seen, app.recording);
}

async fn judged(head: &Parts, app: &App, asked: &Asked) -> Response<Body> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    if head.version == Version::HTTP_11 && header("host").is_none() {
        let text = "400 Bad Request: missing required Host header";
        return closing(respond(400, "text/plain; charset=utf-8", text, false));
    }
    if head.method == Method::CONNECT {
        let mut answer = respond(404, "text/plain; charset=utf-8", "404 page not found\n", false);
        answer.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        return answer;
    }
    let path = head.uri.path();
    if head.method == Method::OPTIONS && path == "*" {
        return manage::empty(200);
    }
    let way = Way::of(&head.method, path);
    if let Way::Redirect { to, by_router } = &way {
        return redirect(&head.method, to, *by_router);
    }
    let host = head
        .uri
        .authority()
        .map_or_else(|| header("host").unwrap_or_default(), |authority| authority.as_str());
    let mut answer = match judge(host, header("origin"), &head.method) {
        Verdict::Refuse => manage::empty(403),
        Verdict::Preflight(headers) => with(respond(204, "", "", false), headers),
        Verdict::Pass(headers) => with(routed(&way, head, app, asked).await, headers),
    };
    if let Way::OtherMethods(methods) = way {
        let list = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        insert(&mut answer, ALLOW, &list);
    }
    answer
}

async fn routed(way: &Way, head: &Parts, app: &App, asked: &Asked) -> Response<Body> {
    let (route, rest) = match way {
        Way::To(route, rest) => (*route, rest),
        Way::OtherMethods(_) => return respond(405, "text/plain", "405 method not allowed", false),
        _ => return respond(404, "text/plain", "404 page not found", false),
    };
    if route.starts_with("/v1/") && head.headers.get("content-encoding").is_some_and(|v| v == "zstd") {
        // Not decoded here: what does not begin like zstd fails as in the real one, and what does, too.
        let text = r#"{"error":"invalid input: magic number mismatch"}"#;
        return respond(400, JSON_UTF8, text, false);
    }
    let result = match route {
        "/api/generate" => native::generate(app, asked).await,
        "/api/chat" => native::chat(app, asked).await,
        "/api/embed" => embed::embed(app, asked).await,
        "/api/embeddings" => embed::embeddings(app, asked).await,
        "/v1/chat/completions" => openai::chat(app, asked).await,
        "/v1/completions" => openai::completions(app, asked).await,
        "/v1/embeddings" => embed::openai(app, asked).await,
        "/v1/responses" => responses::responses(app, asked).await,
        "/v1/messages" => anthropic::messages(app, asked).await,
        _ => at_once(route, rest, &head.method, app, asked),
    };
    result.unwrap_or_else(|refusal| refusal.answer(Family::of(head.uri.path())))
}

/// The routes that never wait.
fn at_once(
    route: &str,
    rest: &str,
    method: &Method,
    app: &App,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    match route {
        "/" => Ok(lists::root()),
        "/api/version" => Ok(lists::version()),
        "/api/status" => Ok(lists::status()),
        "/api/tags" => Ok(lists::tags(app)),
        "/api/ps" => Ok(lists::ps(app)),
        "/api/show" => lists::show(app, asked),
        "/v1/models" => Ok(lists::models(app)),
        "/v1/models/{}" => lists::model(app, rest),
        "/api/pull" => manage::pull(app, asked),
        "/api/push" => manage::push(app, asked),
        "/api/create" => manage::create(app, asked),
        "/api/copy" => manage::copy(app, asked),
        "/api/delete" => manage::delete(app, asked),
        "/api/blobs/{}" if method == Method::HEAD => manage::blob_head(rest),
        "/api/blobs/{}" => manage::blob_post(rest, asked),
        "/v1/audio/transcriptions" => Err(manage::transcriptions(asked)),
        "/api/experimental/web_search" => Err(manage::cloud("web search")),
        "/api/experimental/web_fetch" => Err(manage::cloud("web fetch")),
        "/api/experimental/model-recommendations" => {
            Ok(super::answer::native(&serde_json::json!({"models": []})))
        }
        _ => Err(manage::account()),
    }
}

fn redirect(method: &Method, to: &str, by_router: bool) -> Response<Body> {
    let get = method == Method::GET;
    let (status, reason) =
        if by_router && get { (301, "Moved Permanently") } else { (307, "Temporary Redirect") };
    let mut answer = if get {
        respond(status, "text/html; charset=utf-8", format!("<a href=\"{to}\">{reason}</a>.\n\n"), false)
    } else {
        manage::empty(status)
    };
    insert(&mut answer, LOCATION, to);
    answer
}

fn closing(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn with(mut answer: Response<Body>, headers: HeaderMap) -> Response<Body> {
    answer.headers_mut().extend(headers);
    answer
}

fn insert(answer: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The head of an answer to HEAD: the length it would have had (none for errors, as Go leaves it out).
fn without_body(answer: Response<Body>) -> Response<Body> {
    let length = http_body::Body::size_hint(answer.body()).exact();
    let (mut head, _) = answer.into_parts();
    if let Some(length) = length {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, http_body_util::Empty::new().boxed_unsync())
}
