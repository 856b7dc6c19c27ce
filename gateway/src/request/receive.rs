//! Reading a request's body: bounded in size, in silence and in rate, and never before its sender is known.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::limit::{Bodies, BodyHold};
use crate::config::settings::Limits;
use crate::error::Refusal;

/// Set aside for a body whose length is claimed and whose bytes have not come: a claim alone gets no more.
const MOST_AHEAD: usize = 1 << 20;

/// Reads the whole body.
///
/// # Errors
/// 413 (before a byte is read where `Content-Length` tells), 415, 408, 400 for a body that breaks off, 503 where all
/// bodies together are over `queue.bytes`.
pub async fn receive(
    headers: &HeaderMap,
    mut body: Incoming,
    most: u64,
    limits: &Limits,
    bodies: &Arc<Bodies>,
) -> Result<(Bytes, BodyHold), Refusal> {
    let encoded = |value: &&HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if let Some(encoding) = headers.get_all(CONTENT_ENCODING).iter().find(encoded) {
        let shown = encoding.to_str().unwrap_or("?").chars().take(20).collect();
        return Err(Refusal::Encoding(shown));
    }
    let claimed = headers.get(CONTENT_LENGTH).and_then(length).unwrap_or(0);
    if claimed > most {
        return Err(Refusal::BodyTooLarge(most));
    }
    let mut whole = Gathered::default();
    let mut hold = bodies.reserve(0)?;
    let mut pace = Pace::start(limits);
    while let Some(frame) = pace.within(body.frame()).await? {
        let frame = frame.map_err(|_| Refusal::Invalid("the request body broke off".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue }; // trailers mean nothing here
        if (whole.len() + data.len()) as u64 > most {
            return Err(Refusal::BodyTooLarge(most));
        }
        hold.grow(data.len() as u64)?;
        pace.came(data.len());
        whole.add(data, claimed);
    }
    Ok((whole.finish(), hold))
}

fn length(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// A body as it comes. One piece, as most are, is taken as it is; only a second one makes a copy.
#[derive(Default)]
struct Gathered {
    only: Bytes,
    more: BytesMut,
}

impl Gathered {
    fn len(&self) -> usize {
        self.only.len() + self.more.len()
    }

    /// `claimed`: the whole length, if the sender told the truth.
    fn add(&mut self, piece: Bytes, claimed: u64) {
        if self.len() == 0 {
            self.only = piece;
            return;
        }
        if self.more.is_empty() {
            self.more.reserve(usize::try_from(claimed).unwrap_or(MOST_AHEAD).min(MOST_AHEAD));
            self.more.extend_from_slice(&std::mem::take(&mut self.only));
        }
        self.more.extend_from_slice(&piece);
    }

    fn finish(self) -> Bytes {
        if self.more.is_empty() { self.only } else { self.more.freeze() }
    }
}

/// The least a sender must do: something within the window, and the minimum rate over each window.
struct Pace {
    window: Duration,
    per_window: u64,
    ends: Instant,
    came: u64,
}

impl Pace {
    fn start(limits: &Limits) -> Self {
        let window = limits.body_idle_seconds;
        let per_window = (limits.body_bytes_per_second as f64 * window.as_secs_f64()) as u64;
        Self { window, per_window, ends: Instant::now() + window, came: 0 }
    }

    async fn within<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Refusal> {
        timeout_at(self.ends, next).await.map_err(|_| Refusal::BodyTooSlow)
    }

    /// A window that has brought its share makes room for the next; one that has not runs out.
    fn came(&mut self, bytes: usize) {
        self.came += bytes as u64;
        if self.came >= self.per_window {
            self.came = 0;
            self.ends = Instant::now() + self.window;
        }
    }
}
