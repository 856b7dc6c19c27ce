//! What time costs a connection: a head must be complete in seconds, an idle connection may stay for minutes.
//!
//! hyper's own `header_read_timeout` also runs while a kept-alive connection is idle, so the two limits cannot be
//! told apart there. One sweeper per runtime looks at all connections and streams instead of a timer each.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::request::Parts;
use slab::Slab;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::request_line::RequestLine;
use crate::config::settings::Limits;

/// Something that time may end. Looked at about once a second.
pub trait Timed: Send + Sync {
    /// Acts if a limit has passed.
    fn look(&self, now: Instant);
}

/// The clock of one runtime: everything on it that time may end.
#[derive(Default)]
pub struct Sweeper {
    watched: Mutex<Slab<Weak<dyn Timed>>>,
}

/// A place in the sweeper's round; dropped, it is free again.
pub struct Watched {
    sweeper: Arc<Sweeper>,
    place: usize,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.sweeper.watched().remove(self.place);
    }
}

impl Sweeper {
    /// Watches `timed` as long as the place is kept.
    pub fn watch(self: &Arc<Self>, timed: Weak<dyn Timed>) -> Watched {
        let place = self.watched().insert(timed);
        Watched { sweeper: self.clone(), place }
    }

    fn watched(&self) -> MutexGuard<'_, Slab<Weak<dyn Timed>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at everything every `tick`, for ever.
    pub async fn run(&self, tick: Duration) {
        loop {
            tokio::time::sleep(tick).await;
            let alive: Vec<_> = self.watched().iter().filter_map(|(_, weak)| weak.upgrade()).collect();
            let now = Instant::now();
            alive.iter().for_each(|timed| timed.look(now));
        }
    }
}

/// How often a sweeper must look so that the shortest of its limits is kept to a quarter.
pub fn tick(limits: &Limits) -> Duration {
    let shortest = limits.header_seconds.min(limits.idle_seconds).min(limits.write_stall_seconds);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

/// What a connection is doing, and since when.
pub struct ConnectionClock {
    born: Instant,
    /// Milliseconds since `born` at which the present phase began.
    since: AtomicU64,
    /// Requests being served; a plain count, since HTTP/2 has many.
    open: AtomicU32,
    /// Bytes of a head have come and its request has not begun.
    in_head: std::sync::atomic::AtomicBool,
    header: Duration,
    idle: Duration,
    over: Notify,
    /// The last request line that had a `#`, up to it.
    cut_line: Mutex<Option<Vec<u8>>>,
}

impl ConnectionClock {
    /// A clock that starts idle, and its place with `sweeper`.
    pub fn start(limits: &Limits, sweeper: &Arc<Sweeper>) -> (Arc<Self>, Watched) {
        let clock = Arc::new(Self {
            born: Instant::now(),
            since: AtomicU64::new(0),
            open: AtomicU32::new(0),
            // A new connection owes its first request at once, not after the idle time.
            in_head: true.into(),
            header: limits.header_seconds,
            idle: limits.idle_seconds,
            over: Notify::new(),
            cut_line: Mutex::default(),
        });
        let weak: Weak<Self> = Arc::downgrade(&clock);
        (clock, sweeper.watch(weak))
    }

    fn mark(&self) {
        self.since.store(self.born.elapsed().as_millis() as u64, Relaxed);
    }

    /// Resolves when the connection must end.
    pub async fn over(&self) {
        self.over.notified().await;
    }

    /// Ends the connection now: its reader has stalled.
    pub fn end(&self) {
        self.over.notify_one();
    }

    /// A request has been read and is served until the guard is dropped, with the last byte of its answer.
    pub fn serving(self: &Arc<Self>) -> Serving {
        self.open.fetch_add(1, Relaxed);
        self.in_head.store(false, Relaxed);
        Serving(self.clone())
    }

    /// Is no request being served?
    pub fn is_idle(&self) -> bool {
        self.open.load(Relaxed) == 0
    }

    /// Notes that bytes came; true where they begin a head.
    fn bytes_came(&self) -> bool {
        let begins = self.is_idle() && !self.in_head.swap(true, Relaxed);
        if begins {
            self.mark();
        }
        begins
    }

    /// Did the line of this request have a fragment, which hyper has dropped?
    pub fn had_fragment(&self, head: &Parts) -> bool {
        let line = self.cut_line.lock().unwrap_or_else(PoisonError::into_inner).take();
        line.is_some_and(|line| line == format!("{} {}", head.method, head.uri).as_bytes())
    }
}

impl Timed for ConnectionClock {
    fn look(&self, now: Instant) {
        if !self.is_idle() {
            return;
        }
        let limit = if self.in_head.load(Relaxed) { self.header } else { self.idle };
        let since = self.born + Duration::from_millis(self.since.load(Relaxed));
        if now.saturating_duration_since(since) > limit {
            self.end();
        }
    }
}

/// A request being served on a connection.
pub struct Serving(Arc<ConnectionClock>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.mark();
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// A stream that tells its connection's clock when plain bytes come.
pub struct Clocked<S> {
    stream: S,
    clock: Arc<ConnectionClock>,
    line: RequestLine,
}

impl<S> Clocked<S> {
    /// Wraps a decrypted stream.
    pub fn new(stream: S, clock: Arc<ConnectionClock>) -> Self {
        Self { stream, clock, line: RequestLine::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Clocked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        let came = &buf.filled()[before..];
        if !came.is_empty() {
            if this.clock.bytes_came() {
                this.line.begin();
            }
            if let Some(line) = this.line.read(came) {
                *this.clock.cut_line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Clocked<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
