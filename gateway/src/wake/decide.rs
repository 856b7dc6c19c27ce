//! What follows from the fleet's state: pure, with time as a value.

use std::time::Duration;

use fleet::store::{FleetState, Hold, Phase};

use crate::request::queue::Load;

/// Good boots that the mean is taken of: the machine's image and type change, so old ones mislead.
const RECENT: usize = 8;
/// Said of a boot that should be over: it may end at any moment, and not before somebody has noticed.
const OVERDUE: Duration = Duration::from_secs(10);
/// When the scaler tries again by itself after it has called the fleet broken.
const BROKEN_FOR: i64 = 600;
/// Slots assumed of a fleet that has none yet: the default of `[ollama] parallel`.
const ASSUMED_SLOTS: usize = 4;

/// What an admitted request does to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Attitude {
    /// Nothing: it is served, or about to be.
    Pass,
    /// It wakes the fleet, or has it looked at where nothing is known.
    Wake,
    /// It is refused.
    Broken,
}

impl Attitude {
    /// The attitude that was kept as this number.
    pub fn of(number: u8) -> Self {
        match number {
            0 => Self::Pass,
            1 => Self::Wake,
            _ => Self::Broken,
        }
    }
}

/// A node that is ready serves, whatever the state says. `None`: the state has never been read.
pub(super) fn attitude(phase: Option<Phase>, ready: bool) -> Attitude {
    match phase {
        _ if ready => Attitude::Pass,
        Some(Phase::Awake | Phase::Waking) => Attitude::Pass,
        Some(Phase::Asleep | Phase::FallingAsleep) | None => Attitude::Wake,
        Some(Phase::Broken) => Attitude::Broken,
    }
}

/// The phase as people and programs read it, the same words as in the store.
pub(super) fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Asleep => "asleep",
        Phase::Waking => "waking",
        Phase::Awake => "awake",
        Phase::FallingAsleep => "falling_asleep",
        Phase::Broken => "broken",
    }
}

/// The mean of the last good boots; before there is any, `estimate`.
fn boot(state: Option<&FleetState>, estimate: Duration) -> Duration {
    let boots = state.map_or(&[][..], |state| &state.boots);
    let good: Vec<f64> = boots.iter().rev().filter_map(|boot| boot.seconds).take(RECENT).collect();
    let mean = good.iter().sum::<f64>() / good.len() as f64; // not a number where there is none
    Duration::try_from_secs_f64(mean).unwrap_or(estimate)
}

/// How long until a node is ready, were the fleet woken at `now` (seconds since 1970) where it is not awake.
pub(super) fn until_ready(state: Option<&FleetState>, ready: bool, estimate: Duration, now: i64) -> Duration {
    let boot = boot(state, estimate);
    let Some(state) = state else { return if ready { Duration::ZERO } else { boot } };
    let past = u64::try_from(now.saturating_sub(state.since)).unwrap_or(0); // another machine's clock may be ahead
    match state.phase {
        _ if ready => Duration::ZERO,
        Phase::Awake => Duration::ZERO,
        Phase::Waking => boot.saturating_sub(Duration::from_secs(past)).max(OVERDUE),
        Phase::Asleep | Phase::FallingAsleep => boot,
        Phase::Broken => boot + Duration::from_secs(BROKEN_FOR.unsigned_abs().saturating_sub(past)),
    }
}

/// Seconds until what runs and waits is done. `rate`: the work-seconds a second that so many slots do.
pub(super) fn drain_seconds(load: &Load, rate: impl Fn(usize) -> f64) -> f64 {
    if load.queued == 0 && (load.busy < load.slots || load.slots == 0) {
        return 0.0;
    }
    let rate = if load.work_per_second > 0.0 { load.work_per_second } else { rate(ASSUMED_SLOTS) };
    (load.queued_work_seconds + load.running_work_seconds) / rate
}

/// What an operator's `wake` makes of the state; `None` where it is so already. Three failed boots are forgotten:
/// who wakes a broken fleet by hand has mended something, and wants all tries again.
pub(super) fn woken(state: &FleetState, now: i64) -> Option<FleetState> {
    match state.phase {
        Phase::Awake | Phase::Waking => None,
        Phase::Asleep | Phase::FallingAsleep => Some(state.moved_to(Phase::Waking, now)),
        Phase::Broken => Some(FleetState { boot_failures: 0, ..state.moved_to(Phase::Waking, now) }),
    }
}

/// What an operator's `sleep` makes of the state; `None` where it is so already. A hold would keep it awake.
pub(super) fn put_to_sleep(state: &FleetState, now: i64) -> Option<FleetState> {
    let phase = match state.phase {
        Phase::Asleep => Phase::Asleep,
        _ => Phase::FallingAsleep,
    };
    let asleep = FleetState { hold: None, ..state.moved_to(phase, now) };
    (asleep != *state).then_some(asleep)
}

/// What an operator's `hold` makes of the state; no nodes end a hold, and leave the fleet to its work.
pub(super) fn held(state: &FleetState, now: i64, nodes: u32, seconds: i64) -> Option<FleetState> {
    if nodes == 0 {
        return state.hold.is_some().then(|| FleetState { hold: None, ..state.clone() });
    }
    let woken = woken(state, now).unwrap_or_else(|| state.clone());
    Some(FleetState { hold: Some(Hold { nodes, until: now.saturating_add(seconds) }), ..woken })
}

#[cfg(test)]
mod tests {
    use fleet::store::Boot;

    use super::*;

