//! Who goes, who comes back, and who may be terminated: fewest streams first, never one with work.

use super::decision::{Decision, Reason};
use super::observation::{Node, Observation, Phase};

/// A report this old says nothing about a node: unknown means busy.
const UNKNOWN: f64 = 15.0;

/// Whether an order to drain can be taken back.
pub(super) fn can_return(node: &Node) -> bool {
    node.phase == Phase::Draining
}

/// Takes back up to `count` draining nodes, those with the most streams first: they are warm, and the emptiest is the
/// one that may leave soonest.
pub(super) fn take_back(seen: &Observation, count: u32, decision: &mut Decision) {
    let mut draining: Vec<_> = seen.nodes.iter().filter(|node| can_return(node)).collect();
    draining.sort_by(|a, b| b.active.cmp(&a.active).then_with(|| a.id.cmp(&b.id)));
    draining.truncate(count as usize);
    if !draining.is_empty() {
        decision.reasons.push(Reason::TakenBack(draining.len() as u32));
        decision.uncordon = draining.into_iter().map(|node| node.id.clone()).collect();
    }
}

/// Orders ready nodes beyond `kept` to drain, fewest streams first.
pub(super) fn to(kept: u32, seen: &Observation, decision: &mut Decision) {
    let mut ready: Vec<_> =
        seen.nodes.iter().filter(|node| node.phase == Phase::Ready && node.report_age <= UNKNOWN).collect();
    let surplus = ready.len().saturating_sub(kept as usize);
    ready.sort_by(|a, b| (a.active + a.queued).cmp(&(b.active + b.queued)).then_with(|| a.id.cmp(&b.id)));
    ready.truncate(surplus);
    if !ready.is_empty() {
        decision.reasons.push(Reason::Surplus(ready.len() as u32));
        decision.cordon = ready.into_iter().map(|node| node.id.clone()).collect();
    }
}

/// Names the drained nodes that leave now: they said so themselves, lately, and hold nothing.
pub(super) fn leave(seen: &Observation, decision: &mut Decision) {
    let drained = |node: &&Node| {
        node.phase == Phase::Draining
            && node.drain_confirmed
            && node.active == 0
            && node.queued == 0
            && node.report_age <= UNKNOWN
            && !decision.uncordon.contains(&node.id)
    };
    let leaving: Vec<_> = seen.nodes.iter().filter(drained).map(|node| node.id.clone()).collect();
    if !leaving.is_empty() {
        decision.reasons.push(Reason::Drained(leaving.len() as u32));
        decision.terminate = leaving;
    }
}
