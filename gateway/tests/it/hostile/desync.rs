//! Cases of request smuggling, as the proxies of a large cloud are held to them (http-desync-guardian). They lie
//! outside the repository, in the folder `http-desync-guardian` of `$EXTERNAL_DATA`; the cases below stand for their
//! classes without them. Behind every case a good request is sent on the same connection: it must be answered as a
//! request of its own or not at all.

use std::path::PathBuf;

use demo::ollama::SimulatedOllama;
use serde::Deserialize;

use super::siege::asked;
use crate::speak::to_the_end;
use crate::support::{TestGateway, chat, ollama, request};

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

/// One case of the file.
#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    uri: String,
    version: String,
    headers: Vec<(String, String)>,
    tier: String,
    reason: String,
}

/// What kind of bytes stand in a case: its texts are bytes up to U+00FF, and UTF-8 beyond.
fn bytes(text: &str) -> Vec<u8> {
    let latin = text.chars().all(|c| u32::from(c) < 256);
    if latin { text.chars().map(|c| c as u8).collect() } else { text.as_bytes().to_vec() }
}

impl Case {
    /// The head with what every request of ours needs; `path` stands for the case's own where that says nothing.
    fn head(&self, path: &str, token: &str) -> Vec<u8> {
        let uri = if self.uri == "/foo/bar" { path } else { &self.uri };
        let mut head = [bytes(&self.method), b" ".to_vec(), bytes(uri)].concat();
        if !self.version.is_empty() {
            head.extend([b" ".to_vec(), bytes(&self.version)].concat());
        }
        head.extend_from_slice(b"\r\n");
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.extend_from_slice(b"Host: localhost\r\n");
        }
        head.extend(format!("Authorization: Bearer {token}\r\n").bytes());
        for (name, value) in &self.headers {
            head.extend([bytes(name), b": ".to_vec(), bytes(value), b"\r\n".to_vec()].concat());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// What one attempt must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// 4xx, and the connection ends: nothing behind the head is looked at.
    Refused,
    /// Refused, or read as chunked with nothing behind it (RFC 9112, 6.1): at most one answer, then the end.
    Alone,
    /// Whatever HTTP/1.1 says of it.
    Any,
}

/// Sends `head`, then `body`, then the marker; checks what came back and what Ollama saw.
async fn check(
    gateway: &TestGateway,
    ollama: &SimulatedOllama,
    case: &str,
    head: &[u8],
    body: &[u8],
    fate: Fate,
) {
    let before = asked(ollama).len();
    let marker =
        request("POST", "/v1/chat/completions", &gateway.token_for("marker"), &chat(false).to_string());
    // The last request ends the connection, so that there is an end to wait for.
    let marker = marker.replacen("Content-Length", "Connection: close\r\nContent-Length", 1);
    let said = to_the_end(gateway, [head, body, marker.as_bytes()].concat()).await;
    let statuses: Vec<u16> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer[..3].parse().unwrap_or_else(|_| panic!("{case}: {said:?}")))
        .collect();
    let seen = asked(ollama).split_off(before);
    for seen in &seen {
        let length = seen.body.len();
        let canonical = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            seen.target,
            ollama.address()
        );
        assert_eq!(String::from_utf8_lossy(seen.head()), canonical, "{case}");
        assert_eq!(seen.raw.len(), canonical.len() + length, "{case}: one request is one request");
    }
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!(seen.len() <= answered, "{case}: {statuses:?} {seen:?}");
    assert!(statuses.len() <= 2, "{case}: {statuses:?}");
    match fate {
        Fate::Refused => {
            assert!(matches!(statuses[..], [400..500] | []), "{case}: {statuses:?} {said:?}");
            assert_eq!(seen.len(), 0, "{case}: {seen:?}");
        }
        Fate::Alone => assert!(statuses.len() <= 1, "{case}: {statuses:?}"),
        Fate::Any => {
            assert!(matches!(statuses[..], [400..500] | [200..500, 200..500] | []), "{case}: {statuses:?}");
        }
    }
}

