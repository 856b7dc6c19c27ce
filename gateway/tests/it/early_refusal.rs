//! A refusal reaches a client that is still sending its body, every time.

use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::speak::Answer;
use crate::support::{PATIENCE, TestGateway, ollama};

/// The body of a client that does not look at answers before it has sent everything.
const BODY: usize = 2 << 20;
/// The limit, for the rows that are over it.
const LIMIT: u64 = 1 << 20;
const TRIES: usize = 30;

async fn gateway() -> (demo::ollama::SimulatedOllama, TestGateway) {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await;
    (ollama, builder.config(|config| config.limits.body_bytes = LIMIT).start().await)
}

/// The cases: token (none: a good one), path, status.
const CASES: [(Option<&str>, &str, u16); 3] =
    [(Some("wrong"), "/api/chat", 401), (None, "/api/chat", 413), (None, "/api/show", 413)];

#[tokio::test]
async fn over_http1() {
    let (ollama, gateway) = gateway().await;
    let before = ollama.inferences().len();
    let good = gateway.token();
    for (token, path, status) in CASES {
        for attempt in 0..TRIES {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: {BODY}\r\n\r\n",
                token.unwrap_or(&good)
            );
            let mut stream = gateway.tls(&[b"http/1.1"]).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let piece = vec![b' '; 64 << 10];
            for _ in 0..BODY / piece.len() {
                timeout(PATIENCE, stream.write_all(&piece)).await.expect("it is read").unwrap();
            }
            stream.flush().await.unwrap();
            let mut read = Vec::new();
            let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("an end");
            assert!(ended.is_ok(), "{status}, try {attempt}: {ended:?}");
            let answer = Answer::of_text(&String::from_utf8(read).unwrap());
            assert_eq!(answer.status, status, "try {attempt}");
            assert!(answer.json()["error"].is_string(), "{answer:?}");
        }
    }
    assert_eq!(ollama.inferences().len(), before);
}

#[tokio::test]
async fn over_http2() {
    let (ollama, gateway) = gateway().await;
    let before = ollama.inferences().len();
    let good = gateway.token();
    for (token, path, status) in CASES {
        for attempt in 0..TRIES {
            let mut h2 = gateway.h2().await;
            let token = format!("Bearer {}", token.unwrap_or(&good));
            let request = Request::post(gateway.url(path)).header("authorization", token);
            let request = request.header("content-length", BODY).body(()).unwrap();
            let (answer, mut send) = h2.send_request(request, false).unwrap();
            let read = async {
                // Everything that is taken is sent; a stream that is reset with the answer takes no more.
                let sent = send.send_data(vec![b' '; BODY].into(), true);
                let answer = answer.await.unwrap();
                assert_eq!(answer.status().as_u16(), status, "try {attempt}, sent: {sent:?}");
                let mut text = Vec::new();
                let mut body = answer.into_body();
                while let Some(piece) = body.data().await {
                    text.extend_from_slice(&piece.unwrap());
                }
                let body: serde_json::Value = serde_json::from_slice(&text).unwrap();
                assert!(body["error"].is_string(), "{body}");
            };
            timeout(PATIENCE, read).await.expect("an answer");
        }
    }
    assert_eq!(ollama.inferences().len(), before);
}

#[tokio::test]
async fn a_body_that_is_claimed_too_long_is_refused_before_it_is_sent() {
    let (_ollama, gateway) = gateway().await;
    let mut raw = gateway.raw().await;
    let length = LIMIT + 1;
    let token = gateway.token();
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    raw.send(head).await;
    let answer = raw.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "and no 100 Continue: {answer}");
    let answer = Answer::of_text(&answer);
    assert_eq!(answer.field("connection"), Some("close"));

    // A chunked body has no length to claim: it is refused as soon as it is over.
    let mut raw = gateway.raw().await;
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    raw.send(format!("{head}{:x}\r\n{}", LIMIT + 1, " ".repeat(LIMIT as usize + 1))).await;
    assert!(raw.rest().await.starts_with("HTTP/1.1 413 "));
}
