//! What is known about the work to come: how fast it arrives, how much a request is, what a node can do, how long a
//! boot takes. Fed once a round from counts that only rise; read by `decide`.

mod rates;
mod request;
mod trend;
mod congestion;
mod throughput;
mod boots;

pub use boots::Boots;
pub use congestion::Congestion;
pub use rates::Rates;
pub use request::MeanRequest;
pub use throughput::Throughput;
pub use trend::Trend;

use crate::decide::observation::{Observation, Totals};
use crate::decide::policy::{Benchmark, Policy};
use crate::{Seconds, Work};

/// Silence after which the next request is a new beginning: what came before says little about what comes now.
const SILENCE: Seconds = 600.0;

/// Everything learned, in one place. Plain data: cloning it and deciding on the clone changes nothing.
#[derive(Clone, Debug)]
pub struct Forecast {
    benchmark: Benchmark,
    seen: Option<(Seconds, Totals)>,
    last_arrival: Option<Seconds>,
    arrived: u64,
    /// Rates of arriving work.
    pub rates: Rates,
    /// The mean request.
    pub request: MeanRequest,
    /// Where the rate goes.
    pub trend: Trend,
    /// Waiting that mere chance causes.
    pub congestion: Congestion,
    /// What a full node does.
    pub throughput: Throughput,
    /// How long boots take.
    pub boots: Boots,
}

impl Forecast {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            benchmark: policy.benchmark,
            seen: None,
            last_arrival: None,
            arrived: 0,
            rates: Rates::default(),
            request: MeanRequest::default(),
            trend: Trend::default(),
            congestion: Congestion::new(policy.slots),
            throughput: Throughput::new(policy.benchmark.throughput),
            boots: Boots::new(policy),
        }
    }

    /// Takes in one observation. Call it once a round, with rising times.
    pub fn observe(&mut self, seen: &Observation) {
        self.boots.observe(seen);
        self.throughput.observe(seen, &self.benchmark);
        let Some((before, totals)) = self.seen.replace((seen.now, seen.totals)) else {
            // Requests that were there before we looked are a backlog, not a rate; only their kind is learned.
            self.request.arrived(seen.totals.arrived.count, seen.totals.arrived.prompt_tokens);
            self.arrived = if seen.waiting.count > 0 { seen.totals.arrived.count } else { 0 };
            if self.arrived > 0 {
                self.begin(seen.now, seen.nodes.is_empty());
            }
            return;
        };
        let count = seen.totals.arrived.count.saturating_sub(totals.arrived.count);
        let prompt = seen.totals.arrived.prompt_tokens.saturating_sub(totals.arrived.prompt_tokens);
        let finished = seen.totals.finished.saturating_sub(totals.finished);
        let output = seen.totals.finished_tokens.output.saturating_sub(totals.finished_tokens.output);
        self.request.arrived(count, prompt);
        self.request.finished(finished, output);
        self.arrived = count;
        if count > 0 {
            let quiet = self.last_arrival.is_none_or(|last| seen.now - last >= SILENCE);
            if quiet {
                self.begin(before, seen.nodes.is_empty());
            }
            self.last_arrival = Some(seen.now);
        }
        let work = self.work(prompt, count);
        self.advance(before, seen.now, work, count);
    }

    fn begin(&mut self, at: Seconds, from_zero: bool) {
        self.rates.begin(at, from_zero);
        self.congestion.begin(at, from_zero);
        self.trend.begin();
        self.last_arrival = Some(at);
    }

    fn advance(&mut self, before: Seconds, now: Seconds, work: Work, count: u64) {
        let span = now - before;
        if span <= 0.0 {
            return;
        }
        self.rates.advance(now, span, work);
        let base = self.rates.base();
        self.congestion.advance(now, span, work, count, self.request.work(&self.benchmark), base);
        self.trend.advance(now, span, work, &self.rates, self.boots.mean());
    }

    /// Requests that arrived since the round before.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Work of requests with this many prompt tokens; answers are not known yet, so their mean stands for them.
    #[must_use]
    pub fn work(&self, prompt_tokens: u64, count: u64) -> Work {
        prompt_tokens as f64 / self.benchmark.prefill
            + count as f64 * self.request.output() / self.benchmark.decode
    }

    /// Work of the mean request.
    #[must_use]
    pub fn mean_work(&self) -> Work {
        self.request.work(&self.benchmark)
    }

    /// The rate of work expected one boot from now, and how wrong such forecasts were of late.
    #[must_use]
    pub fn next(&self) -> (f64, f64) {
        let mut rate = self.trend.next(&self.rates);
        // Who comes first to work is not alone for long: while a start is young its newest rate is the best guess.
        if self.rates.young() {
            rate = rate.max(self.rates.fast());
        }
        (rate, self.trend.relative_error(self.congestion.scatter()))
    }
}
