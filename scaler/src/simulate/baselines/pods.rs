//! Autoscalers of queues and pods: KEDA with the HPA, Knative, Ray Serve, and Buildkite's agent scaler.

use std::collections::VecDeque;

use super::{Victim, inside, set, wanted};
use crate::Seconds;
use crate::decide::observation::Phase;
use crate::simulate::replay::Controller;
use crate::simulate::world::World;

/// Values of the last seconds.
#[derive(Default)]
struct Window(VecDeque<(Seconds, f64)>);

impl Window {
    fn add(&mut self, now: Seconds, value: f64, reach: Seconds) {
        self.0.push_back((now, value));
        while self.0.front().is_some_and(|(at, _)| now - at >= reach) {
            self.0.pop_front();
        }
    }

    fn mean(&self, since: Seconds) -> f64 {
        let values = self.0.iter().filter(|(at, _)| *at > since).map(|(_, value)| value);
        let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    }

    fn most(&self) -> f64 {
        self.0.iter().map(|(_, value)| *value).fold(0.0, f64::max)
    }
}

/// KEDA's SQS scaler with its defaults: queue length 5, in flight counted, poll 30 s, to zero after 300 s; the HPA
/// every 15 s, tolerance 0.1, at most doubling or four more, down to the most of 300 s.
#[derive(Default)]
pub struct Keda {
    active_at: Seconds,
    rounds: u64,
    window: Window,
}

impl Controller for Keda {
    fn every(&self) -> Seconds {
        15.0
    }

    fn round(&mut self, world: &mut World) {
        let length = inside(world);
        self.rounds += 1;
        if length > 0.0 {
            self.active_at = world.now;
        }
        let now = wanted(world);
        if now == 0 {
            if length > 0.0 && self.rounds.is_multiple_of(2) {
                set(world, 1, Victim::Newest);
            }
            return;
        }
        if world.now - self.active_at >= 300.0 {
            set(world, 0, Victim::Newest);
            return;
        }
        let usage = length / 5.0 / f64::from(now);
        let want = if (usage - 1.0).abs() <= 0.1 { f64::from(now) } else { (length / 5.0).ceil().max(1.0) };
        self.window.add(world.now, want, 300.0);
        let want = if want < f64::from(now) { self.window.most().min(f64::from(now)) } else { want };
        set(world, (want as u32).min(now + now.max(4)), Victim::Newest);
    }
}

/// Knative's pod autoscaler: 70 % of the slots as the target, 60 s stable, 6 s panic from twice the capacity on, then
/// never down for 60 s, tick 2 s, zero after 30 s of grace, down by at most half.
#[derive(Default)]
pub struct Knative {
    window: Window,
    panic_until: Seconds,
    panic_most: u32,
    empty_since: Option<Seconds>,
}

impl Controller for Knative {
    fn every(&self) -> Seconds {
        2.0
    }

    fn round(&mut self, world: &mut World) {
        let target = 0.7 * world.machines.slots as f64;
        self.window.add(world.now, inside(world), 60.0);
        let ready = world.count(Phase::Ready);
        let floor = ready / 2;
        let stable = ((self.window.mean(world.now - 60.0) / target).ceil() as u32).max(floor);
        let burst = ((self.window.mean(world.now - 6.0) / target).ceil() as u32).max(floor);
        if f64::from(burst) / f64::from(ready.max(1)) >= 2.0 {
            self.panic_until = world.now + 60.0;
        }
        let mut want = stable;
        if world.now < self.panic_until {
            self.panic_most = self.panic_most.max(burst).max(stable);
            want = self.panic_most;
        } else {
            self.panic_most = 0;
        }
        if want > 0 {
            self.empty_since = None;
        } else {
            let since = *self.empty_since.get_or_insert(world.now);
            if world.now - since < 30.0 && ready > 0 {
                want = 1;
            }
        }
        set(world, want, Victim::Newest);
    }
}

/// Ray Serve: two ongoing requests a replica over 30 s, up after 30 s of wanting, down after 600 s; from zero at once.
#[derive(Default)]
pub struct RayServe {
    window: Window,
    up_since: Option<Seconds>,
    down_since: Option<Seconds>,
}

impl Controller for RayServe {
    fn every(&self) -> Seconds {
        5.0
    }

    fn round(&mut self, world: &mut World) {
        self.window.add(world.now, inside(world), 30.0);
        let now = wanted(world);
        let want = (self.window.mean(world.now - 30.0) / 2.0).ceil() as u32;
        if now == 0 && inside(world) > 0.0 {
            set(world, 1, Victim::Newest);
            return;
        }
        let waited = |since: &mut Option<Seconds>, on: bool, at_least: Seconds| {
            if !on {
                *since = None;
                return false;
            }
            world.now - *since.get_or_insert(world.now) >= at_least
        };
        let up = waited(&mut self.up_since, want > now, 30.0);
        let down = waited(&mut self.down_since, want < now, 600.0);
        if up || down {
            (self.up_since, self.down_since) = (None, None);
            set(world, want, Victim::Newest);
        }
    }
}

/// Buildkite's agent scaler: exactly as many as queued and running jobs fill, every 10 s; an instance ends itself
/// after being idle for 600 s.
#[derive(Default)]
pub struct Buildkite;

impl Controller for Buildkite {
    fn every(&self) -> Seconds {
        10.0
    }

    fn round(&mut self, world: &mut World) {
        let want = (inside(world) / world.machines.slots as f64).ceil() as u32;
        if want > wanted(world) {
            set(world, want, Victim::Newest);
        }
        let now = world.now;
        while let Some(i) = world.nodes.iter().position(|node| {
            node.phase == Phase::Ready && node.active() == 0 && now - node.idle_since >= 600.0
        }) {
            world.cordon(i, true);
        }
    }
}
