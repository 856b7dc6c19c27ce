//! Our connections to Ollama and to peers: one request, one answer, read in the task that writes it to the client.
//!
//! Not a pooled client with channels between: each chunk would cross two tasks and leave as a write of its own, and
//! a cancelled request would be closed some time later by somebody else. Here the answer owns its socket, reads into
//! a scratch buffer of the thread (an idle stream holds none), and dropping it closes the upstream at once.

mod wire;
mod pinned;
mod idle;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};

use self::idle::Idle;
use self::wire::Wire;
use super::framing::{Framing, Head};

/// How long a connection to an upstream may take, its handshake included; it is on this machine or in this zone.
const CONNECT: Duration = Duration::from_secs(3);
/// Bytes read ahead of the client, and the most one read brings: one record of TLS. hyper queues two more.
const READ_AHEAD: usize = 16 << 10;
/// What the kernel may hold of an answer nobody takes; the engine is held back behind it.
const RECEIVE_BUFFER: u32 = 64 << 10;
/// The largest answer head taken.
const HEAD_BYTES: usize = 64 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_AHEAD]);
}

/// Where an Ollama listens, or a peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// `host:port`, also sent as `Host`: Ollama on loopback refuses other names.
    authority: Arc<str>,
    /// A peer: the SHA-256 of its certificate. So a peer with a new certificate is another upstream, and nothing goes
    /// over connections to the old one.
    pin: Option<[u8; 32]>,
}

impl Upstream {
    /// Reads `http://host:port`; the configuration check has already refused anything else.
    pub fn of_url(url: &str) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        Self { authority: authority.into(), pin: None }
    }

    /// A peer at `address` (`host:port`), reached over TLS 1.3 if it has exactly the certificate whose DER has this
    /// SHA-256.
    pub fn pinned(address: &str, certificate_sha256: [u8; 32]) -> Self {
        Self { authority: address.into(), pin: Some(certificate_sha256) }
    }
}

/// Why there is no (further) answer. None of it reaches a caller as it stands: it names inner addresses.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or not in time, or not to the end of the request, or with another certificate. No work
    /// was done.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke before the first byte of an answer.
    #[error("the connection broke before an answer: {0}")]
    Unanswered(io::Error),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    BrokeOff(io::Error),
    /// What came is no HTTP, or too large.
    #[error("not a usable HTTP answer: {0}")]
    Protocol(&'static str),
}

/// One request to an upstream: the literal path of our table, one body, nothing of the client's head.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// A JSON body, sent with its `Content-Length`: behind a chunked one Ollama does not see us go.
    pub body: Option<Bytes>,
    /// Further fields, of our own making: what a peer wants to know ([`crate::trust::Trust::vouch`]).
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Outgoing {
    fn head(&self, upstream: &Upstream) -> Bytes {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, upstream.authority);
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        let mut head = head.into_bytes();
        for (name, value) in &self.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        Bytes::from(head)
    }
}

/// The upstream connections of one runtime.
#[derive(Clone, Default)]
pub struct Client {
    idle: Arc<Mutex<Idle>>,
}

/// An answer whose head has come.
pub struct Answer {
    /// Status of the answer.
    pub status: StatusCode,
    /// Its `Content-Type`; no other field of the upstream is passed on.
    pub content_type: Option<Bytes>,
    /// Its `Content-Length`.
    pub length: Option<u64>,
    /// Its `Retry-After`, where that is a count of seconds: how long a peer that refuses asks us to wait.
    pub retry_after: Option<Duration>,
    /// Its `X-Queue-Wait-Ms`: how long the request waited at a peer.
    pub queue_wait: Option<Duration>,
    /// The rest.
    pub body: AnswerBody,
}

/// An answer's body, and the socket it comes from. Dropped before its end, it closes the socket.
pub struct AnswerBody {
    stream: Option<Wire>,
    /// Bytes that came with the head.
    rest: Bytes,
    framing: Framing,
    reusable: bool,
    client: Client,
    upstream: Upstream,
}

impl Answer {
    /// An answer that this process writes itself: what comes out of `written`, to its end. It is relayed like any other.
    pub fn written(written: DuplexStream) -> Self {
        Self::ours(Some(Wire::Ours(written)), Framing::until_close(), None)
    }

    /// An answer of this process that is here as a whole; without a body where `json` is empty.
    pub fn whole(json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let kind = (!json.is_empty()).then_some(Bytes::from_static(b"application/json"));
        Self::ours(None, Framing::done(), kind).with_body(json)
    }

    fn ours(stream: Option<Wire>, framing: Framing, content_type: Option<Bytes>) -> Self {
        let upstream = Upstream { authority: "".into(), pin: None };
        let body = AnswerBody {
            stream,
            rest: Bytes::new(),
            framing,
            reusable: false,
            client: Client::default(),
            upstream,
        };
        Self { status: StatusCode::OK, content_type, length: None, retry_after: None, queue_wait: None, body }
    }

    /// The same answer with another body, all of which is here.
    pub fn with_body(mut self, bytes: Bytes) -> Self {
        self.body.framing = Framing::of_length(bytes.len() as u64);
        self.length = self.body.framing.length();
        self.body.rest = bytes;
        self.body.stream = None;
        self
    }
}

/// What one poll of a body brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Bytes, handed to the sink.
    Data,
    /// The proper end.
    End,
}

