//! One connection: handshake, then HTTP/1.1 or HTTP/2 under limits, until it ends, its client goes, or we drain.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::clock::{Clocked, ConnectionClock};
use super::linger::linger;
use super::socket::Socket;
use crate::drain::Phase;
use crate::process::Shared;
use crate::request::Journey;
use crate::stack::stack;

/// How long an HTTP/2 connection that must end may take to say so: a round trip, if there is anybody.
const GOODBYE: Duration = Duration::from_secs(1);
/// HTTP/2 flow control for request bodies: a stream may send this much unread, a connection four times that.
const H2_WINDOW: u32 = 256 << 10;
/// What hyper may hold for a slow HTTP/2 reader, per stream.
const H2_SEND_BUFFER: usize = 64 << 10;
/// Encrypted bytes that may wait for a slow reader: one record.
const TLS_BUFFER: usize = 16 << 10;
/// A silent HTTP/2 client is asked for a sign of life this often, and has as long to give it.
const H2_PING: Duration = Duration::from_secs(30);

/// What serves the connections of one runtime.
pub struct Server {
    /// What all runtimes share.
    pub shared: Arc<Shared>,
    /// What requests of this runtime go through.
    pub journey: Arc<Journey>,
    /// The handshake.
    pub tls: TlsAcceptor,
    /// Places for connections, shared by all runtimes.
    pub connections: Arc<Semaphore>,
}

/// What a request may know of the connection it came on.
pub struct Connection {
    /// The other end of the socket: a client, or a load balancer.
    pub peer: SocketAddr,
    /// The clock that may end it.
    pub clock: Arc<ConnectionClock>,
    /// Is it HTTP/2? Then a stalled stream must not end its siblings.
    pub h2: bool,
}

impl Server {
    /// Serves one accepted socket to its end.
    pub async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        let _open = self.shared.metrics.connection_opened();
        let _place = place;
        let socket = Socket::new(stream);
        let handshake = Box::pin(self.tls.accept(socket.clone())); // boxed: a connection lives longer than its handshake
        let Ok(Ok(mut tls)) =
            tokio::time::timeout(self.shared.config.limits.handshake_seconds, handshake).await
        else {
            self.shared.metrics.failed_handshake();
            return;
        };
        tls.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
        let h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let (clock, _watched) =
            ConnectionClock::start(&self.shared.config.limits, &self.journey.core.sweeper);
        let connection = Arc::new(Connection { peer, clock, h2 });
        if h2 {
            Box::pin(self.http2(tls, &connection)).await;
        } else {
            Box::pin(self.http1(tls, &socket, &connection)).await;
        }
    }

    async fn http1(&self, tls: TlsStream<Socket>, socket: &Socket, connection: &Arc<Connection>) {
        let limits = &self.shared.config.limits;
        let service = TowerToHyperService::new(stack(self.journey.clone(), connection.clone()));
        let io = TokioIo::new(Clocked::new(tls, connection.clock.clone()));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(None) // it would also end idle connections; the clock does both
            .max_headers(limits.headers)
            .max_buf_size(limits.header_bytes);
        let mut conn = http.serve_connection(io, service);
        let mut events = self.events(connection, Some(socket));
        let served = loop {
            tokio::select! {
                biased;
                served = poll_fn(|cx| conn.poll_without_shutdown(cx)) => break served,
                Some(event) = events.next() => match event {
                    Event::Gone | Event::Cut => return,
                    Event::Over => break Ok(()), // with a proper goodbye: silence is no attack on TLS
                    Event::Closing => std::pin::Pin::new(&mut conn).graceful_shutdown(),
                },
            }
        };
        if served.is_err_and(|error| error.is_parse()) {
            self.shared.metrics.malformed_request();
        }
        linger(conn.into_parts().io.into_inner()).await;
    }

    async fn http2(&self, tls: TlsStream<Socket>, connection: &Arc<Connection>) {
        let limits = &self.shared.config.limits;
        let service = TowerToHyperService::new(stack(self.journey.clone(), connection.clone()));
        let mut http = http2::Builder::new(Tracked(self.shared.tasks.clone()));
        http.timer(TokioTimer::new())
            .max_concurrent_streams(limits.h2_streams)
            .max_header_list_size(limits.header_bytes as u32)
            .initial_stream_window_size(H2_WINDOW)
            .initial_connection_window_size(4 * H2_WINDOW)
            .max_send_buf_size(H2_SEND_BUFFER)
            .keep_alive_interval(H2_PING)
            .keep_alive_timeout(H2_PING);
        let mut conn = pin!(http.serve_connection(TokioIo::new(tls), service));
        let mut events = self.events(connection, None);
        loop {
            tokio::select! {
                biased;
                _ = &mut conn => return,
                Some(event) = events.next() => match event {
                    Event::Gone | Event::Cut => return,
                    Event::Over => {
                        conn.as_mut().graceful_shutdown();
                        let _ = tokio::time::timeout(GOODBYE, conn).await;
                        return;
                    }
                    Event::Closing => conn.as_mut().graceful_shutdown(),
                },
            }
        }
    }

    /// What may happen to a connection from outside. A set of futures, since it polls only those that were woken: a
    /// token that passes costs no look at the clock, the drain and the socket.
    fn events<'a>(
        &'a self,
        connection: &'a Connection,
        socket: Option<&'a Socket>,
    ) -> FuturesUnordered<BoxFuture<'a, Event>> {
        let drain = &self.shared.drain;
        let events = FuturesUnordered::<BoxFuture<'a, Event>>::new();
        events.push(Box::pin(connection.clock.over().map(|()| Event::Over)));
        events.push(Box::pin(drain.closes().map(|()| Event::Closing)));
        events.push(Box::pin(drain.reached(Phase::Over).map(|()| Event::Cut)));
        if let Some(socket) = socket {
            events.push(Box::pin(socket.closed_by_peer().map(|()| Event::Gone)));
        }
        events
    }
}

/// What may happen to a connection from outside.
enum Event {
    /// The client has closed its side.
    Gone,
    /// A limit of time has passed.
    Over,
    /// The process closes: finish, and take nothing new.
    Closing,
    /// The process has left.
    Cut,
}

/// Spawns HTTP/2 streams where draining waits for them.
#[derive(Clone)]
struct Tracked(fleet::shutdown::Tasks);

impl<F> Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