    const ESTIMATE: Duration = Duration::from_secs(240);

    fn at(phase: Phase, since: i64) -> FleetState {
        FleetState { phase, since, ..FleetState::default() }
    }

    #[test]
    fn a_hold_wakes_and_no_nodes_end_it() {
        let asleep = at(Phase::Asleep, 10);
        let held_state = held(&asleep, 100, 3, 60).unwrap();
        assert_eq!((held_state.phase, held_state.hold), (Phase::Waking, Some(Hold { nodes: 3, until: 160 })));
        let released = held(&held_state, 120, 0, 0).unwrap();
        assert_eq!((released.phase, released.hold), (Phase::Waking, None));
        assert!(held(&released, 130, 0, 0).is_none(), "there is none to end");
    }

    #[test]
    fn only_what_cannot_be_served_wakes() {
        use Phase::*;
        for (phase, ready, expected) in [
            (None, false, Attitude::Wake),
            (None, true, Attitude::Pass),
            (Some(Asleep), false, Attitude::Wake),
            (Some(FallingAsleep), false, Attitude::Wake),
            (Some(FallingAsleep), true, Attitude::Pass),
            (Some(Waking), false, Attitude::Pass),
            (Some(Awake), false, Attitude::Pass),
            (Some(Broken), false, Attitude::Broken),
            (Some(Broken), true, Attitude::Pass),
        ] {
            assert_eq!(attitude(phase, ready), expected, "{phase:?}, ready: {ready}");
        }
        for kept in [Attitude::Pass, Attitude::Wake, Attitude::Broken] {
            assert_eq!(Attitude::of(kept as u8), kept);
        }
    }

    #[test]
    fn a_boot_takes_what_the_last_good_ones_took() {
        let until = |state: &FleetState, now| until_ready(Some(state), false, ESTIMATE, now).as_secs();
        assert_eq!(until_ready(None, false, ESTIMATE, 0), ESTIMATE);
        assert_eq!(until_ready(None, true, ESTIMATE, 0), Duration::ZERO);
        let mut state = at(Phase::Waking, 1000);
        assert_eq!((until(&state, 1000), until(&state, 1100), until(&state, 2000)), (240, 140, 10));
        assert_eq!(until(&state, 900), 240, "a clock that runs behind");
        state.boots = vec![Boot { at: 0, seconds: None }; 3];
        assert_eq!(until(&state, 1000), 240, "failed ones say nothing");
        state.boots.push(Boot { at: 1, seconds: Some(60.0) });
        state.boots.push(Boot { at: 2, seconds: Some(100.0) });
        assert_eq!(until(&state, 1000), 80);
        let many = (0..8).map(|at| Boot { at, seconds: Some(20.0) });
        state.boots.extend(many);
        assert_eq!(until(&state, 1000), 20, "the last eight");
        assert_eq!(until_ready(Some(&state), true, ESTIMATE, 1000), Duration::ZERO);
        assert_eq!(until(&at(Phase::Asleep, 0), 9_999), 240);
        assert_eq!(until(&at(Phase::FallingAsleep, 0), 9_999), 240);
        assert_eq!(until(&at(Phase::Awake, 0), 9_999), 0);
        assert_eq!((until(&at(Phase::Broken, 0), 100), until(&at(Phase::Broken, 0), 700)), (740, 240));
    }

    #[test]
    fn what_waits_is_drained_at_the_rate_of_the_slots() {
        let rate = |slots: usize| slots as f64 / 2.0;
        let idle = Load { slots: 4, busy: 3, running_work_seconds: 9.0, ..Load::default() };
        assert!(drain_seconds(&idle, rate).abs() < 1e-9, "a slot is free");
        assert!(drain_seconds(&Load::default(), rate).abs() < 1e-9);
        let held = Load { queued: 3, queued_work_seconds: 30.0, ..Load::default() };
        assert!((drain_seconds(&held, rate) - 15.0).abs() < 1e-9, "four slots assumed");
        let busy = Load {
            slots: 4,
            busy: 4,
            work_per_second: 5.0,
            running_work_seconds: 10.0,
            queued_work_seconds: 30.0,
            queued: 3,
            ..Load::default()
        };
        assert!((drain_seconds(&busy, rate) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn operators_wake_and_put_to_sleep_and_again_does_nothing() {
        use Phase::*;
        for (phase, wake, sleep) in [
            (Asleep, Some(Waking), None),
            (Waking, None, Some(FallingAsleep)),
            (Awake, None, Some(FallingAsleep)),
            (FallingAsleep, Some(Waking), None),
            (Broken, Some(Waking), Some(FallingAsleep)),
        ] {
            let state = at(phase, 5);
            let after = |next: Option<FleetState>| next.map(|next| (next.phase, next.since));
            assert_eq!(after(woken(&state, 9)), wake.map(|phase| (phase, 9)), "{phase:?}");
            assert_eq!(after(put_to_sleep(&state, 9)), sleep.map(|phase| (phase, 9)), "{phase:?}");
        }
        let held = FleetState { hold: Some(Hold { nodes: 2, until: 99 }), ..at(Asleep, 5) };
        let slept = put_to_sleep(&held, 9).unwrap();
        assert_eq!((slept.phase, slept.since, slept.hold), (Asleep, 5, None));
        let failed = FleetState { boot_failures: 3, reason: Some("no capacity".to_owned()), ..at(Broken, 5) };
        let again = woken(&failed, 9).unwrap();
        assert_eq!((again.boot_failures, again.reason), (0, None));
    }
}
