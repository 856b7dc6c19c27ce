//! Where the rate of work will be one boot from now: two coefficients, learned online by least squares.

use std::collections::VecDeque;

use super::rates::Rates;
use crate::{Seconds, Work};

/// Coefficients before anything was learned: of the middle mean over the slow one, of the fast over the middle.
const FIRST: [f64; 2] = [0.6, 0.2];

/// How long what was learned counts.
const MEMORY: Seconds = 6.0 * 3600.0;

/// A forecast is judged by the mean rate over this span, which begins one boot after it was made.
const TARGET: Seconds = 60.0;

/// Forecasts are made this often at most; more would only repeat the same rates.
const EVERY: Seconds = 5.0;

/// Judged forecasts that the errors remember, about an hour of them, and how many the scatter of what has come counts
/// for beside them.
const JUDGED: f64 = 720.0;
const PRIOR: f64 = 120.0;

/// The relative error of a forecast about which nothing at all is known.
const UNKNOWN: f64 = 1.0;

/// A forecast waiting for its truth.
#[derive(Clone, Debug)]
struct Open {
    from: Seconds,
    until: Seconds,
    inputs: [f64; 2],
    base: f64,
    said: f64,
    work_before: Option<Work>,
}

/// Learned coefficients and the error of the forecasts made with them.
#[derive(Clone, Debug)]
pub struct Trend {
    open: VecDeque<Open>,
    total: Work,
    last: Seconds,
    /// Sums of products of the inputs, and of inputs and truth; they begin as the first beliefs.
    products: [f64; 3],
    answers: [f64; 2],
    coefficients: [f64; 2],
    judged: f64,
    error: f64,
    level: f64,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            open: VecDeque::new(),
            total: 0.0,
            last: f64::NEG_INFINITY,
            products: [0.0; 3],
            answers: [0.0; 2],
            coefficients: FIRST,
            judged: 0.0,
            error: 0.0,
            level: 1.0,
        }
    }
}

impl Trend {
    /// A wake-up: forecasts made in silence are void.
    pub fn begin(&mut self) {
        self.open.clear();
    }

    /// `work` arrived in the last `span` seconds; `boot` is how far ahead a launch looks.
    pub fn advance(&mut self, now: Seconds, span: Seconds, work: Work, rates: &Rates, boot: Seconds) {
        self.total += work;
        for open in &mut self.open {
            if open.from > now {
                break;
            }
            if open.work_before.is_none() {
                open.work_before = Some(self.total);
            }
        }
        let keep = (-span / MEMORY).exp();
        self.products.iter_mut().chain(&mut self.answers).for_each(|sum| *sum *= keep);
        while self.open.front().is_some_and(|open| open.until <= now) {
            if let Some(open) = self.open.pop_front() {
                self.judge(&open);
            }
        }
        if now - self.last >= EVERY {
            self.last = now;
            let base = rates.slow();
            self.open.push_back(Open {
                from: now + boot,
                until: now + boot + TARGET,
                inputs: [rates.middle() - base, rates.fast() - rates.middle()],
                base,
                said: self.next(rates),
                work_before: None,
            });
        }
    }

    fn judge(&mut self, open: &Open) {
        let Some(before) = open.work_before else { return };
        let truth = (self.total - before) / TARGET;
        let (x, y) = (open.inputs, truth - open.base);
        self.products[0] += x[0] * x[0];
        self.products[1] += x[0] * x[1];
        self.products[2] += x[1] * x[1];
        self.answers[0] += x[0] * y;
        self.answers[1] += x[1] * y;
        if truth > 0.0 || open.said > 0.0 {
            // That silence follows silence proves no forecast.
            self.judged = (self.judged + 1.0).min(JUDGED);
            self.error += ((truth - open.said).abs() - self.error) / self.judged;
            self.level += (open.said.max(truth) - self.level) / self.judged;
        }
        self.solve();
    }

    /// Least squares with the first beliefs as a ridge that weighs as much as ten minutes of typical inputs.
    fn solve(&mut self) {
        let ridge = 0.03 * (self.products[0] + self.products[2]) + 0.05 * self.level * self.level + 1e-6;
        let [a, b, d] = [self.products[0] + ridge, self.products[1], self.products[2] + ridge];
        let [p, q] = [self.answers[0] + ridge * FIRST[0], self.answers[1] + ridge * FIRST[1]];
        let det = a * d - b * b;
        if det > 0.0 {
            self.coefficients =
                [((p * d - q * b) / det).clamp(0.0, 1.0), ((q * a - p * b) / det).clamp(0.0, 1.0)];
        }
    }

    /// The mean rate expected one boot from now.
    #[must_use]
    pub fn next(&self, rates: &Rates) -> f64 {
        let base = rates.slow();
        let [middle, fast] = self.coefficients;
        (base + middle * (rates.middle() - base) + fast * (rates.fast() - rates.middle())).max(0.0)
    }

    /// Mean error of such forecasts, relative to the rate; 0 to 2. `scatter` stands in for the forecasts that are still to
    /// be judged: the first verdict comes a boot and a minute after the first forecast, and bursts do not wait for it.
    #[must_use]
    pub fn relative_error(&self, scatter: Option<f64>) -> f64 {
        let judged = self.judged * self.error / self.level.max(1e-9);
        ((judged + PRIOR * scatter.unwrap_or(UNKNOWN)) / (self.judged + PRIOR)).min(2.0)
    }

    /// What was learned: weight of the middle mean, weight of the fast one.
    #[must_use]
    pub fn coefficients(&self) -> [f64; 2] {
        self.coefficients
    }
}
