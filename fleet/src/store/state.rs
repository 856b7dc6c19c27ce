//! What changes only under a condition: who leads, and whether the fleet sleeps.

use serde::{Deserialize, Serialize};

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// It was made; this is what stands there now.
    Made(T),
    /// Somebody was faster; this is what stands there, if anything does.
    Refused(Option<T>),
}

/// The scaler's lease. Its version grows with every renewal; nothing in it is a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Who wrote it last; empty where it was given back.
    pub owner: String,
    /// Grows by one with each write.
    pub version: u64,
}

/// Where the fleet is between nothing and serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No nodes, and nobody has asked.
    #[default]
    Asleep,
    /// Somebody has asked; no node is ready.
    Waking,
    /// At least one node is, or was, ready.
    Awake,
    /// The last nodes go.
    FallingAsleep,
    /// Nodes do not come up; the reason says why.
    Broken,
}

/// One boot that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// When it was asked for, in seconds since 1970.
    pub at: i64,
    /// How long the node took until it was ready; `None`: it never was.
    pub seconds: Option<f64>,
}

/// An operator's wish for at least so many nodes, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How many.
    pub nodes: u32,
    /// Until when, in seconds since 1970.
    pub until: i64,
}

/// GPU time used in one period of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// The period: year and month, UTC, as in 202611.
    pub period: u32,
    /// Seconds that instances lived in it, all together.
    pub gpu_seconds: f64,
}

/// How many boots are remembered: a day of one an hour, well below 4 KB, the unit that reads are charged by.
const BOOTS: usize = 24;

/// The fleet's state. Change a copy, then [`Store::change_state`](super::Store::change_state).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetState {
    /// Where it is.
    pub phase: Phase,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Why it is broken, or falls asleep.
    pub reason: Option<String>,
    /// The last boots, the oldest first.
    pub boots: Vec<Boot>,
    /// Boots that failed since the last good one.
    pub boot_failures: u32,
    /// What an operator asked for.
    pub hold: Option<Hold>,
    /// What the period of the budget has used.
    pub spent: Option<Spent>,
    /// Grows with each change; the store counts it. 0: never written.
    pub version: u64,
}

impl FleetState {
    /// The state after a move to `phase` at `now`. A move to where it is keeps `since`.
    #[must_use]
    pub fn moved_to(&self, phase: Phase, now: i64) -> Self {
        let since = if phase == self.phase { self.since } else { now };
        Self { phase, since, reason: None, ..self.clone() }
    }

    /// The same state with a reason.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }

    /// The state after one more boot.
    #[must_use]
    pub fn booted(&self, boot: Boot) -> Self {
        let mut next = self.clone();
        next.boot_failures = if boot.seconds.is_some() { 0 } else { self.boot_failures + 1 };
        next.boots.push(boot);
        let surplus = next.boots.len().saturating_sub(BOOTS);
        next.boots.drain(..surplus);
        next
    }

    /// This state as the store writes it after `expected`.
    pub(super) fn after(&self, expected: &Self) -> Self {
        Self { version: expected.version + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_to_the_same_phase_keeps_its_beginning() {
        let waking = FleetState::default().moved_to(Phase::Waking, 100);
        assert_eq!((waking.phase, waking.since), (Phase::Waking, 100));
        assert_eq!(waking.moved_to(Phase::Waking, 200).since, 100);
        assert_eq!(waking.moved_to(Phase::Awake, 200).since, 200);
    }

    #[test]
    fn failed_boots_add_up_until_a_good_one() {
        let bad = Boot { at: 1, seconds: None };
        let twice = FleetState::default().booted(bad).booted(bad);
        assert_eq!((twice.boot_failures, twice.boots.len()), (2, 2));
        assert_eq!(twice.booted(Boot { at: 2, seconds: Some(70.5) }).boot_failures, 0);
        let many = (0..100).fold(twice, |state, at| state.booted(Boot { at, seconds: Some(1.0) }));
        assert_eq!((many.boots.len(), many.boots[BOOTS - 1].at), (BOOTS, 99));
        assert!(serde_json::to_string(&many).unwrap().len() < 2048);
    }
}
