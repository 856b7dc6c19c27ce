//! One model in the memory of one upstream: its slots, and how much work it does in a second.

use std::time::Duration;

use tokio::time::Instant;

/// How much each further request in a batch slows all of them: n requests at once run at `n / (1 + 0.3 (n - 1))`
/// times the speed of one. Where learning starts; measured nodes lie within a factor of two of it.
const SLOWDOWN: f64 = 0.3;

/// Slot-seconds that the starting value counts for against what is measured.
const PRIOR: f64 = 60.0;

/// Slot-seconds after which a measurement has faded to 1/e: slow, since the hardware does not change.
const MEMORY: f64 = 1800.0;

/// Share of a request's time in which all slots must have been busy for it to teach the rate.
const SATURATED: f64 = 0.9;

/// A place: slots are taken and freed here and nowhere else.
pub(super) struct Place {
    /// Requests that may run at once; 0 once withdrawn, while the last of them end.
    slots: usize,
    busy: usize,
    rate: Rate,
    /// Since when all slots are busy, and how long they were before.
    full_since: Option<Instant>,
    full_before: Duration,
}

impl Place {
    /// A place of `slots`, expected to do `ratio` times the usual work.
    pub fn new(slots: usize, ratio: f64) -> Self {
        Self { slots, busy: 0, rate: Rate::new(slots, ratio), full_since: None, full_before: Duration::ZERO }
    }

    /// The number of slots changes; what runs goes on. Fewer than are busy: no grants until enough have ended.
    pub fn resize(&mut self, slots: usize, now: Instant) {
        if slots != self.slots {
            self.rate = Rate::new(slots, self.rate.ratio());
            self.slots = slots;
            self.watch(now);
        }
    }

    pub fn slots(&self) -> usize {
        self.slots
    }

    pub fn busy(&self) -> usize {
        self.busy
    }

    pub fn is_free(&self) -> bool {
        self.busy < self.slots
    }

    /// How full it is, 0 to 1: less full means faster for whoever comes next.
    pub fn fullness(&self) -> f64 {
        self.busy as f64 / self.slots.max(1) as f64
    }

    pub fn take(&mut self, now: Instant) {
        self.busy += 1;
        self.watch(now);
    }

    pub fn free(&mut self, now: Instant) {
        self.busy = self.busy.saturating_sub(1);
        self.watch(now);
    }

    /// Work-seconds a second with all slots busy; 0 once withdrawn.
    pub fn rate(&self) -> f64 {
        self.rate.speed() * self.slots as f64
    }

    /// Work-seconds a second of one busy slot among busy ones.
    pub fn speed(&self) -> f64 {
        self.rate.speed()
    }

    /// The rate learned ÷ the rate expected.
    pub fn ratio(&self) -> f64 {
        self.rate.ratio()
    }

    /// How long all slots have been busy, altogether.
    pub fn full_for(&self, now: Instant) -> Duration {
        self.full_before
            + self.full_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// A request of `work` seconds took `busy` of its slot, `full` of it while all slots were busy.
    pub fn learn(&mut self, work: f64, busy: Duration, full: Duration) {
        if self.slots > 0 && full.as_secs_f64() >= SATURATED * busy.as_secs_f64() {
            self.rate.learn(work, busy.as_secs_f64());
        }
    }

    fn watch(&mut self, now: Instant) {
        let full = self.slots > 0 && self.busy >= self.slots;
        match (full, self.full_since) {
            (true, None) => self.full_since = Some(now),
            (false, Some(since)) => {
                self.full_before += now.saturating_duration_since(since);
                self.full_since = None;
            }
            _ => {}
        }
    }
}

/// The speed of one slot while all are busy: work done ÷ slot-seconds, a slow mean.
struct Rate {
    /// Expected of this many slots, before anything was measured.
    expected: f64,
    work: f64,
    seconds: f64,
}

impl Rate {
    fn new(slots: usize, ratio: f64) -> Self {
        let expected = 1.0 / (1.0 + SLOWDOWN * (slots.max(1) - 1) as f64);
        Self { expected, work: expected * ratio * PRIOR, seconds: PRIOR }
    }

    fn speed(&self) -> f64 {
        self.work / self.seconds
    }

    fn ratio(&self) -> f64 {
        self.speed() / self.expected
    }

    /// Each measurement is first brought to between half and twice the expected, so that outliers move the mean
    /// little and the mean never leaves that range.
    fn learn(&mut self, work: f64, seconds: f64) {
        let done = work.max(0.5 * self.expected * seconds).min(2.0 * self.expected * seconds);
        let kept = (-seconds / MEMORY).exp();
        self.work = self.work * kept + done;
        self.seconds = self.seconds * kept + seconds;
    }
}

/// Work-seconds a second that a place of `slots` is expected to do with all of them busy.
pub(crate) fn expected_rate(slots: usize) -> f64 {
    slots as f64 * Rate::new(slots, 1.0).expected
}
