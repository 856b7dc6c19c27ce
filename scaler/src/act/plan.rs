//! What a round does, in order. Pure.

use fleet::store::FleetState;

use super::{Act, Why};
use crate::decide::Decision;
use crate::decide::observation::{NodeId, Phase};
use crate::drain;
use crate::life::Course;
use crate::observe::Sight;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// What was seen.
    pub sight: &'a Sight,
    /// What was decided on it.
    pub decision: &'a Decision,
    /// What the fleet's life asks for beside it.
    pub course: &'a Course,
    /// The state to write, budget and boots included; `None`: it is as it should be.
    pub state: Option<&'a FleetState>,
    /// A node to have replaced.
    pub sick: Option<&'a NodeId>,
    /// Fewest and most nodes that the configuration allows.
    pub bounds: (u32, u32),
    /// A launch was refused so lately that none is tried.
    pub backing_off: bool,
}

/// The round's acts.
#[must_use]
pub fn plan(from: &Plan<'_>) -> Vec<Act> {
    let Plan { sight, decision, course, .. } = *from;
    let mut acts: Vec<Act> = from.state.map(|state| Act::Tell(Box::new(state.clone()))).into_iter().collect();
    let taken_back = decision.uncordon.iter();
    let resumed = drain::ordered_booting(sight).filter(|id| !course.end.contains(id));
    let taken_back = taken_back.chain(resumed);
    acts.extend(taken_back.filter_map(|id| Some(Act::TakeBack(id.clone(), drain::take_back(sight, id)?))));
    acts.extend(launches(from));
    acts.extend(drains(from));
    if !sight.seen.group.refreshing {
        let leaving = decision.terminate.iter().filter(|id| drain::holds(sight, id));
        acts.extend(leaving.map(|id| Act::End(id.clone(), Why::Drained)));
        acts.extend(course.end.iter().filter_map(|id| give_up(sight, id)));
    }
    acts.extend(course.call_off.then_some(Act::CallOff).filter(|_| waits_unborn(sight)));
    acts.extend(decision.withdraw.filter(|_| !course.call_off).map(Act::Withdraw));
    acts.extend(from.sick.map(|id| Act::Replace(id.clone())));
    acts.extend(drain::gone(sight).map(Act::Forget));
    acts
}

/// One that never served. Where its gateway listens it is ordered to drain, and ends as any other that has: it may come
/// up at last in this very second. One that was never heard has to be silent for a while: the store may have failed. At
/// the minimum it cannot end, only be replaced.
fn give_up(sight: &Sight, id: &NodeId) -> Option<Act> {
    let spare = sight.group.desired.max(sight.living()) > sight.group.min;
    if sight.store_steady < drain::SILENT {
        return None;
    }
    if !spare || !drain::listens(sight, id) || drain::holds(sight, id) {
        return Some(Act::End(id.clone(), Why::NeverServed));
    }
    let order = drain::renewal(sight, id).or_else(|| drain::begin(sight, id))?;
    Some(Act::Drain(id.clone(), order))
}

fn waits_unborn(sight: &Sight) -> bool {
    sight.group.desired > sight.living().max(sight.group.min)
}

fn launches(from: &Plan<'_>) -> Option<Act> {
    let most = from.bounds.1.min(from.sight.group.max);
    let raised = from.decision.desired.map(|desired| desired.min(most));
    if from.course.stall {
        return None;
    }
    match raised {
        Some(desired) if desired > from.sight.group.desired => Some(Act::Raise(desired)),
        _ if from.course.wake && !from.backing_off => Some(Act::Wake),
        _ => None,
    }
}

/// Orders that go on, and new ones: never so many that fewer than the least stay.
fn drains(from: &Plan<'_>) -> Vec<Act> {
    let Plan { sight, decision, .. } = *from;
    let taken_back = |id: &&NodeId| !decision.uncordon.contains(id);
    let mut acts: Vec<Act> = drain::draining(sight)
        .filter(taken_back)
        .filter_map(|id| Some(Act::Drain(id.clone(), drain::renewal(sight, id)?)))
        .collect();
    if sight.seen.group.refreshing {
        return acts;
    }
    let least = from.bounds.0.max(sight.group.min);
    let staying = sight.in_phase(Phase::Ready).count() + sight.in_phase(Phase::Booting).count();
    let spare = staying.saturating_sub(least as usize);
    let new = decision.cordon.iter().take(spare);
    acts.extend(new.filter_map(|id| Some(Act::Drain(id.clone(), drain::begin(sight, id)?))));
    acts
}
