//! A client that sends exactly the bytes it is told, and says how the answer was framed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub framing: &'static str,
    pub body: Vec<u8>,
    pub closed: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a head (lines parted by `\n`) and the pieces of a body, and reads one answer.
pub async fn exchange(to: SocketAddr, head: &str, pieces: &[Vec<u8>]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let mut first = (head.replace('\n', "\r\n") + "\r\n\r\n").into_bytes();
    first.extend(pieces.first().cloned().unwrap_or_default());
    // A server that refuses a long head closes before it has read it all.
    let _ = stream.write_all(&first).await;
    for piece in pieces.iter().skip(1) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(piece).await.unwrap();
    }
    let mut reader = Reader { stream, buffer: Vec::new(), ended: false };
    reader.answer(head).await
}

/// A JSON request, sent on a connection of its own and left to the caller: dropping it hangs up.
pub async fn send(to: SocketAddr, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// A JSON request and its answer.
pub async fn post(to: SocketAddr, path: &str, body: &str) -> Answer {
    let head = format!("POST {path} HTTP/1.1\nHost: localhost\nContent-Length: {}", body.len());
    exchange(to, &head, &[body.as_bytes().to_vec()]).await
}

/// A request without a body and its answer.
pub async fn get(to: SocketAddr, path: &str) -> Answer {
    exchange(to, &format!("GET {path} HTTP/1.1\nHost: localhost"), &[]).await
}

struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
    ended: bool,
}

impl Reader {
    async fn more(&mut self) -> bool {
        let mut piece = vec![0; 65536];
        let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut piece)).await;
        let count = read.expect("an answer within 20 s").unwrap_or(0);
        self.buffer.extend_from_slice(&piece[..count]);
        self.ended = count == 0;
        !self.ended
    }

    async fn until(&mut self, mark: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return self.buffer.drain(..at + mark.len()).collect();
            }
            if !self.more().await {
                return std::mem::take(&mut self.buffer);
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.more().await {}
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count).collect()
    }

    async fn answer(&mut self, asked: &str) -> Answer {
        let mut answer = Answer::default();
        while answer.status < 200 {
            let head = String::from_utf8(self.until(b"\r\n\r\n").await).unwrap();
            let mut lines = head.trim_end().split("\r\n");
            answer.status = lines.next().unwrap().split(' ').nth(1).unwrap_or("0").parse().unwrap();
            let header = |line: &str| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_owned(), value.trim().to_owned())
            };
            answer.headers = lines.map(header).collect();
        }
        self.body(asked, &mut answer).await;
        let mut byte = [0];
        let says_so = answer.header("connection") == Some("close") || asked.contains("HTTP/1.0");
        let patience = Duration::from_millis(if says_so { 2000 } else { 5 });
        let after = tokio::time::timeout(patience, self.stream.read(&mut byte)).await;
        answer.closed = self.ended || !matches!(after, Ok(Ok(1)) | Err(_));
        answer
    }

    async fn body(&mut self, asked: &str, answer: &mut Answer) {
        if asked.starts_with("HEAD ") || matches!(answer.status, 204 | 304) {
            answer.framing = "none";
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.framing = "chunked";
            loop {
                let line = String::from_utf8(self.until(b"\r\n").await).unwrap();
                let size = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
                let data = self.exactly(size + 2).await;
                if size == 0 {
                    return;
                }
                answer.body.extend_from_slice(&data[..size]);
            }
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.framing = "content-length";
            answer.body = self.exactly(length).await;
        } else {
            answer.framing = "close";
            while self.more().await {}
            answer.body = std::mem::take(&mut self.buffer);
        }
    }
}
