//! What this process has counted since it began, for the fleet's metrics; and how many tokens a second it generates.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet::report::Counts;
use tokio::time::Instant;

/// How far back "lately" reaches: an observation this old counts for a third.
const LATELY: Duration = Duration::from_secs(15);

/// Cumulative counts; they only grow. Of requests for an answer of a model: health checks and lists, which come by the
/// clock and cost nothing, would drown them.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    generated: AtomicU64,
}

/// Whose doing the end of a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was answered whole.
    Whole,
    /// A limit, a full queue or a drain refused it.
    Refused,
    /// A fault of ours or Ollama's ended it.
    Fault,
    /// Its caller's: left, stalled, or asked for what cannot be.
    Caller,
}

/// How a request ended.
#[derive(Debug)]
pub struct Ended {
    /// Whose doing it was.
    pub verdict: Verdict,
    /// First byte of the request to last byte of the answer.
    pub took: Duration,
    /// First byte of the request to the first byte that Ollama wrote.
    pub first_token: Option<Duration>,
    /// Time inside Ollama.
    pub inference: Duration,
}

impl Tally {
    /// Notes tokens that were generated, as they come.
    pub fn generated(&self, tokens: u64) {
        self.generated.fetch_add(tokens, Relaxed);
    }

    /// Tokens generated so far.
    pub fn tokens(&self) -> u64 {
        self.generated.load(Relaxed)
    }

    /// Counts a request that has ended. Times are those of whole answers: a refusal's millisecond is no answer.
    pub fn ended(&self, ended: &Ended) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.requests += 1;
        match ended.verdict {
            Verdict::Refused => counts.refusals += 1,
            Verdict::Fault => counts.errors += 1,
            Verdict::Caller => {}
            Verdict::Whole => {
                counts.request_seconds.observe(ended.took.as_secs_f64());
                counts.inference_seconds.observe(ended.inference.as_secs_f64());
                if let Some(first) = ended.first_token {
                    counts.first_token_seconds.observe(first.as_secs_f64());
                }
            }
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rate over the last seconds, from a count that grows.
#[derive(Debug)]
pub(super) struct Rate {
    count: u64,
    at: Instant,
    per_second: f64,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self { count: 0, at: now, per_second: 0.0 }
    }

    /// The rate at `now`, when the count is `count`.
    pub(super) fn of(&mut self, count: u64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        if passed > 0.0 {
            let observed = count.saturating_sub(self.count) as f64 / passed;
            let gain = 1.0 - (-passed / LATELY.as_secs_f64()).exp();
            self.per_second += gain * (observed - self.per_second);
            (self.count, self.at) = (count, now);
        }
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_what_comes_and_fades_when_nothing_does() {
        let mut now = Instant::now();
        let mut rate = Rate::new(now);
        assert!(rate.of(0, now).abs() < 1e-9, "no time has passed");
        for step in 1..=60 {
            now += Duration::from_secs(2);
            rate.of(step * 80, now);
        }
        assert!((rate.of(4800, now) - 40.0).abs() < 0.5);
        now += LATELY;
        let faded = rate.of(4800, now);
        assert!((13.0..17.0).contains(&faded), "a third is left: {faded}");
        assert!(rate.of(4800, now + 20 * LATELY) < 0.001);
    }

    #[test]
    fn refusals_and_faults_are_counted_and_have_no_times() {
        let tally = Tally::default();
        let (second, half) = (Duration::from_secs(1), Duration::from_millis(500));
        for verdict in [Verdict::Whole, Verdict::Refused, Verdict::Fault, Verdict::Caller] {
            tally.ended(&Ended { verdict, took: second, first_token: Some(half), inference: half });
        }
        let counts = tally.counts();
        assert_eq!((counts.requests, counts.errors, counts.refusals), (4, 1, 1));
        let times = [counts.request_seconds, counts.first_token_seconds, counts.inference_seconds];
        assert_eq!(times.map(|histogram| histogram.total()), [1, 1, 1]);
    }
}
