//! Requests of HTTP/2 that are malformed (RFC 9113, 8.1 to 8.3): a stream error or a status of the client's fault,
//! and Ollama never hears of them.

use tokio::time::timeout;

use super::frames::*;
use super::siege::asked;
use crate::support::{PATIENCE, TestGateway, chat, ollama};

/// How a stream or its connection ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Status(u16),
    Reset,
    Connection,
}

/// Sends `bytes` on a connection of their own and waits for the end of stream 1.
async fn say(gateway: &TestGateway, bytes: &[u8]) -> Ended {
    let mut peer = Peer::connect(gateway, &[]).await;
    let _ = peer.send(bytes).await;
    let end = async {
        loop {
            match peer.next().await {
                None => return Ended::Connection,
                Some(frame) if frame.kind == GOAWAY && frame.number(4) != 0 => return Ended::Connection,
                Some(frame) if frame.stream == 1 && frame.kind == RST_STREAM => return Ended::Reset,
                Some(frame) if frame.stream == 1 && frame.kind == HEADERS => {
                    return Ended::Status(frame.status());
                }
                Some(_) => {}
            }
        }
    };
    timeout(PATIENCE, end).await.unwrap_or_else(|_| panic!("no end for {:?}", String::from_utf8_lossy(bytes)))
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.as_ref().to_vec(), value.as_ref().to_vec())
}

/// A good request and its variations.
struct Good(Fields);

impl Good {
    fn with(&self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Fields {
        [self.0.clone(), vec![field(name, value)]].concat()
    }

    fn first(&self, name: &str, value: &str) -> Fields {
        [vec![field(name, value)], self.0.clone()].concat()
    }

    fn instead(&self, name: &str, value: impl AsRef<[u8]>) -> Fields {
        let replace = |(n, v): &(Vec<u8>, Vec<u8>)| {
            if n == name.as_bytes() { field(name, value.as_ref()) } else { (n.clone(), v.clone()) }
        };
        self.0.iter().map(replace).collect()
    }

    fn without(&self, name: &str) -> Fields {
        self.0.iter().filter(|(n, _)| n != name.as_bytes()).cloned().collect()
    }
}

#[rustfmt::skip]
fn pseudo_fields(good: &Good) -> Vec<(&'static str, Fields)> {
    let mut late = good.0.clone();
    late.swap(3, 4);
    let tunnel = vec![field(":method", "CONNECT"), field(":authority", "localhost"), good.0[4].clone()];
    let extended = [good.instead(":method", "CONNECT"), vec![]].concat();
    vec![
        ("no method", good.without(":method")),
        ("no scheme", good.without(":scheme")),
        ("no path", good.without(":path")),
        ("no authority", good.without(":authority")),
        ("two methods", good.first(":method", "POST")),
        ("two schemes", good.first(":scheme", "https")),
        ("two paths", good.first(":path", "/api/chat")),
        ("two authorities", good.first(":authority", "localhost")),
        ("two authorities that differ", good.first(":authority", "evil")),
        ("a pseudo field behind the others", late),
        ("an unknown one", good.first(":fish", "x")),
        ("one of answers", good.first(":status", "200")),
        ("one of extended CONNECT", good.first(":protocol", "websocket")),
        ("upper case", good.first(":Path", "/api/chat")),
        ("an empty path", good.instead(":path", "")),
        ("a path without a slash", good.instead(":path", "api/chat")),
        ("an absolute path", good.instead(":path", "https://localhost/api/chat")),
        ("a path with a space", good.instead(":path", "/api/chat x")),
        ("a path with a line", good.instead(":path", "/api/chat HTTP/1.1\r\nx: y")),
        ("a path with 8 bits", good.instead(":path", b"/api/chat\xff")),
        ("an asterisk", good.instead(":path", "*")),
        ("an empty method", good.instead(":method", "")),
        ("a method with a space", good.instead(":method", "POST /api/chat HTTP/1.1\r\n")),
        ("a method in lower case", good.instead(":method", "post")),
        ("CONNECT", tunnel),
        ("CONNECT with a path", extended),
        ("TRACE", good.instead(":method", "TRACE")),
        ("a strange scheme", good.instead(":scheme", "ftp")),
        ("an empty scheme", good.instead(":scheme", "")),
        ("an empty authority", good.instead(":authority", "")),
        ("an authority with a user", good.instead(":authority", "user@localhost")),
        ("an authority with a path", good.instead(":authority", "localhost/x")),
        ("an authority with a list", good.instead(":authority", "localhost,evil")),
        ("an authority with a line", good.instead(":authority", "localhost\r\nx: y")),
    ]
}

#[rustfmt::skip]
fn regular_fields(good: &Good) -> Vec<(&'static str, Fields)> {
    vec![
        ("an upper-case name", good.with("X-Upper", "1")),
        ("an empty name", good.with("", "1")),
        ("a name with a space", good.with("x y", "1")),
        ("a name with a colon", good.with("x:y", "1")),
        ("a name with a line", good.with("x\r\ny", "1")),
        ("a name with NUL", good.with("x\0", "1")),
        ("a name with 8 bits", good.with(b"x\xe9", "1")),
        ("a value with a line", good.with("x", "1\r\ny: 2")),
        ("a value with a bare LF", good.with("x", "1\n2")),
        ("a value with a bare CR", good.with("x", "1\r2")),
        ("a value with NUL", good.with("x", "1\x002")),
        ("connection", good.with("connection", "close")),
        ("connection, listing", good.with("connection", "authorization")),
        ("proxy-connection", good.with("proxy-connection", "keep-alive")),
        ("keep-alive", good.with("keep-alive", "timeout=5")),
        ("transfer-encoding", good.with("transfer-encoding", "chunked")),
        ("upgrade", good.with("upgrade", "h2c")),
        ("te other than trailers", good.with("te", "gzip")),
        ("te with more than trailers", good.with("te", "trailers, gzip")),
        ("a Host that differs", good.with("host", "evil")),
        ("two Hosts", [good.with("host", "localhost"), vec![field("host", "localhost")]].concat()),
        ("a length that is short", good.with("content-length", "1")),
        ("a length that is long", good.with("content-length", "100000")),
        ("a length with a sign", good.with("content-length", "+5")),
        ("a length that is a list", good.with("content-length", "5, 5")),
        ("a length that overflows", good.with("content-length", "18446744073709551616")),
        ("two lengths", [good.with("content-length", "5"), vec![field("content-length", "6")]].concat()),
    ]
}

#[tokio::test]
async fn never_reach_ollama() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let fields = fields_of_post("/api/chat", &gateway.token());
    let good = Good(fields.iter().map(|(name, value)| field(name, value)).collect());
    let body = frame(DATA, END_STREAM, 1, chat(false).to_string().as_bytes());
    let whole = |fields: &Fields| [frame(HEADERS, END_HEADERS, 1, &block(fields)), body.clone()].concat();
    let before = asked(&ollama).len();
    for (case, fields) in [pseudo_fields(&good), regular_fields(&good)].concat() {
        let ended = say(&gateway, &whole(&fields)).await;
        assert!(
            matches!(ended, Ended::Reset | Ended::Connection | Ended::Status(400..500)),
            "{case}: {ended:?}"
        );
    }
    assert_eq!(asked(&ollama).len(), before, "{:?}", asked(&ollama).last());
    for (case, fields) in [
        ("as it is", good.0.clone()),
        ("te: trailers", good.with("te", "trailers")),
        ("the same Host", good.with("host", "localhost")),
        (
            "a fragment, which h2 drops unseen: what is judged is what is sent",
            good.instead(":path", "/api/chat#/api/tags"),
        ),
        ("the right length", good.with("content-length", chat(false).to_string().len().to_string())),
    ] {
        assert_eq!(say(&gateway, &whole(&fields)).await, Ended::Status(200), "{case}");
        assert_eq!(asked(&ollama).pop().unwrap().target, "/api/chat", "{case}");
    }
}

