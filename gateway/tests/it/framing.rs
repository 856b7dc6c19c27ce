//! One request in is at most one canonical request upstream. What two parsers could read differently is refused, its
//! connection closed, and what stood behind it is never taken for a request.

use demo::ollama::{Seen, SimulatedOllama};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::speak::{next_answer, over_h2, to_the_end};
use crate::support::{CHAT, PATIENCE, TestGateway, chat, ollama, request};

/// What Ollama was asked on behalf of a client: everything but what the gateway asks for itself.
fn asked(ollama: &SimulatedOllama) -> Vec<Seen> {
    let own = |seen: &Seen| {
        let look = matches!(seen.target.as_str(), "/api/ps" | "/api/tags" | "/api/version");
        look || (seen.target == "/api/generate" && seen.json().get("prompt").is_none())
    };
    ollama.requests().into_iter().filter(|seen| !own(seen)).collect()
}

/// How many answers there are in the bytes of a connection: each has one date.
fn answers(bytes: &str) -> usize {
    bytes.matches("\r\ndate: ").count()
}

/// Heads that must be refused, `{T}` standing for a good token: only the framing is wrong. A complete, good request
/// follows each in the place of its body.
const REFUSED: &[(&str, &str)] = &[
    ("no Host", "POST /api/chat HTTP/1.1\r\nAuthorization: Bearer {T}\r\nContent-Length: 5\r\n"),
    ("empty Host", "POST /api/chat HTTP/1.1\r\nHost: \r\nAuthorization: Bearer {T}\r\nContent-Length: 5\r\n"),
    (
        "two Hosts",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    (
        "two different Hosts",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nAuthorization: Bearer {T}\r\n",
    ),
    ("Host with a space", "GET /api/tags HTTP/1.1\r\nHost: local host\r\nAuthorization: Bearer {T}\r\n"),
    ("Host with a path", "GET /api/tags HTTP/1.1\r\nHost: localhost/x\r\nAuthorization: Bearer {T}\r\n"),
    ("Host with a user", "GET /api/tags HTTP/1.1\r\nHost: a@localhost\r\nAuthorization: Bearer {T}\r\n"),
    ("Host with a list", "GET /api/tags HTTP/1.1\r\nHost: localhost, evil\r\nAuthorization: Bearer {T}\r\n"),
    ("Host with a comma", "GET /api/tags HTTP/1.1\r\nHost: localhost,evil\r\nAuthorization: Bearer {T}\r\n"),
    (
        "Host with a word as port",
        "GET /api/tags HTTP/1.1\r\nHost: localhost:http\r\nAuthorization: Bearer {T}\r\n",
    ),
    (
        "Host with too large a port",
        "GET /api/tags HTTP/1.1\r\nHost: localhost:70000\r\nAuthorization: Bearer {T}\r\n",
    ),
    ("Host with an escape", "GET /api/tags HTTP/1.1\r\nHost: local%68ost\r\nAuthorization: Bearer {T}\r\n"),
    ("Host half in brackets", "GET /api/tags HTTP/1.1\r\nHost: [::1\r\nAuthorization: Bearer {T}\r\n"),
    ("Host not ASCII", "GET /api/tags HTTP/1.1\r\nHost: löcalhost\r\nAuthorization: Bearer {T}\r\n"),
    (
        "length and chunked",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "chunked and length",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ),
    (
        "two codings",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "chunked twice",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: chunked, chunked\r\n",
    ),
    (
        "gzip, chunked",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: gzip, chunked\r\n",
    ),
    (
        "chunked, identity",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: chunked, identity\r\n",
    ),
    (
        "identity",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: identity\r\n",
    ),
    (
        "xchunked",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: xchunked\r\n",
    ),
    (
        "empty coding",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nTransfer-Encoding: \r\n",
    ),
    (
        "length +5",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: +5\r\n",
    ),
    (
        "length -1",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: -1\r\n",
    ),
    (
        "length 0x5",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: 0x5\r\n",
    ),
    (
        "length 5, 5",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: 5, 5\r\n",
    ),
    (
        "empty length",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: \r\n",
    ),
    (
        "endless length",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: 99999999999999999999999\r\n",
    ),
    (
        "two different lengths",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
    ),
    (
        "space before the colon",
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nContent-Length : 5\r\n",
    ),
    (
        "space before the first field",
        "POST /api/chat HTTP/1.1\r\n Host: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    (
        "a folded field",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nX-Fold: a\r\n b\r\n",
    ),
    (
        "a field without a colon",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nbroken\r\n",
    ),
    (
        "a field without a name",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n: x\r\n",
    ),
    (
        "a bare CR in a value",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nX-A: a\rb\r\n",
    ),
    (
        "a bare CR in the request line",
        "GET /api/tags\rx HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    (
        "NUL in a value",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nX-A: a\0b\r\n",
    ),
    (
        "NUL in a name",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nX\0A: b\r\n",
    ),
    ("NUL in the path", "GET /api/tags\0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    (
        "DEL in a value",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nX-A: a\x7fb\r\n",
    ),
    ("HTTP/1.0", "GET /api/tags HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    (
        "HTTP/1.0 kept alive",
        "GET /api/tags HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nAuthorization: Bearer {T}\r\n",
    ),
    ("HTTP/0.9", "GET /api/tags\r\n"),
    ("HTTP/1.2", "GET /api/tags HTTP/1.2\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    ("HTTP/3.0", "GET /api/tags HTTP/3.0\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    ("http/1.1", "GET /api/tags http/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    (
        "two spaces in the request line",
        "GET  /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    (
        "Upgrade to h2c",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ),
    (
        "Upgrade to websocket",
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ),
    ("CONNECT", "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nAuthorization: Bearer {T}\r\n"),
    ("TRACE", "TRACE /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    (
        "a foreign authority",
        "GET http://evil.example/api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    ("an authority without Host", "GET https://localhost/api/tags HTTP/1.1\r\nAuthorization: Bearer {T}\r\n"),
    (
        "another scheme",
        "GET ftp://localhost/api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    ("a path without a slash", "GET api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    ("the server itself", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    ("a fragment", "GET /api/tags#x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n"),
    (
        "a fragment behind a query",
        "GET /api/tags?a=b#x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {T}\r\n",
    ),
    (
        "a preflight of unclear framing",
        "OPTIONS /api/chat HTTP/1.1\r\nHost: localhost\r\nOrigin: https://translate.example.com\r\nAccess-Control-Request-Method: POST\r\nTransfer-Encoding: gzip, chunked\r\n",
    ),
];

#[tokio::test]
async fn what_two_parsers_could_read_differently_is_refused_and_ends_the_connection() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let smuggled = request("POST", "/api/chat", &token, &chat(false).to_string());
    for (case, head) in REFUSED {
        let bytes = format!("{}\r\n{smuggled}", head.replace("{T}", &token));
        let answer = to_the_end(&gateway, bytes).await;
        assert!(answer.starts_with("HTTP/1.") && answer[9..].starts_with('4'), "{case}: {answer:?}");
        assert_eq!(answers(&answer), 1, "{case}: what follows is no request: {answer:?}");
    }
    assert_eq!(asked(&ollama).len(), 0, "{:?}", asked(&ollama));
}

#[tokio::test]
async fn a_broken_chunked_body_is_the_clients_fault_and_ends_the_connection() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let smuggled = request("POST", "/api/chat", &token, &chat(false).to_string());
    for body in [
        "zz\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5\r\nhelloworld\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n",
        "5\nhello\r\n0\r\n\r\n",
    ] {
        let head = format!(
            "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        let answer = to_the_end(&gateway, format!("{head}{body}{smuggled}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer:?}");
        assert_eq!(answers(&answer), 1, "{body:?}: {answer:?}");
    }
    assert_eq!(asked(&ollama).len(), 0);
}

#[tokio::test]
async fn an_unread_body_never_becomes_a_request() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let inner = request("POST", "/api/chat", &token, &chat(false).to_string());
    for (method, path, token, status) in [
        ("GET", "/api/tags", token.as_str(), 200), // answered without a look at its body
        ("POST", "/api/chat", "wrong", 401),
        ("POST", "/api/nothing", &token, 404),
        ("DELETE", "/api/delete", &token, 403),
    ] {
        let mut raw = gateway.raw().await;
        raw.send(request(method, path, token, &inner)).await;
        let answer = next_answer(&mut raw).await;
        assert_eq!(answer.status, status, "{method} {path}");
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let rest = raw.rest().await;
        // Either the connection goes on behind the body, or it is closed; in no case is the body answered.
        assert!(rest.is_empty() || rest.ends_with("\r\n\r\nok"), "{method} {path}: {rest:?}");
        assert!(answers(&rest) <= 1, "{method} {path}: {rest:?}");
    }
    assert_eq!(asked(&ollama).len(), 0);
}

#[tokio::test]
async fn upstream_gets_one_canonical_head_and_nothing_of_the_clients() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let fields = [
        ("x-api-version", "1"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "evil"),
        ("x-real-ip", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4"),
        ("x-amzn-trace-id", "Root=1"),
        ("x-amzn-oidc-data", "forged"),
        ("x-openwebui-user-email", "boss@example.com"),
        ("x-http-method-override", "DELETE"),
        ("x_user", "admin"),
        ("cookie", "session=1"),
        ("referer", "https://evil.example/"),
        ("origin", "https://translate.example.com"),
        ("te", "trailers"),
        ("accept-encoding", "gzip"),
        ("x-request-id", "abcdefgh-1"),
        ("content-type", "text/plain"),
    ];
    let body = json!({ "model": CHAT, "messages": [{ "role": "user", "content": "hi" }], "stream": false });
    let mut h1 = format!(
        "POST /api/chat?model=evil&x=y HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {token}\r\n\
         Connection: x-custom\r\nX-Custom: 1\r\nProxy-Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
        gateway.port
    );
    fields.iter().for_each(|(name, value)| h1.push_str(&format!("{name}: {value}\r\n")));
    let text = body.to_string();
    h1.push_str(&format!("\r\n{:x}\r\n{text}\r\n0\r\nx-trailer: 1\r\n\r\n", text.len()));
    let mut raw = gateway.raw().await;
    raw.send(&h1).await;
    assert_eq!(next_answer(&mut raw).await.status, 200);

    let h2 = http::Request::post("/api/chat?model=evil").header("authorization", format!("Bearer {token}"));
    let h2 = fields.iter().fold(h2, |request, (name, value)| request.header(*name, *value));
    assert_eq!(over_h2(&gateway, h2.body(()).unwrap(), text).await.status, 200);

    let seen = asked(&ollama);
    assert_eq!(seen.len(), 2);
    for seen in seen {
        let expected = format!(
            "POST /api/chat HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            ollama.address(),
            seen.body.len()
        );
        assert_eq!(String::from_utf8_lossy(seen.head()), expected);
        assert_eq!(seen.raw.len(), expected.len() + seen.body.len(), "nothing follows the body");
    }
    for bytes in ollama.connections() {
        assert!(memchr::memmem::find(&bytes, token.as_bytes()).is_none(), "no token on any connection");
    }
}

/// One HPACK literal, neither indexed nor compressed: a field as no client library would send it.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, u8::try_from(name.len()).unwrap()];
    bytes.extend_from_slice(name.as_bytes());
    assert!(value.len() < 127 + 128, "two bytes of length at most");
    match u8::try_from(value.len()).unwrap() {
        short @ 0..127 => bytes.push(short),
        long => bytes.extend_from_slice(&[127, long - 127]),
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// What an HTTP/2 stream of these fields and this body ends with: `Ok(status)` or `Err(type of the frame)`.
async fn h2_says(gateway: &TestGateway, fields: &[(&str, &str)], body: &[u8]) -> Result<u16, u8> {
    let mut stream = gateway.tls(&[b"h2"]).await;
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 4, 1, &block));
    bytes.extend(frame(0, 1, 1, body));
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
    let read = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            stream.read_exact(&mut payload).await.unwrap();
            match head[3] {
                1 => {
                    let block = h2_status(&payload);
                    return Ok(block);
                }
                kind @ (3 | 7) => return Err(kind),
                _ => {}
            }
        }
    };
    timeout(PATIENCE, read).await.expect("an end of the stream")
}

