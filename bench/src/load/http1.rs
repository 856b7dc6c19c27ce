//! HTTP/1.1 over a raw socket, with TLS or without.

use std::io;

use memchr::memmem;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Fault;
use super::decode::Body;
use super::prompt::Prompt;
use super::tally::Tally;
use crate::proxy::Target;

/// Room for one read: a whole TLS record.
const READ: usize = 16 << 10;

/// Bytes both ways.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection. Dropped, its socket closes at once.
pub struct Http1 {
    wire: Box<dyn Wire>,
    inbox: Vec<u8>,
}

/// Connects; `receive` bounds what the kernel keeps of what is not read.
///
/// # Errors
/// What the socket says.
pub async fn connect(target: &Target, receive: Option<u32>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    // The port is free again at once: tens of thousands of connections within a minute would use them up.
    SockRef::from(&stream).set_reuse_address(true)?;
    Ok(stream)
}

/// Wraps a connection in TLS.
///
/// # Errors
/// A failed handshake.
pub async fn secure(
    stream: TcpStream,
    tls: &TlsConnector,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    tls.connect(name, stream).await
}

impl Http1 {
    /// Opens one.
    ///
    /// # Errors
    /// As [`connect`] and [`secure`].
    pub async fn open(
        target: &Target,
        tls: Option<&TlsConnector>,
        receive: Option<u32>,
    ) -> Result<Self, Fault> {
        let opening = async {
            let stream = connect(target, receive).await?;
            let wire: Box<dyn Wire> = match tls {
                Some(tls) => Box::new(secure(stream, tls).await?),
                None => Box::new(stream),
            };
            Ok(Self { wire, inbox: Vec::new() })
        };
        opening.await.map_err(|error: io::Error| Fault::failed("connecting", error))
    }

    /// Sends a request and reads nothing.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn send(&mut self, prompt: &Prompt) -> Result<(), Fault> {
        let sent = async {
            self.wire.write_all(&prompt.whole).await?;
            self.wire.flush().await
        };
        sent.await.map_err(|error| Fault::failed("sending", error))
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// Another status than 200, or no HTTP.
    pub async fn head(&mut self) -> Result<Body, Fault> {
        let end = loop {
            if let Some(end) = memmem::find(&self.inbox, b"\r\n\r\n") {
                break end + 4;
            }
            match self.more().await {
                Ok(0) => return Err(Fault::failed("waiting", "closed before an answer")),
                Ok(_) => {}
                Err(error) => return Err(Fault::failed("waiting", error)),
            }
        };
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut fields);
        answer.parse(&self.inbox[..end]).map_err(|error| Fault::failed("the head", error))?;
        if answer.code != Some(200) {
            let shown = String::from_utf8_lossy(&self.inbox).into_owned();
            return Err(Fault::failed("answered", shown));
        }
        let length = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
        self.inbox.drain(..end);
        Ok(length.map_or(Body::Chunked(0), Body::Length))
    }

    /// Reads once and shows the payload to `tally`; false at the end of the body.
    ///
    /// # Errors
    /// A body that breaks off.
    pub async fn some(&mut self, body: &mut Body, tally: &mut Tally) -> Result<bool, Fault> {
        loop {
            let used = body.decode(&self.inbox, |payload| tally.take(payload)).map_err(Fault::short)?;
            self.inbox.drain(..used);
            if matches!(body, Body::Done) {
                return Ok(false);
            }
            if used > 0 {
                return Ok(true);
            }
            match self.more().await {
                Ok(0) => return Err(Fault::short("closed within an answer")),
                Ok(_) => {}
                Err(error) => return Err(Fault::short(error)),
            }
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.inbox.reserve(READ);
        self.wire.read_buf(&mut self.inbox).await
    }
}
