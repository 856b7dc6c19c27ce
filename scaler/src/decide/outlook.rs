//! The near future in three scenarios, and what a fleet would cost in waiting there.

use crate::forecast::Forecast;
use crate::{Seconds, Work};

use super::observation::Observation;

/// The future is walked in steps of ten seconds.
pub(super) const STEP: Seconds = 10.0;

/// How fast the present rate gives way to the expected one.
const RELAX: Seconds = 60.0;

/// Share of a forecast's relative error that the outer scenarios differ by. Proportional to the rate on purpose: a
/// spread that stays when the rate is zero launches instances into silence. Deviation: 0.35
/// where 0.5 is usual, since the held nodes carry the rest.
const SPREAD: f64 = 0.35;

/// Three equally likely values with this distance (in deviations) have the right deviation: `sqrt(3/2)`.
const OUTER: f64 = 1.22;

/// Of the work in flight, this share is still to be done: requests are met halfway on average, long ones more often.
const UNFINISHED: f64 = 0.6;

/// What is to be done now and what will come.
#[derive(Clone, Debug)]
pub struct Outlook<'a> {
    forecast: &'a Forecast,
    /// Work waiting, and in flight and not done.
    pub work: Work,
    /// Work of the mean request.
    pub mean: Work,
    /// Slots of a node.
    pub slots: f64,
    /// Work a full node does in a second.
    pub throughput: f64,
    /// GPU-seconds a request-second of waiting is worth.
    pub value: f64,
    /// Boot time expected.
    pub boot: Seconds,
    /// The rate expected one boot from now.
    pub next: f64,
    paths: [Vec<f64>; 3],
}

impl<'a> Outlook<'a> {
    /// The outlook from what is seen and known, up to one boot and `useful` seconds ahead.
    #[must_use]
    pub fn new(seen: &Observation, forecast: &'a Forecast, value: f64, slots: u32, useful: Seconds) -> Self {
        let boot = forecast.boots.mean();
        let (next, error) = forecast.next();
        let now = forecast.rates.middle();
        let deviation = OUTER * SPREAD * error * next;
        let steps = ((boot + useful) / STEP).ceil() as usize + 1;
        let path = |side: f64| {
            (0..steps)
                .map(|i| {
                    let ahead = (i as f64 + 0.5) * STEP;
                    let mean = next + (now - next) * (-ahead / RELAX).exp();
                    (mean + side * deviation * (ahead / boot).min(1.0)).max(0.0)
                })
                .collect()
        };
        let running: u64 = seen.nodes.iter().map(|node| u64::from(node.active)).sum();
        let flight = forecast.work(seen.running_prompt_tokens, running);
        Self {
            forecast,
            work: forecast.work(seen.waiting.prompt_tokens, seen.waiting.count) + UNFINISHED * flight,
            mean: forecast.mean_work(),
            slots: f64::from(slots),
            throughput: forecast.throughput.full(),
            value,
            boot,
            next,
            paths: [path(0.0), path(1.0), path(-1.0)],
        }
    }

    /// The same future seen by a fleet that has nothing left to do now.
    #[must_use]
    pub fn without_backlog(&self) -> Self {
        Self { work: 0.0, ..self.clone() }
    }

    /// Request-seconds waited over `horizon` with `fleet(seconds from now)` nodes, mean of the scenarios.
    #[must_use]
    pub fn waiting(&self, horizon: Seconds, fleet: impl Fn(Seconds) -> u32) -> f64 {
        let steps = ((horizon / STEP).round() as usize).min(self.paths[0].len());
        let mut sum = 0.0;
        let mut works = [self.work; 3];
        for i in 0..steps {
            let nodes = fleet(i as f64 * STEP);
            let capacity = f64::from(nodes) * self.throughput;
            let inside = f64::from(nodes) * self.slots * self.mean / 2.0;
            for (work, path) in works.iter_mut().zip(&self.paths) {
                let rate = path[i];
                *work = (*work + (rate - capacity) * STEP).max(0.0);
                sum += (*work - inside).max(0.0) / self.mean
                    + self.forecast.congestion.waiting(rate, nodes, capacity, self.mean);
            }
        }
        sum * STEP / 3.0
    }

    /// Seconds until nobody waits any more with that fleet, in the middle scenario; the horizon if it is longer.
    #[must_use]
    pub fn cleared(&self, horizon: Seconds, fleet: impl Fn(Seconds) -> u32) -> Seconds {
        let mut work = self.work;
        for (i, rate) in self.paths[0].iter().enumerate() {
            let at = i as f64 * STEP;
            if at >= horizon {
                break;
            }
            let nodes = f64::from(fleet(at));
            if work <= nodes * self.slots * self.mean / 2.0 {
                return at;
            }
            work = (work + (rate - nodes * self.throughput) * STEP).max(0.0);
        }
        horizon
    }

    /// The fleet that costs least over the next two minutes or one boot, if it could be had at once: waiting and
    /// nodes together.
    #[must_use]
    pub fn need(&self, max: u32) -> u32 {
        let horizon = self.boot.max(120.0);
        let mut best = (f64::INFINITY, 0);
        for nodes in 0..=max {
            let price = f64::from(nodes) * horizon;
            if price >= best.0 {
                break;
            }
            let cost = price + self.value * self.waiting(horizon, |_| nodes);
            if cost < best.0 {
                best = (cost, nodes);
            }
        }
        best.1
    }
}
