//! Waiting that chance causes although the fleet keeps up on average: bursts and clumps.

use std::collections::VecDeque;

use crate::{Seconds, Work};

/// Virtual queues, and the smallest and largest capacity they have, in multiples of the recent rate.
const QUEUES: usize = 32;
const RANGE: (f64, f64) = (0.7, 12.0);

/// How long the learned curve remembers.
const MEMORY: Seconds = 1800.0;

/// A start is no burst: the first three minutes after a wake-up teach nothing.
const START: Seconds = 180.0;

/// Arrivals are counted in windows of ten seconds; their dispersion is capped where more would only be a trend.
const WINDOW: Seconds = 10.0;
const DISPERSION: (f64, f64) = (1.0, 12.0);

/// How much of the learned curve counts. The queue that is here already is counted apart, so a part of it is enough.
///
/// Deviation: the capacities follow the last 90 s, not the last minute, because a capacity that rises within a burst
/// hides it.
const SHARE: f64 = 0.2;

/// So many windows are remembered: ten minutes. Fewer than the second number say nothing yet.
const WINDOWS: usize = 60;
const FEW: usize = 4;

/// The deviation of ten-second windows overstates what three of them in a row can do, but a burst often fills them all:
/// taken larger than measured.
const SCATTER: f64 = 1.5;
const MOST_SCATTER: f64 = 2.0;

/// Beyond this load the fluid model of `decide` sees the queue grow by itself.
const FULL: f64 = 0.97;

/// What came in ten seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    span: Seconds,
    count: u64,
    work: Work,
}

/// The expected number waiting, by rate and fleet.
#[derive(Clone, Debug)]
pub struct Congestion {
    slots: f64,
    quiet_until: Seconds,
    work: [Work; QUEUES],
    excess: [f64; QUEUES],
    level: f64,
    open: Window,
    windows: VecDeque<Window>,
    dispersion: f64,
}

impl Congestion {
    /// Nothing seen; nodes have so many slots.
    #[must_use]
    pub fn new(slots: u32) -> Self {
        Self {
            slots: f64::from(slots.max(1)),
            quiet_until: f64::NEG_INFINITY,
            work: [0.0; QUEUES],
            excess: [0.0; QUEUES],
            level: 0.0,
            open: Window::default(),
            windows: VecDeque::new(),
            dispersion: DISPERSION.0,
        }
    }

    /// A beginning; one from zero teaches nothing for a while.
    pub fn begin(&mut self, at: Seconds, from_zero: bool) {
        if from_zero {
            self.quiet_until = at + START;
        }
        self.windows.clear();
        self.open = Window::default();
        self.work = [0.0; QUEUES];
    }

    /// `count` requests with `work` arrived in the last `span` seconds; a request is `mean` work, `base` the recent
    /// rate that the virtual capacities follow.
    pub fn advance(&mut self, now: Seconds, span: Seconds, work: Work, count: u64, mean: Work, base: f64) {
        self.count(span, count, work);
        if now < self.quiet_until {
            return;
        }
        let share = 1.0 - (-span / MEMORY).exp();
        self.level += share * (base - self.level);
        for (i, held) in self.work.iter_mut().enumerate() {
            let capacity = factor(i) * base;
            *held = (*held + work - capacity * span).max(0.0);
            // A queue of this capacity has slots for this much work in flight; only what is beyond it waits.
            let inside = capacity / 2.1 * self.slots * mean / 2.0;
            self.excess[i] += share * ((*held - inside).max(0.0) - self.excess[i]);
        }
    }

    fn count(&mut self, span: Seconds, count: u64, work: Work) {
        self.open.span += span;
        self.open.count += count;
        self.open.work += work;
        if self.open.span < WINDOW {
            return;
        }
        self.windows.push_back(std::mem::take(&mut self.open));
        if self.windows.len() > WINDOWS {
            self.windows.pop_front();
        }
        if let Some((mean, variance)) = self.spread(|window| window.count as f64) {
            self.dispersion = (variance / mean).clamp(DISPERSION.0, DISPERSION.1);
        }
    }

    /// Mean and variance over the windows; `None` while they are few or empty.
    fn spread(&self, value: impl Fn(&Window) -> f64) -> Option<(f64, f64)> {
        let n = self.windows.len() as f64;
        let mean = self.windows.iter().map(&value).sum::<f64>() / n;
        if self.windows.len() < FEW || mean <= 0.0 {
            return None;
        }
        let squares = self.windows.iter().map(|window| (value(window) - mean).powi(2)).sum::<f64>();
        Some((mean, squares / (n - 1.0)))
    }

    /// How much the work of the last ten minutes scattered about its mean, relative to it: what a forecast can be wrong
    /// by, as long as no forecast could be judged. `None` while too little came to tell.
    #[must_use]
    pub fn scatter(&self) -> Option<f64> {
        let (mean, variance) = self.spread(|window| window.work / window.span)?;
        Some((SCATTER * variance.sqrt() / mean).min(MOST_SCATTER))
    }

    /// Variance over mean of the counts of the last ten minutes, 1 to 12.
    #[must_use]
    pub fn dispersion(&self) -> f64 {
        self.dispersion
    }

    /// The mean number of requests that wait when work arrives at `rate` and `nodes` nodes do `capacity` together.
    #[must_use]
    pub fn waiting(&self, rate: f64, nodes: u32, capacity: f64, mean: Work) -> f64 {
        if rate <= 0.0 || nodes == 0 {
            return 0.0;
        }
        self.by_formula(rate / capacity, nodes).max(SHARE * self.learned(rate, capacity) / mean)
    }

    /// Sakasegawa's approximation for many servers (Annals of the Institute of Statistical Mathematics 29, 1977),
    /// with the dispersion of the counts as the variability of arrivals and 1 as that of service.
    fn by_formula(&self, load: f64, nodes: u32) -> f64 {
        let load = load.min(FULL);
        let servers = f64::from(nodes) * self.slots;
        let power = (2.0 * (servers + 1.0)).sqrt();
        load.powf(power) / (1.0 - load) * f64::midpoint(self.dispersion, 1.0)
    }

    fn learned(&self, rate: f64, capacity: f64) -> Work {
        if self.level <= 0.0 {
            return 0.0;
        }
        let at = (capacity / rate / RANGE.0).ln() / (RANGE.1 / RANGE.0).ln() * (QUEUES - 1) as f64;
        let at = at.clamp(0.0, (QUEUES - 1) as f64);
        let (low, part) = (at.floor() as usize, at.fract());
        let high = (low + 1).min(QUEUES - 1);
        // Bursts are as high as the rate that brings them: the curve is kept relative to it.
        (self.excess[low] * (1.0 - part) + self.excess[high] * part) * rate / self.level
    }
}

fn factor(i: usize) -> f64 {
    RANGE.0 * (RANGE.1 / RANGE.0).powf(i as f64 / (QUEUES - 1) as f64)
}