#[tokio::test]
async fn bodies_and_trailers_are_held_to_the_rules_too() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let body = chat(false).to_string();
    let with_length = |length: usize| {
        let length = ("content-length".to_owned(), length.to_string());
        let fields = [fields_of_post("/api/chat", &token), vec![length]].concat();
        frame(HEADERS, END_HEADERS, 1, &block(&fields))
    };
    let open = frame(HEADERS, END_HEADERS, 1, &block(&fields_of_post("/api/chat", &token)));
    let data = frame(DATA, 0, 1, body.as_bytes());
    let trailers = |fields: &[(&str, &str)]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields));
    let before = asked(&ollama).len();
    for (case, bytes) in [
        (
            "a body shorter than its length",
            [with_length(body.len() + 1), data.clone(), frame(DATA, END_STREAM, 1, &[])].concat(),
        ),
        (
            "a body longer than its length",
            [with_length(body.len() - 1), data.clone(), frame(DATA, END_STREAM, 1, b" ")].concat(),
        ),
        ("a length and no body", frame(HEADERS, END_HEADERS | END_STREAM, 1, &with_length(5)[9..])),
        ("trailers in upper case", [open.clone(), data.clone(), trailers(&[("X-Upper", "1")])].concat()),
        (
            "trailers of the connection",
            [open.clone(), data.clone(), trailers(&[("transfer-encoding", "chunked")])].concat(),
        ),
        (
            "trailers that do not end it",
            [open.clone(), data.clone(), frame(HEADERS, END_HEADERS, 1, &block(&[("x", "y")]))].concat(),
        ),
        ("a body that is reset", [open.clone(), data.clone(), reset(1), frame(SETTINGS, 0, 1, &[])].concat()),
    ] {
        let ended = say(&gateway, &bytes).await;
        assert!(
            matches!(ended, Ended::Reset | Ended::Connection | Ended::Status(400..500)),
            "{case}: {ended:?}"
        );
    }
    assert_eq!(asked(&ollama).len(), before, "{:?}", asked(&ollama).last());
    // h2 drops pseudo fields of trailers unseen; like all trailers, they mean nothing and go nowhere.
    for more in [("x-checksum", "1"), ("authorization", "x"), (":path", "/api/tags")] {
        let bytes = [open.clone(), data.clone(), trailers(&[more])].concat();
        assert_eq!(say(&gateway, &bytes).await, Ended::Status(200), "{more:?}");
        let seen = asked(&ollama).pop().unwrap();
        assert_eq!((seen.target.as_str(), seen.headers.len()), ("/api/chat", 3), "{seen:?}");
    }
}
