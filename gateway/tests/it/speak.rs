//! Answers as the tests read them, of both protocols.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{PATIENCE, Raw, TestGateway};

/// One whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// Reads an answer with `Content-Length` out of the bytes of HTTP/1.1.
    pub fn of_text(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        Self { status, headers, body: body.to_owned() }
    }

    /// What reqwest got.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, body: answer.text().await.unwrap() }
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A field that is there at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        assert!(self.headers.get_all(name).iter().count() <= 1, "{name} twice in {self:?}");
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends `bytes` on a connection of their own and reads what comes to its end, which the gateway must bring about.
pub async fn to_the_end(gateway: &TestGateway, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = gateway.raw().await;
    raw.send(bytes).await;
    raw.rest().await
}

/// One answer, with its length or in chunks, from a connection that stays open.
pub async fn next_answer(raw: &mut Raw) -> Answer {
    let head = raw.until("\r\n\r\n").await;
    let mut answer = Answer::of_text(&head);
    if answer.field("transfer-encoding") == Some("chunked") {
        answer.body = chunks(raw).await;
        return answer;
    }
    let length: usize = answer.field("content-length").expect("a length").parse().unwrap();
    answer.body = raw.exactly(length).await;
    answer
}

async fn chunks(raw: &mut Raw) -> String {
    let mut body = String::new();
    loop {
        let line = raw.until("\r\n").await;
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        body.push_str(&raw.exactly(length).await);
        raw.until("\r\n").await;
        if length == 0 {
            return body;
        }
    }
}

/// Asks over HTTP/2 on a connection of its own; the path is in `request`.
pub async fn over_h2(gateway: &TestGateway, request: Request<()>, body: impl Into<Bytes>) -> Answer {
    let (mut parts, ()) = request.into_parts();
    parts.uri = gateway.url(&parts.uri.to_string()).parse().unwrap();
    let mut h2 = gateway.h2().await;
    let (answer, mut send) = h2.send_request(Request::from_parts(parts, ()), false).unwrap();
    send.send_data(body.into(), true).unwrap();
    let read = async {
        let answer = answer.await.unwrap();
        let (parts, mut body) = answer.into_parts();
        let mut text = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            text.extend_from_slice(&piece);
        }
        let body = String::from_utf8(text).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    };
    timeout(PATIENCE, read).await.expect("an answer over HTTP/2")
}
