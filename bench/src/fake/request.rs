//! Just enough HTTP/1.1 to read what a proxy sends: a head with a `Content-Length`, and a body.

use std::io;

use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::Scene;

/// Room for a read.
const READ: usize = 16 << 10;

/// What a request wants.
pub enum Wanted {
    /// The list at this path, or whatever else is asked without a scene.
    Page(&'static str),
    /// An answer of a model.
    Scene {
        /// Which.
        scene: Scene,
        /// The number in its prompt (`#00000001`), if it has one.
        number: Option<u64>,
    },
}

/// Bytes read and not yet used.
#[derive(Default)]
pub struct Inbox(Vec<u8>);

impl Inbox {
    /// The next request; `None` when the connection has ended.
    ///
    /// # Errors
    /// What the socket says, and a request without a length that has a body.
    pub async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Wanted>> {
        let head = loop {
            if let Some(end) = memmem::find(&self.0, b"\r\n\r\n") {
                break end + 4;
            }
            if self.more(stream, READ).await? == 0 {
                return Ok(None);
            }
        };
        let whole = head + length(&self.0[..head])?;
        while self.0.len() < whole {
            if self.more(stream, (whole - self.0.len()).max(READ)).await? == 0 {
                return Ok(None);
            }
        }
        let wanted = wanted(&self.0[..head], &self.0[head..whole]);
        self.0.drain(..whole);
        Ok(Some(wanted))
    }

    async fn more(&mut self, stream: &mut TcpStream, room: usize) -> io::Result<usize> {
        self.0.reserve(room);
        stream.read_buf(&mut self.0).await
    }
}

fn length(head: &[u8]) -> io::Result<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).map_err(io::Error::other)?;
    let field = |name: &str| request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    if field("transfer-encoding").is_some() {
        return Err(io::Error::other("a chunked request body: no proxy here should send one"));
    }
    let Some(length) = field("content-length") else { return Ok(0) };
    std::str::from_utf8(length.value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(io::ErrorKind::InvalidData.into())
}

fn wanted(head: &[u8], body: &[u8]) -> Wanted {
    let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match path {
        b"/api/ps" => return Wanted::Page("/api/ps"),
        b"/api/tags" => return Wanted::Page("/api/tags"),
        b"/api/version" => return Wanted::Page("/api/version"),
        b"/api/chat" => {}
        _ => return Wanted::Page("load"),
    }
    // The model stands before the prompt, so a long one is not searched.
    let at = memmem::find(body, b"bench-").unwrap_or(body.len());
    let scene = Scene::ALL.into_iter().find(|scene| body[at..].starts_with(scene.model().as_bytes()));
    match scene {
        Some(scene) => Wanted::Scene { scene, number: number(&body[at..body.len().min(at + 256)]) },
        None => Wanted::Page("load"),
    }
}

fn number(body: &[u8]) -> Option<u64> {
    let at = memchr::memchr(b'#', body)? + 1;
    std::str::from_utf8(body.get(at..at + 8)?).ok()?.parse().ok()
}
