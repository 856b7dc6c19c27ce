//! What one round leaves to the next. Plain data: a clone of it replays the same decisions.

use crate::Seconds;
use crate::forecast::Forecast;

use super::observation::Observation;
use super::policy::Policy;
use super::regret::Regret;

/// Launches are counted over this window.
const RATE_WINDOW: Seconds = 30.0;

/// The wait after a refused launch: first, and at most.
const BACKOFF: (Seconds, Seconds) = (30.0, 300.0);

/// Everything kept between two decisions of one leader.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What was learned.
    pub forecast: Forecast,
    /// When each fleet size was last needed; index is the size.
    needs: Vec<Seconds>,
    window: Window,
    backoff: Backoff,
    pub(super) written_at: Seconds,
    /// Since when there has been a fleet at all.
    pub(super) awake_since: Option<Seconds>,
    started: bool,
    /// When anything last waited, ran, arrived or was ordered.
    active_at: Seconds,
    /// What nodes were worth lately.
    pub regret: Regret,
}

/// Launches since the window opened.
#[derive(Clone, Copy, Debug)]
struct Window {
    opened: Seconds,
    launched: u32,
    fleet: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Backoff {
    failure: Option<Seconds>,
    wait: Seconds,
    until: Seconds,
}

impl Memory {
    /// A leader that has just begun.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            forecast: Forecast::new(policy),
            needs: Vec::new(),
            window: Window { opened: f64::NEG_INFINITY, launched: 0, fleet: 0 },
            backoff: Backoff::default(),
            written_at: f64::NEG_INFINITY,
            awake_since: None,
            started: false,
            active_at: f64::NEG_INFINITY,
            regret: Regret::default(),
        }
    }

    /// Takes in an observation whose reports are fresh.
    pub fn learn(&mut self, seen: &Observation) {
        self.forecast.observe(seen);
    }

    /// Takes in what the group says of itself, and on the first round the fleet it has: whoever led before had a
    /// reason for it, so it counts as needed for one hold time.
    pub fn look(&mut self, seen: &Observation) {
        if !self.started {
            self.started = true;
            self.needed(seen.nodes.len() as u32, seen.now);
            self.active_at = seen.now;
        }
        if seen.nodes.is_empty() {
            self.awake_since = None;
        } else if self.awake_since.is_none() {
            let oldest = seen.nodes.iter().map(|node| node.launched_at).fold(seen.now, f64::min);
            self.awake_since = Some(oldest);
        }
        self.note_failures(seen);
    }

    fn note_failures(&mut self, seen: &Observation) {
        let Some(failed) = seen.group.launch_failed_at else {
            if self.backoff.failure.is_some() {
                self.backoff = Backoff::default();
                self.forecast.boots.refused(0.0);
            }
            return;
        };
        if self.backoff.failure.is_none_or(|known| failed > known) {
            let wait = (2.0 * self.backoff.wait).clamp(BACKOFF.0, BACKOFF.1);
            self.backoff = Backoff { failure: Some(failed), wait, until: seen.now + wait };
            self.forecast.boots.refused(wait);
        }
    }

    /// Whether a launch was refused so lately that none is tried.
    #[must_use]
    pub fn backing_off(&self, now: Seconds) -> bool {
        now < self.backoff.until
    }

    /// `nodes` nodes are needed now, and so is every smaller fleet.
    pub fn needed(&mut self, nodes: u32, now: Seconds) {
        let size = nodes as usize + 1;
        if self.needs.len() < size {
            self.needs.resize(size, f64::NEG_INFINITY);
        }
        self.needs[..size].fill(now);
    }

    /// Something waits, runs, arrives, or is ordered.
    pub fn active(&mut self, now: Seconds) {
        self.active_at = now;
    }

    /// For how long nothing did.
    #[must_use]
    pub fn silent_for(&self, now: Seconds) -> Seconds {
        now - self.active_at
    }

    /// The largest fleet that was needed within its hold time: `hold` and its regret. The last node has a time of its own,
    /// which counts from the last activity: what a forecast still expects does not keep it, and after it nobody is kept.
    #[must_use]
    pub fn kept(&self, now: Seconds, hold: Seconds, idle: Seconds) -> u32 {
        if self.silent_for(now) > idle {
            return 0;
        }
        let held = |(size, last): &(usize, &Seconds)| now - **last <= hold + self.regret.of(*size, now);
        self.needs.iter().enumerate().skip(2).rev().find(held).map_or(1, |(size, _)| size as u32)
    }

    /// Launches in the present window of 30 s, and the fleet at its beginning. A window opens with a launch.
    #[must_use]
    pub fn launched_lately(&self, now: Seconds, fleet: u32) -> (u32, u32) {
        if now - self.window.opened < RATE_WINDOW {
            (self.window.launched, self.window.fleet)
        } else {
            (0, fleet)
        }
    }

    /// `count` launches were ordered now, beside a fleet of so many. The wake from zero opens a window without
    /// counting in it: one node is no burst.
    pub fn launching(&mut self, now: Seconds, count: u32, fleet: u32, wake: bool) {
        if now - self.window.opened >= RATE_WINDOW {
            self.window = Window { opened: now, launched: 0, fleet: fleet.max(u32::from(wake)) };
        }
        self.window.launched += if wake { 0 } else { count };
        self.written_at = now;
    }
}