/// The cases of the file, or a line that says what is left out.
fn cases() -> Vec<Case> {
    let folder = std::env::var_os("EXTERNAL_DATA").map(PathBuf::from);
    match folder.map(|folder| std::fs::read(folder.join("http-desync-guardian/cases.json"))) {
        Some(Ok(bytes)) => serde_json::from_slice::<Cases>(&bytes).unwrap().cases,
        _ => {
            println!("skipped: http-desync-guardian/cases.json is not in $EXTERNAL_DATA");
            Vec::new()
        }
    }
}

#[tokio::test]
async fn the_cases_of_http_desync_guardian() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let body = chat(false).to_string();
    for case in cases() {
        // What is severe or ambiguous by its framing is refused. The rest of the ambiguous ones are, for an HTTP/1.1
        // server, plain requests: look-alikes of field names mean nothing, equal lengths are one length.
        let fate = match (case.tier.as_str(), case.reason.as_str()) {
            ("Severe", _) => Fate::Refused,
            (_, "BothTeClPresent") => Fate::Alone,
            _ => Fate::Any,
        };
        let name = format!("{} ({})", case.name, case.tier);
        for body in [body.clone(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()), String::new()] {
            check(&gateway, &ollama, &name, &case.head("/api/chat", &token), body.as_bytes(), fate).await;
        }
    }
}

/// Heads behind `POST /api/chat HTTP/1.1`, Host and token, and what must become of them.
#[rustfmt::skip]
const CLASSES: &[(&str, &str)] = &[
    ("gzip and length", "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"),
    ("lengths that differ", "Content-Length: 5\r\nContent-Length: 6\r\n"),
    ("a list of lengths", "Content-Length: 5, 6\r\n"),
    ("a length with a sign", "Content-Length: +5\r\n"),
    ("a length below zero", "Content-Length: -5\r\n"),
    ("a length in hexadecimal", "Content-Length: 0x5\r\n"),
    ("a length of two numbers", "Content-Length: 5 5\r\n"),
    ("a length that overflows", "Content-Length: 18446744073709551621\r\n"),
    ("a length with a control character", "Content-Length: 5\x11\r\n"),
    ("an empty length", "Content-Length: \r\n"),
    ("a look-alike of chunked", "Transfer-Encoding: xchunked\r\n"),
    ("chunked with a control character", "Transfer-Encoding: \x0bchunked\r\n"),
    ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n"),
    ("chunked in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    ("chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    ("a space before the colon", "Transfer-Encoding : chunked\r\n"),
    ("a tab before the colon", "Content-Length\t: 5\r\n"),
    ("a space before the name", "X: y\r\n Transfer-Encoding: chunked\r\n"),
    ("a folded value", "Transfer-Encoding:\r\n chunked\r\n"),
    ("a bare CR in a value", "X: y\rTransfer-Encoding: chunked\r\n"),
    ("NUL in a value", "X: y\0z\r\n"),
    ("NUL in a name", "X\0: y\r\n"),
    ("an empty name", ": y\r\nContent-Length: 5\r\n"),
    ("a name with a colon before it", ":Transfer-Encoding: chunked\r\n"),
    ("no colon", "Transfer-Encoding chunked\r\n"),
];

#[tokio::test]
async fn the_same_classes_of_our_own() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let body = chat(false).to_string();
    let hidden = request("POST", "/api/chat", &token, &body);
    let refused = CLASSES.iter().map(|(case, fields)| (*case, *fields, Fate::Refused));
    let both = [
        ("length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Fate::Alone),
        ("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Fate::Alone),
    ];
    for (case, fields, fate) in refused.chain(both) {
        let head = format!(
            "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{fields}\r\n"
        );
        let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        for body in ["0\r\n\r\n", "5;x\r\nhello\r\n0\r\n\r\n", "", &chunked, &body] {
            let bytes = [body, &hidden].concat();
            check(&gateway, &ollama, case, head.as_bytes(), bytes.as_bytes(), fate).await;
        }
    }
}
