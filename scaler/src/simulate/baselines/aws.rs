//! EC2 Auto Scaling: target tracking on utilization and on concurrency, and backlog per instance.
//!
//! Metrics have a period of a minute. Target tracking sets two alarms: above the target for 3 minutes, below 0.7 of it
//! for 15 (counts seen in public set-ups; AWS does not document them). The step from zero is a policy of its own.

use std::collections::VecDeque;

use super::{Victim, set, wanted};
use crate::Seconds;
use crate::decide::observation::Phase;
use crate::simulate::replay::Controller;
use crate::simulate::world::World;

const PERIOD: Seconds = 60.0;
const UP_AFTER: usize = 3;
const DOWN_AFTER: usize = 15;
const DOWN_BELOW: f64 = 0.7;

/// What is tracked.
#[derive(Clone, Copy, Debug)]
pub enum Utilization {
    /// Share of time with any stream at all, as GPU utilization shows it; target 70 %.
    Busy,
    /// Share of slots in use; target 70 %.
    Slots,
}

/// Target tracking.
pub struct Tracking {
    what: Utilization,
    alarms: Alarms,
    sum: f64,
    samples: f64,
}

/// Backlog per instance: waiting messages over instances, against ten seconds of one instance's work.
pub struct Backlog {
    alarms: Alarms,
}

/// The two alarms of a policy and the step from zero.
#[derive(Default)]
struct Alarms {
    points: VecDeque<f64>,
    next: Seconds,
}

impl Alarms {
    fn point(&mut self, value: Option<f64>) {
        match value {
            Some(value) => self.points.push_front(value),
            None => self.points.clear(), // insufficient data
        }
        self.points.truncate(DOWN_AFTER);
    }

    /// The capacity that proportion asks for, once an alarm is on.
    fn capacity(&self, target: f64, serving: u32, booting: u32) -> Option<u32> {
        let last = *self.points.front()?;
        let all = serving + booting;
        let proportional = (f64::from(serving) * last / target).ceil() as u32;
        if self.points.len() >= UP_AFTER && self.points.iter().take(UP_AFTER).all(|point| *point > target) {
            return Some(proportional.max(all));
        }
        let low = |point: &f64| *point < DOWN_BELOW * target;
        if booting == 0 && self.points.len() >= DOWN_AFTER && self.points.iter().all(low) {
            // Gradual, as AWS calls it: one a minute while the alarm is on.
            return Some(proportional.max(all.saturating_sub(1)).min(all));
        }
        None
    }
}

fn apply(alarms: &mut Alarms, target: f64, world: &mut World) {
    if wanted(world) == 0 {
        if world.waiting.count > 0 {
            set(world, 1, Victim::Oldest);
        }
        return;
    }
    let (serving, booting) = (world.count(Phase::Ready), world.count(Phase::Booting));
    if let Some(count) = alarms.capacity(target, serving, booting) {
        set(world, count, Victim::Oldest);
    }
}

impl Tracking {
    /// Target tracking on that metric.
    #[must_use]
    pub fn on(what: Utilization) -> Self {
        Self { what, alarms: Alarms::default(), sum: 0.0, samples: 0.0 }
    }
}

impl Controller for Tracking {
    fn every(&self) -> Seconds {
        5.0
    }

    fn round(&mut self, world: &mut World) {
        for node in world.nodes.iter().filter(|node| node.phase == Phase::Ready) {
            self.samples += 1.0;
            self.sum += match self.what {
                Utilization::Busy => f64::from(u8::from(node.active() > 0)),
                Utilization::Slots => node.active() as f64 / world.machines.slots as f64,
            };
        }
        if world.now < self.alarms.next {
            return;
        }
        self.alarms.next = world.now + PERIOD;
        let value = (self.samples > 0.0).then(|| self.sum / self.samples);
        (self.sum, self.samples) = (0.0, 0.0);
        self.alarms.point(value);
        apply(&mut self.alarms, 0.7, world);
    }
}

impl Backlog {
    /// As AWS describes it.
    #[must_use]
    pub fn new() -> Self {
        Self { alarms: Alarms::default() }
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Self::new()
    }
}

impl Controller for Backlog {
    fn every(&self) -> Seconds {
        PERIOD
    }

    fn round(&mut self, world: &mut World) {
        let ready = f64::from(world.count(Phase::Ready));
        let waiting = world.waiting.count as f64;
        self.alarms.point((ready > 0.0).then(|| waiting / ready));
        let finished = world.totals.finished.max(1) as f64;
        let rates = world.machines.rates;
        let tokens = world.totals.finished_tokens;
        let mean = (tokens.prompt as f64 / rates.prefill + tokens.output as f64 / rates.decode) / finished;
        let target = 10.0 * rates.throughput / mean.max(0.1);
        apply(&mut self.alarms, target, world);
    }
}
