//! The socket under one connection: it keeps every byte read from it, and can cut the answer after so many bytes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How a cut connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// FIN: the peer reads an end of file.
    Close,
    /// RST: the peer reads "connection reset".
    Reset,
}

#[derive(Default)]
struct State {
    read: Vec<u8>,
    taken: usize,
    cut: Option<(usize, Ending)>,
}

/// What the request handler sees of its connection.
#[derive(Clone)]
pub(super) struct Wire {
    state: Arc<Mutex<State>>,
    recording: bool,
}

impl Wire {
    /// Lets `bytes` more bytes out, then ends the connection.
    pub(super) fn cut_after(&self, bytes: usize, ending: Ending) {
        self.lock().cut = Some((bytes, ending));
    }

    /// The bytes read since the last call: those of one request, as long as its client does not pipeline.
    pub(super) fn take(&self) -> Bytes {
        let mut state = self.lock();
        let fresh = Bytes::copy_from_slice(&state.read[state.taken..]);
        state.taken = state.read.len();
        fresh
    }

    /// Every byte read so far.
    pub(super) fn all(&self) -> Bytes {
        Bytes::copy_from_slice(&self.lock().read)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An accepted connection with its [`Wire`].
pub(super) struct Tap {
    stream: TcpStream,
    wire: Wire,
}

impl Tap {
    /// Wraps `stream`; with `recording` off nothing is kept (a long demo would fill the memory).
    pub(super) fn new(stream: TcpStream, recording: bool) -> (Self, Wire) {
        let wire = Wire { state: Arc::default(), recording };
        (Self { stream, wire: wire.clone() }, wire)
    }

    /// The bytes that may still go out: `None` without a cut, an error once the cut is reached.
    fn allowance(&self) -> io::Result<Option<usize>> {
        match self.wire.lock().cut {
            None => Ok(None),
            Some((0, ending)) => {
                if ending == Ending::Reset {
                    self.stream.set_zero_linger()?;
                }
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some((left, _)) => Ok(Some(left)),
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if self.wire.recording && polled.is_ready() {
            self.wire.lock().read.extend_from_slice(&buffer.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let Some(left) = self.allowance()? else {
            return Pin::new(&mut self.stream).poll_write(cx, data);
        };
        let polled = Pin::new(&mut self.stream).poll_write(cx, &data[..data.len().min(left)]);
        if let (Poll::Ready(Ok(written)), Some((left, _))) = (&polled, &mut self.wire.lock().cut) {
            *left = left.saturating_sub(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.allowance()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
