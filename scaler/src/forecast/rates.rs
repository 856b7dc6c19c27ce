//! Rates of arriving work over 15, 45 and 600 seconds, and over 90 for the virtual queues.

use crate::{Seconds, Work};

/// How far back the means look.
const SPANS: [Seconds; 4] = [15.0, 45.0, 600.0, 90.0];

/// How many seconds of evidence the start-up rate of earlier wake-ups is worth at a new one.
const PRIOR: Seconds = 15.0;

/// How long the newest rate is the best guess of a beginning. A cold start that
/// trusts its slower means instead launches half a minute late.
const YOUNG: Seconds = 150.0;

/// A beginning is over after five minutes: what came by then is its start-up rate.
const BEGINNING: Seconds = 300.0;

/// Exponential means of the rate. Each carries its own weight, so that a young mean is the plain mean since the
/// beginning and not a mean with an invented silence before it.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    sums: [f64; 4],
    weights: [f64; 4],
    started: Option<(Seconds, Work)>,
    age: Seconds,
    start_up: Option<f64>,
}

impl Rates {
    /// A wake-up: forget the time before it.
    pub fn begin(&mut self, at: Seconds, from_zero: bool) {
        let prior = self.start_up.unwrap_or(0.0);
        self.weights = [if self.start_up.is_some() { PRIOR } else { 0.0 }; 4];
        self.sums = [prior * self.weights[0]; 4];
        self.started = from_zero.then_some((at, 0.0));
        self.age = 0.0;
    }

    /// `work` arrived in the last `span` seconds.
    pub fn advance(&mut self, now: Seconds, span: Seconds, work: Work) {
        for (i, reach) in SPANS.into_iter().enumerate() {
            let keep = (-span / reach).exp();
            // The work is taken as spread evenly over the span: its mean share is what remains of it.
            let spread = (1.0 - keep) * reach;
            self.sums[i] = self.sums[i] * keep + work / span * spread;
            self.weights[i] = self.weights[i] * keep + spread;
        }
        self.age += span;
        if let Some((at, sum)) = &mut self.started {
            *sum += work;
            if now - *at >= BEGINNING {
                let rate = *sum / (now - *at);
                self.start_up = Some(self.start_up.map_or(rate, |old| old + 0.3 * (rate - old)));
                self.started = None;
            }
        }
    }

    fn rate(&self, i: usize) -> f64 {
        // At least the 15 s prior: two requests in the first second of a day are no rate of two a second.
        self.sums[i] / self.weights[i].max(PRIOR)
    }

    /// Over 15 s.
    #[must_use]
    pub fn fast(&self) -> f64 {
        self.rate(0)
    }

    /// Over 45 s.
    #[must_use]
    pub fn middle(&self) -> f64 {
        self.rate(1)
    }

    /// Over 600 s.
    #[must_use]
    pub fn slow(&self) -> f64 {
        self.rate(2)
    }

    /// Over 90 s: what the virtual queues of `congestion` take as the present rate.
    #[must_use]
    pub fn base(&self) -> f64 {
        self.rate(3)
    }

    /// Whether the last beginning is so recent that the longer means know nothing yet.
    #[must_use]
    pub fn young(&self) -> bool {
        self.age < YOUNG
    }

    /// Mean rate in the first five minutes after earlier wake-ups.
    #[must_use]
    pub fn start_up(&self) -> Option<f64> {
        self.start_up
    }
}
