//! Connections of HTTP/2 whose frames break the rules (RFC 9113, 3 to 6): the connection or the stream ends with an
//! error, never with an answer of Ollama's.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::frames::*;
use super::siege::asked;
use crate::support::{PATIENCE, TestGateway, chat, ollama};

#[rustfmt::skip]
fn faults(head: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let open = frame(HEADERS, END_HEADERS, 1, head);
    let begun = frame(HEADERS, 0, 1, &head[..20]);
    vec![
        ("DATA on no stream", frame(DATA, 0, 0, b"x")),
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x")),
        ("HEADERS on no stream", frame(HEADERS, END_HEADERS, 0, head)),
        ("HEADERS on an even stream", frame(HEADERS, END_HEADERS, 2, head)),
        ("HEADERS on an earlier stream", [frame(HEADERS, END_HEADERS, 5, head), frame(HEADERS, END_HEADERS, 3, head)].concat()),
        ("HEADERS with more padding than payload", frame(HEADERS, END_HEADERS | PADDED, 1, &[255, 0])),
        ("HEADERS too short for their priority", frame(HEADERS, END_HEADERS | 0x20, 1, &[0, 0])),
        ("HEADERS that depend on themselves", frame(HEADERS, END_HEADERS | 0x20, 1, &[&[0, 0, 0, 1, 0], head].concat())),
        ("DATA with more padding than payload", [open.clone(), frame(DATA, PADDED, 1, &[9, 0])].concat()),
        ("PRIORITY on no stream", frame(PRIORITY, 0, 0, &[0; 5])),
        ("PRIORITY that is short", [open.clone(), frame(PRIORITY, 0, 1, &[0; 4])].concat()),
        ("RST_STREAM on no stream", frame(RST_STREAM, 0, 0, &[0; 4])),
        ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, &[0; 4])),
        ("RST_STREAM that is short", [open.clone(), frame(RST_STREAM, 0, 1, &[0; 3])].concat()),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS of no whole number", frame(SETTINGS, 0, 0, &[0; 5])),
        ("an ACK of SETTINGS with a payload", frame(SETTINGS, ACK, 0, &[0; 6])),
        ("SETTINGS: a window beyond 31 bits", settings(&[(INITIAL_WINDOW_SIZE, 1 << 31)])),
        ("SETTINGS: frames too small", settings(&[(MAX_FRAME_SIZE, 100)])),
        ("SETTINGS: frames too large", settings(&[(MAX_FRAME_SIZE, 1 << 24)])),
        ("SETTINGS: push neither on nor off", settings(&[(ENABLE_PUSH, 2)])),
        ("PUSH_PROMISE of a client", [open.clone(), frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], head].concat())].concat()),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8])),
        ("PING that is short", frame(PING, 0, 0, &[0; 7])),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        ("WINDOW_UPDATE of nothing", window(0, 0)),
        ("WINDOW_UPDATE that overflows", [window(0, (1 << 31) - 1), window(0, (1 << 31) - 1)].concat()),
        ("WINDOW_UPDATE that is short", frame(WINDOW_UPDATE, 0, 0, &[0; 3])),
        ("WINDOW_UPDATE on an idle stream", window(7, 1)),
        ("CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, head)),
        ("CONTINUATION behind the end", [open.clone(), frame(CONTINUATION, END_HEADERS, 1, head)].concat()),
        ("CONTINUATION of another stream", [begun.clone(), frame(CONTINUATION, END_HEADERS, 3, &head[20..])].concat()),
        ("DATA within a head", [begun.clone(), frame(DATA, 0, 1, b"x")].concat()),
        ("an unknown frame within a head", [begun.clone(), frame(0xbe, 0, 0, b"x")].concat()),
        ("a frame larger than agreed", [open, vec![1, 0, 0, DATA, 0, 0, 0, 0, 1], vec![b'x'; 1 << 16]].concat()),
    ]
}

#[tokio::test]
async fn end_their_connection_or_stream() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let head = block(&fields_of_post("/api/chat", &gateway.token()));
    let body = chat(false).to_string();
    let before = asked(&ollama).len();
    for (case, bytes) in faults(&head) {
        let rest = [frame(DATA, END_STREAM, 1, body.as_bytes())].into_iter();
        let peer = Peer::connect(&gateway, &[]).await;
        let told = peer.assault(Duration::from_millis(500), [bytes].into_iter().chain(rest)).await;
        let refused = told.goaway.is_some_and(|code| code != 0) || told.resets > 0 || told.closed;
        assert!(refused, "{case}: {told:?}");
        assert_eq!(told.answers, 0, "{case}: {told:?}");
    }
    assert_eq!(asked(&ollama).len(), before, "{:?}", asked(&ollama).last());
}

#[tokio::test]
async fn a_preface_that_is_none_ends_its_connection() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let request = format!(
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        gateway.token()
    );
    for bytes in [request.into_bytes(), b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec()] {
        let mut stream = gateway.tls(&[b"h2"]).await;
        stream.write_all(&bytes).await.unwrap();
        let mut said = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "{:?} stays", String::from_utf8_lossy(&bytes));
        assert!(memchr::memmem::find(&said, b"models").is_none());
    }
}
