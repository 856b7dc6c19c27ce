//! A table that answers what a script says, on a real socket: what is sent, what is tried again and how long it takes is
//! then the real client's doing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the table does with one request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Answers 200 with this body.
    Done(&'static str),
    /// Answers with this status, error code and further fields.
    Error(u16, &'static str, &'static str),
    /// Answers 200 with what it makes of the requests so far, this one included.
    Told(fn(&[serde_json::Value]) -> String),
    /// Never answers.
    Stall,
    /// Closes the connection without an answer.
    Cut,
}

/// A running table. Stops when it is dropped.
pub(super) struct Scripted {
    pub(super) endpoint: String,
    seen: Arc<Mutex<Vec<serde_json::Value>>>,
    _serving: JoinSet<()>,
}

impl Scripted {
    /// One that plays `acts` in turn; the last one again and again.
    pub(super) async fn play(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, acts.clone(), noted.clone()));
            }
        });
        Self { endpoint, seen, _serving: serving }
    }

    /// The bodies of the requests so far.
    pub(super) fn seen(&self) -> Vec<serde_json::Value> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    acts: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<serde_json::Value>>>,
) {
    while let Some(body) = request(&mut stream).await {
        seen.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        let act = {
            let mut acts = acts.lock().unwrap();
            if acts.len() > 1 { acts.pop_front() } else { acts.front().cloned() }
        };
        let (status, body) = match act.expect("a script") {
            Act::Done(body) => (200, body.to_owned()),
            Act::Error(status, code, more) => (
                status,
                format!(
                    r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"scripted"{more}}}"#
                ),
            ),
            Act::Told(body) => (200, body(&seen.lock().unwrap())),
            Act::Stall => std::future::pending().await,
            Act::Cut => return,
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}
