//! Closing so that the last answer arrives.
//!
//! A 413 or 401 is written while the client still sends its body. Closing the socket with unread bytes in it makes
//! the kernel send a reset, which wipes the answer out of the client's receive buffer before it is read. So: stop
//! writing, then read and drop for a while.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long, and how much, is read and dropped.
const TIME: Duration = Duration::from_secs(2);
const BYTES: u64 = 64 << 20;

/// Shuts `stream` for writing and reads what still comes, within bounds.
pub async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let drained = async {
        if stream.shutdown().await.is_ok() {
            let mut rest = stream.take(BYTES);
            let mut dropped = vec![0; 16 << 10];
            while rest.read(&mut dropped).await.is_ok_and(|n| n > 0) {}
        }
    };
    let _ = tokio::time::timeout(TIME, drained).await;
}