/// The status at the start of a header block: one of the static table, or a literal for its name.
fn h2_status(block: &[u8]) -> u16 {
    let at = |index: u8| [200, 204, 206, 304, 400, 404, 500][usize::from(index - 8)];
    // A size update may stand before it.
    match block.iter().position(|byte| byte & 0xe0 != 0x20).map(|at| block[at]) {
        Some(byte @ 0x88..=0x8e) => at(byte & 0x7f),
        _ => 499, // some other status of the client's fault or not: no row below expects one
    }
}

#[tokio::test]
async fn malformed_streams_of_http2_never_reach_the_upstream() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let key = gateway::identity::api_keys::create(gateway.store.as_ref(), "robot", Vec::new(), 0, None);
    let key = key.await.unwrap().0; // a token is too long for the literals above
    let body = chat(false).to_string();
    let length = body.len().to_string();
    let path = (":path", "/api/chat");
    let good = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), path];
    let with = |more: &[(&'static str, &str)]| {
        let mut fields: Vec<(&str, String)> = good.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        fields.push(("x-api-key", key.clone()));
        fields.extend(more.iter().map(|(n, v)| (*n, (*v).to_owned())));
        fields
    };
    let without = |name: &str| {
        let mut fields = with(&[]);
        fields.retain(|(n, _)| *n != name);
        fields
    };
    let replaced = |name: &str, value: &str| {
        let mut fields = with(&[]);
        fields.iter_mut().filter(|(n, _)| *n == name).for_each(|(_, v)| *v = value.to_owned());
        fields
    };
    for (case, fields) in [
        ("an upper-case name", with(&[("X-Upper", "1")])),
        ("connection", with(&[("connection", "close")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("upgrade", with(&[("upgrade", "h2c")])),
        ("te: gzip", with(&[("te", "gzip")])),
        ("a pseudo field at the end", with(&[(":path", "/api/tags")])),
        ("an unknown pseudo field", with(&[(":unknown", "x")])),
        ("a status", with(&[(":status", "200")])),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no path", without(":path")),
        ("an empty path", replaced(":path", "")),
        ("a path without a slash", replaced(":path", "api/chat")),
        ("no authority", without(":authority")),
        ("another Host", with(&[("host", "evil")])),
        ("a malformed authority", replaced(":authority", "a@localhost")),
        ("a line break in a value", with(&[("x-a", "a\r\nb: c")])),
        ("a short length", with(&[("content-length", "5")])),
        ("a long length", with(&[("content-length", "5000")])),
        ("a strange length", with(&[("content-length", "+5")])),
        ("two lengths", with(&[("content-length", &length), ("content-length", "6")])),
        ("CONNECT", replaced(":method", "CONNECT")),
    ] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = h2_says(&gateway, &fields, body.as_bytes()).await;
        assert!(matches!(said, Err(3 | 7) | Ok(400..500)), "{case}: {said:?}");
    }
    assert_eq!(asked(&ollama).len(), 0, "{:?}", asked(&ollama));
    let fields = with(&[("content-length", &length)]);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(h2_says(&gateway, &fields, body.as_bytes()).await, Ok(200), "the same without the fault");
}
