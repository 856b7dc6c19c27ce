//! The accept loop of one runtime: a cap on connections, and a task for each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::serve::Server;
use super::socket::Socket;
use crate::drain::Phase;

/// File descriptors one connection may need: its own and one upstream.
const DESCRIPTORS_EACH: u64 = 2;
/// Descriptors kept for everything else: listeners, store, key sets, pooled upstream connections.
const DESCRIPTORS_KEPT: u64 = 256;

/// Raises the file-descriptor limit and returns how many connections it allows, at most `wanted`.
pub fn connection_cap(wanted: usize) -> Arc<Semaphore> {
    let needed = wanted as u64 * DESCRIPTORS_EACH + DESCRIPTORS_KEPT;
    let granted = rlimit::increase_nofile_limit(needed).unwrap_or(1024);
    let possible = (granted.saturating_sub(DESCRIPTORS_KEPT) / DESCRIPTORS_EACH) as usize;
    if possible < wanted {
        tracing::warn!(wanted, possible, granted, "the file-descriptor limit lowers listen.connections");
    }
    Arc::new(Semaphore::new(possible.clamp(1, wanted)))
}

/// Accepts until the process closes for good, then waits for the connections it made; at the deadline they are cut. While
/// an order keeps it closed it goes on accepting: who comes is told so, and it may serve again.
pub async fn serve(server: Arc<Server>, listener: TcpListener) {
    Socket::prepare(&listener);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.shared.drain.reached_for_good(Phase::Closing) => break,
        };
        match accepted {
            Ok((stream, peer)) => match server.connections.clone().try_acquire_owned() {
                Ok(place) => {
                    let one = server.clone().connection(stream, peer, place);
                    server.shared.tasks.spawn(connections.track_future(one));
                }
                Err(_) => server.shared.metrics.refused_connection(), // closed by its drop
            },
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// A connection that died before we took it is nothing; anything else (no descriptors, no memory) needs a moment.
async fn pause_after(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