impl Client {
    /// Sends a request and waits for the head of its answer, however long that takes: Ollama says nothing before
    /// the first token. Dropping the future closes the connection.
    ///
    /// # Errors
    /// As [`ClientError`]; a kept connection that turns out dead is replaced once, unseen, as long as no work can have
    /// been done: nothing is sent twice that was sent whole, but for reading a list.
    pub async fn send(&self, upstream: &Upstream, request: &Outgoing) -> Result<Answer, ClientError> {
        if let Some(stream) = self.take_idle(upstream) {
            match self.exchange(stream, upstream, request).await {
                Err(ClientError::Connect(_)) => {}
                Err(ClientError::Unanswered(_)) if request.body.is_none() => {}
                result => return result,
            }
        }
        let connecting = tokio::time::timeout(CONNECT, Wire::connect(upstream)).await;
        let stream =
            connecting.unwrap_or(Err(io::ErrorKind::TimedOut.into())).map_err(ClientError::Connect)?;
        self.exchange(stream, upstream, request).await
    }

    async fn exchange(
        &self,
        mut stream: Wire,
        upstream: &Upstream,
        request: &Outgoing,
    ) -> Result<Answer, ClientError> {
        let body = request.body.clone().unwrap_or_default();
        let mut bytes = request.head(upstream).chain(body);
        while bytes.has_remaining() {
            stream.write_buf(&mut bytes).await.map_err(ClientError::Connect)?;
        }
        stream.flush().await.map_err(ClientError::Connect)?; // TLS may still hold the end of it
        let (head, rest) = read_head(&mut stream).await?;
        Ok(Answer {
            status: head.status,
            content_type: head.content_type,
            length: head.framing.length(),
            retry_after: head.retry_after,
            queue_wait: head.queue_wait,
            body: AnswerBody {
                stream: Some(stream),
                rest,
                framing: head.framing,
                reusable: head.keep_alive,
                client: self.clone(),
                upstream: upstream.clone(),
            },
        })
    }

    fn take_idle(&self, upstream: &Upstream) -> Option<Wire> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take(upstream)
    }

    fn keep(&self, upstream: &Upstream, stream: Wire) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).keep(upstream, stream, Instant::now());
    }
}

async fn read_head(stream: &mut Wire) -> Result<(Head, Bytes), ClientError> {
    let mut bytes = BytesMut::new();
    loop {
        let n = poll_fn(|cx| poll_scratch(stream, cx, |read| bytes.extend_from_slice(read)))
            .await
            .map_err(ClientError::Unanswered)?;
        if n == 0 {
            return Err(ClientError::Unanswered(io::ErrorKind::UnexpectedEof.into()));
        }
        while let Some((head, length)) = Head::parse(&bytes)? {
            bytes.advance(length);
            if !head.status.is_informational() {
                return Ok((head, bytes.freeze()));
            }
        }
        if bytes.len() > HEAD_BYTES {
            return Err(ClientError::Protocol("the head is too large"));
        }
    }
}

/// Reads once into the thread's scratch buffer and shows the bytes to `sink`; 0 is the end.
fn poll_scratch(
    stream: &mut Wire,
    cx: &mut Context<'_>,
    sink: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        sink(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

impl AnswerBody {
    /// Reads what is there, at most once, and shows the payload to `sink`.
    ///
    /// # Errors
    /// When the answer breaks off or is no HTTP; poll no further then.
    pub fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        mut sink: impl FnMut(&[u8]),
    ) -> Poll<Result<More, ClientError>> {
        if self.framing.is_done() {
            return Poll::Ready(Ok(self.end()));
        }
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            let decoded = self.framing.decode(&rest, &mut sink);
            return Poll::Ready(self.after(decoded));
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(More::End)) };
        let framing = &mut self.framing;
        let mut decoded = Ok(());
        let n = ready!(poll_scratch(stream, cx, |read| decoded = framing.decode(read, &mut sink)));
        match n {
            Err(error) => Poll::Ready(Err(ClientError::BrokeOff(error))),
            Ok(0) if self.framing.ends_with_close() => {
                self.framing = Framing::done();
                self.reusable = false;
                Poll::Ready(Ok(self.end()))
            }
            Ok(0) => Poll::Ready(Err(ClientError::BrokeOff(io::ErrorKind::UnexpectedEof.into()))),
            Ok(_) => Poll::Ready(self.after(decoded)),
        }
    }

    fn after(&mut self, decoded: Result<(), &'static str>) -> Result<More, ClientError> {
        decoded.map_err(ClientError::Protocol)?;
        if self.framing.is_done() {
            self.end();
        }
        Ok(More::Data)
    }

    /// The body is whole: its connection may serve again.
    fn end(&mut self) -> More {
        if let Some(stream) = self.stream.take()
            && self.reusable
            && !self.framing.had_excess()
        {
            self.client.keep(&self.upstream, stream);
        }
        More::End
    }

    /// Has the proper end been read? Whoever told its length ahead is not asked for more after that many bytes.
    pub fn is_done(&self) -> bool {
        self.framing.is_done()
    }

    /// Reads the body to its end, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::poll_more`], and for a larger body.
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes, ClientError> {
        let mut whole = BytesMut::new();
        loop {
            let more = poll_fn(|cx| self.poll_more(cx, |bytes| whole.extend_from_slice(bytes))).await?;
            if more == More::End {
                return Ok(whole.freeze());
            }
            if whole.len() > limit {
                return Err(ClientError::Protocol("the body is too large"));
            }
        }
    }
}
