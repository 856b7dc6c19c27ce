//! One simulated node: boots, shares itself between its streams, drains.

use crate::decide::observation::{NodeId, Phase, Tokens};
use crate::{Seconds, Work};

/// Every further stream slows each one by this share of its speed alone: four streams do 2.1 times the work of one,
/// as batching measurements of llama.cpp suggest (2.8 times on faster memory).
const SHARING: f64 = 0.3;

/// How fast each of `k` streams runs, relative to one alone.
#[must_use]
pub fn speed(k: usize) -> f64 {
    if k == 0 { 1.0 } else { 1.0 / (1.0 + SHARING * (k - 1) as f64) }
}

#[derive(Clone, Debug)]
struct Stream {
    /// The value of the node's own clock at which it is done.
    done_at: Work,
    tokens: Tokens,
}

/// A node. Its own clock counts the work each stream got so far, so that sharing needs no update per stream.
#[derive(Clone, Debug)]
pub struct SimNode {
    /// Its name.
    pub id: NodeId,
    /// The number of its launch.
    pub number: u32,
    /// Where it stands.
    pub phase: Phase,
    /// When it was launched.
    pub launched_at: Seconds,
    /// When its boot ends or ended.
    pub ready_at: Seconds,
    /// Leaves by itself as soon as it is drained (baselines); else it waits to be named.
    pub leaves: bool,
    /// Since when nothing runs on it.
    pub idle_since: Seconds,
    /// Streams run since it was launched and something was ready: a round has seen it drain.
    pub drain_seen: bool,
    /// Tokens of what finished on it.
    pub finished: Tokens,
    /// When it is told that it will be taken away; infinite: never.
    pub notice_at: Seconds,
    /// When it is taken away, whatever runs on it.
    pub taken_at: Seconds,
    clock: Work,
    clock_at: Seconds,
    streams: Vec<Stream>,
    next: Seconds,
}

impl SimNode {
    /// A node launched now, ready later.
    #[must_use]
    pub fn launched(number: u32, now: Seconds, ready_at: Seconds) -> Self {
        Self {
            id: NodeId::new(&format!("node-{number:05}")),
            number,
            phase: Phase::Booting,
            launched_at: now,
            ready_at,
            leaves: false,
            idle_since: ready_at,
            drain_seen: false,
            finished: Tokens::default(),
            notice_at: f64::INFINITY,
            taken_at: f64::INFINITY,
            clock: 0.0,
            clock_at: now,
            streams: Vec::with_capacity(4),
            next: ready_at,
        }
    }

    /// Streams on it.
    #[must_use]
    pub fn active(&self) -> usize {
        self.streams.len()
    }

    /// When something happens here next: the end of its boot or of a stream, a notice, its end.
    #[must_use]
    pub fn next(&self) -> Seconds {
        self.next.min(self.notice_at).min(self.taken_at)
    }

    /// The tokens of the streams that run.
    pub fn running(&self) -> impl Iterator<Item = Tokens> + '_ {
        self.streams.iter().map(|stream| stream.tokens)
    }

    /// Whether it is a stream or the boot that is due.
    #[must_use]
    pub fn due(&self, at: Seconds) -> bool {
        self.next <= at
    }

    fn turn(&mut self, now: Seconds) {
        self.clock += (now - self.clock_at) * speed(self.streams.len());
        self.clock_at = now;
    }

    fn plan(&mut self) {
        let first = self.streams.iter().map(|stream| stream.done_at).fold(f64::INFINITY, f64::min);
        self.next = if first.is_finite() {
            self.clock_at + (first - self.clock).max(0.0) / speed(self.streams.len())
        } else {
            f64::INFINITY
        };
    }

    /// A request begins.
    pub fn start(&mut self, now: Seconds, work: Work, tokens: Tokens) {
        self.turn(now);
        self.streams.push(Stream { done_at: self.clock + work, tokens });
        self.plan();
    }

    /// The boot ends.
    pub fn ready(&mut self, now: Seconds) {
        if self.phase == Phase::Booting {
            self.phase = Phase::Ready;
        }
        self.clock_at = now;
        self.plan();
    }

    /// The stream that is due ends; its tokens.
    pub fn finish(&mut self, now: Seconds) -> Option<Tokens> {
        self.turn(now);
        let first = self.streams.iter().enumerate().min_by(|a, b| a.1.done_at.total_cmp(&b.1.done_at))?.0;
        let stream = self.streams.swap_remove(first);
        self.clock = self.clock.max(stream.done_at);
        self.finished.prompt += stream.tokens.prompt;
        self.finished.output += stream.tokens.output;
        if self.streams.is_empty() {
            self.idle_since = now;
        }
        self.plan();
        Some(stream.tokens)
    }
}
