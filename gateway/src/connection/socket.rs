//! A TCP socket that two may watch: the TLS stream that reads and writes it, and the watch for its closing.
//!
//! hyper stops reading while a request is served and bytes of the next one are buffered; from then on it would not
//! see the client go. [`Socket::closed_by_peer`] sees it beside the stream, whatever bytes are waiting.

use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Unacknowledged bytes after this long mean that the client is gone: VPN clients vanish without a FIN.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// A silent client is probed after this long, then every third of it.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Bytes the kernel may hold for a slow reader; Linux doubles it. Without a cap it grows to some 4 MiB each.
const SEND_BUFFER: usize = 128 << 10;
/// Bytes it may hold unsent. A reader takes them in lumps of this size, so that a slow one is seen to take anything.
const UNSENT: u32 = 16 << 10;

/// A shared TCP socket.
#[derive(Clone)]
pub struct Socket(Arc<TcpStream>);

impl Socket {
    /// Takes a connection accepted by a prepared listener.
    pub fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }

    /// Sets the options of a listener, which every connection it accepts inherits on Linux: five system calls once
    /// instead of for each. An option the kernel refuses is no reason not to serve.
    pub fn prepare(listener: &TcpListener) {
        let socket = SockRef::from(listener);
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
        let _ = socket.set_tcp_keepalive(&keepalive);
    }

    /// Resolves when the peer has closed its side (or sent urgent data, which HTTP never does).
    pub async fn closed_by_peer(&self) {
        let _ = self.0.ready(Interest::PRIORITY).await;
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let space = buf.initialize_unfilled();
            let mut short = None;
            let read = self.0.try_io(Interest::READABLE, || {
                let n = (&*SockRef::from(&*self.0)).read(space)?;
                if 0 < n && n < space.len() {
                    // The socket is empty now: say so, which saves the next poll a system call that finds nothing.
                    short = Some(n);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(n)
            });
            match (short, read) {
                (Some(n), _) | (None, Ok(n)) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, || self.0.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, || self.0.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl Socket {
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}
