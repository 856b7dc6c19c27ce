//! From state to state. Only fresh sights move it; a request that a front wrote down always wins over a fall.

use fleet::store::{FleetState, Phase};

use super::{BROKEN_FOR, FAILURES, IDLE};
use crate::decide::Decision;
use crate::decide::observation::{self, Node};
use crate::observe::Sight;

/// Older than this, a description or a report moves nothing.
const FRESH: f64 = 15.0;

/// What matters of a round for the state.
struct View {
    /// Instances that start or serve.
    living: u32,
    /// Instances that are wanted and not there.
    ordered: bool,
    /// Nodes that serve and go on doing so.
    staying: bool,
    /// Nodes that boot.
    booting: bool,
    /// Somebody waits.
    waiting: bool,
}

impl View {
    fn of(sight: &Sight, decision: &Decision) -> Self {
        let seen = &sight.seen;
        let in_phase = |phase| seen.nodes.iter().filter(move |node| node.phase == phase);
        let stays = |node: &Node| !decision.cordon.contains(&node.id) && node.report_age <= 60.0;
        let back = in_phase(observation::Phase::Draining).any(|node| decision.uncordon.contains(&node.id));
        Self {
            living: sight.living(),
            ordered: sight.group.desired > sight.living() || decision.desired > Some(sight.living()),
            staying: back || in_phase(observation::Phase::Ready).any(stays),
            booting: in_phase(observation::Phase::Booting).next().is_some(),
            waiting: seen.waiting.count > 0,
        }
    }
}

/// The state after this round.
pub(super) fn next(state: &FleetState, sight: &Sight, decision: &Decision, spent: bool) -> FleetState {
    let fresh = sight.seen.group.age <= FRESH && sight.seen.reports_age <= FRESH;
    if !fresh {
        return state.clone();
    }
    let view = View::of(sight, decision);
    let to = |phase| state.moved_to(phase, sight.wall);
    match state.phase {
        Phase::Asleep => asleep(state, &view, to),
        Phase::Waking => waking(state, &view, spent, to),
        Phase::Awake => awake(state, &view, to),
        Phase::FallingAsleep => falling(state, &view, spent, to),
        Phase::Broken => broken(state, &view, sight.wall, to),
    }
}

fn asleep(state: &FleetState, view: &View, to: impl Fn(Phase) -> FleetState) -> FleetState {
    if view.staying {
        to(Phase::Awake)
    } else if view.waiting || view.booting || view.ordered {
        // Somebody waits who woke nobody, or the schedule, a hold or a hand at the group wants nodes.
        to(Phase::Waking)
    } else {
        state.clone()
    }
}

fn waking(state: &FleetState, view: &View, spent: bool, to: impl Fn(Phase) -> FleetState) -> FleetState {
    if view.staying {
        to(Phase::Awake)
    } else if state.boot_failures >= FAILURES {
        to(Phase::Broken).because(&format!("{} launches in a row did not come up", state.boot_failures))
    } else if spent && !view.booting {
        to(Phase::Broken).because("the budget of this month is used up")
    } else {
        state.clone()
    }
}

fn awake(state: &FleetState, view: &View, to: impl Fn(Phase) -> FleetState) -> FleetState {
    if view.staying {
        state.clone()
    } else if view.booting || view.ordered || (view.living == 0 && view.waiting) {
        // The last node that served has gone by itself, and another is wanted.
        to(Phase::Waking)
    } else if view.living == 0 {
        to(Phase::Asleep)
    } else {
        to(Phase::FallingAsleep).because(IDLE)
    }
}

fn falling(state: &FleetState, view: &View, spent: bool, to: impl Fn(Phase) -> FleetState) -> FleetState {
    let told = state.reason.as_deref() != Some(IDLE);
    if view.living == 0 && !view.ordered {
        to(Phase::Asleep)
    } else if told {
        state.clone()
    } else if view.staying {
        to(Phase::Awake)
    } else if view.waiting && !spent {
        to(Phase::Waking)
    } else {
        state.clone()
    }
}

fn broken(state: &FleetState, view: &View, wall: i64, to: impl Fn(Phase) -> FleetState) -> FleetState {
    if view.staying {
        return to(Phase::Awake);
    }
    if wall.saturating_sub(state.since) < BROKEN_FOR {
        return state.clone();
    }
    // One more try, which one more failure ends.
    let next = to(if view.waiting { Phase::Waking } else { Phase::Asleep });
    FleetState { boot_failures: next.boot_failures.min(FAILURES - 1), ..next }
}
