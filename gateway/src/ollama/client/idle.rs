//! Connections that wait for their next request.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Upstream;
use super::wire::Wire;

/// Idle connections kept per upstream and runtime.
const KEPT: usize = 64;
/// How long one is kept. Peers come and go, and one that vanishes without a word leaves sockets that look open.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The idle connections of one runtime. A peer with another certificate is another upstream.
#[derive(Default)]
pub(super) struct Idle {
    kept: HashMap<Upstream, Vec<(Instant, Wire)>>,
    swept: Option<Instant>,
}

impl Idle {
    /// Takes the connection that was used last, of those that are still open.
    pub(super) fn take(&mut self, upstream: &Upstream) -> Option<Wire> {
        let kept = self.kept.get_mut(upstream)?;
        while let Some((_, mut wire)) = kept.pop() {
            if wire.is_quiet() {
                return Some(wire);
            }
        }
        None
    }

    /// Keeps a connection, from `now` on.
    pub(super) fn keep(&mut self, upstream: &Upstream, wire: Wire, now: Instant) {
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= KEPT_FOR) {
            self.sweep(now);
        }
        let kept = self.kept.entry(upstream.clone()).or_default();
        if kept.len() < KEPT {
            kept.push((now, wire));
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.swept = Some(now);
        self.kept.retain(|_, kept| {
            kept.retain(|(since, _)| now.saturating_duration_since(*since) < KEPT_FOR);
            !kept.is_empty()
        });
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.kept.values().map(Vec::len).sum()
    }
}
