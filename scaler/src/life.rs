//! The life of the fleet as the leader drives it: asleep, waking, awake, falling asleep, broken. Pure: what was seen
//! and decided comes in, the next state and what must be done for it go out.
//!
//! [`boots`] says which launches came up and which never will; `phase` is the rule from state to state.

pub mod boots;
mod phase;

use fleet::store::{Boot, FleetState, Phase};

use crate::Seconds;
use crate::decide::Decision;
use crate::decide::observation::{NodeId, Orders};
use crate::observe::Sight;
use boots::Boots;

/// The reason of a fall that the leader began itself, for want of work. Any other, or none, is somebody's order.
pub const IDLE: &str = "idle";

/// After so many boots in a row that failed the fleet is broken.
pub const FAILURES: u32 = 3;

/// How long it stays broken until the next try, in seconds.
pub const BROKEN_FOR: i64 = 600;

/// What the state asks of `decide`, at `wall`. `spent`: the budget has nothing left.
#[must_use]
pub fn orders(state: &FleetState, wall: i64, spent: bool, min: u32) -> Orders {
    let hold = state.hold.filter(|hold| wall < hold.until).map_or(0, |hold| hold.nodes);
    let told_to_sleep = state.phase == Phase::FallingAsleep && state.reason.as_deref() != Some(IDLE);
    let at_least = match state.phase {
        // Whoever woke it wants a node, even if his request is gone when it comes.
        Phase::Waking => hold.max(1),
        Phase::Broken => 0,
        _ => hold,
    };
    Orders { at_least, sleep: told_to_sleep || (spent && min == 0) }
}

/// What the round must do beside what was decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The state to write, where it is another.
    pub state: Option<FleetState>,
    /// Instances to end by name: they never served, and will not.
    pub end: Vec<NodeId>,
    /// Launches that have no instance yet are called off: desired falls to what lives.
    pub call_off: bool,
    /// Have a first instance, whatever was decided.
    pub wake: bool,
    /// Launch nothing, whatever was decided.
    pub stall: bool,
}

/// What is remembered from round to round.
#[derive(Debug, Default)]
pub struct Life {
    boots: Boots,
    /// Boots that the state does not know of yet.
    unwritten: Vec<Boot>,
    /// When a boot last failed.
    failed_at: Option<Seconds>,
}

impl Life {
    /// The course of one round. `boot` is how long a launch is expected to take, `spent` as in [`orders`].
    pub fn steer(
        &mut self,
        state: &FleetState,
        sight: &Sight,
        decision: &Decision,
        boot: Seconds,
        spent: bool,
    ) -> Course {
        let news = self.boots.news(sight, boot);
        if news.boots.iter().any(|boot| boot.seconds.is_none()) {
            self.failed_at = Some(sight.seen.now);
        }
        self.unwritten.extend(news.boots);
        let booted = self.unwritten.iter().fold(state.clone(), |state, boot| state.booted(*boot));
        let next = phase::next(&booted, sight, decision, spent);
        let mut course = Course { end: news.lost, ..Course::default() };
        match next.phase {
            Phase::Broken => course.give_up(sight),
            Phase::FallingAsleep if next.reason.as_deref() != Some(IDLE) => course.give_up(sight),
            Phase::FallingAsleep if sight.living() == 0 => course.call_off = true,
            Phase::Waking => course.wake = sight.living() == 0 && !spent,
            _ => {}
        }
        // Failed or about to: a fourth try teaches nothing that three did not.
        course.stall |= news.overdue > 0 && next.boot_failures + news.overdue >= FAILURES;
        course.stall |= self.recently_failed(next.boot_failures, sight.seen.now);
        course.state = (next != *state).then_some(next);
        course
    }

    /// Nodes are up, but the last three launches were not: no more of them for a while.
    fn recently_failed(&self, failures: u32, now: Seconds) -> bool {
        let lately = self.failed_at.is_some_and(|at| now - at < BROKEN_FOR as f64);
        failures >= FAILURES && lately
    }

    /// The state that [`Course::state`] asked for was written.
    pub fn written(&mut self) {
        self.unwritten.clear();
    }

    /// The leader ended this instance itself: that it never served is no news.
    pub fn ended(&mut self, id: &NodeId) {
        self.boots.ended(id);
    }
}

impl Course {
    /// Nothing is launched; what never served ends, and so does what has no instance yet.
    fn give_up(&mut self, sight: &Sight) {
        self.stall = true;
        self.call_off = true;
        let booting = sight.members.iter().filter(|member| !member.may_have_served());
        self.end.extend(booting.map(|member| member.id.clone()));
        self.end.sort();
        self.end.dedup();
    }
}
