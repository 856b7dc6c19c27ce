//! When clients go to the nodes themselves: once two have been healthy for half a minute, and never with fewer than two.

use std::collections::{BTreeMap, BTreeSet};

use super::{View, Weights};
use crate::Seconds;
use crate::decide::observation::NodeId;

/// So many healthy nodes: with one, its end would leave clients before an empty group until the next tick.
pub const ENOUGH: usize = 2;

/// Healthy for so long before clients come, so that a node that flaps, or boots into a crash, moves nothing.
pub const STEADY: Seconds = 30.0;

/// What is remembered between two looks: since when each node has been healthy without a break.
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    since: BTreeMap<NodeId, Seconds>,
}

impl Keeper {
    /// Takes in what is seen at `now` and says what to set, if anything. Nodes that are `leaving` no longer count: the
    /// load balancer hears of it only when their health checks have failed.
    ///
    /// The nodes keep their weight on two healthy ones, steady or not: a new leader, who remembers nothing, must not
    /// move clients to the front and back.
    pub fn correction(&mut self, seen: &View, leaving: &BTreeSet<NodeId>, now: Seconds) -> Option<Weights> {
        self.since.retain(|node, _| seen.healthy.contains(node) && !leaving.contains(node));
        for node in seen.healthy.difference(leaving) {
            self.since.entry(node.clone()).or_insert(now);
        }
        let steady = self.since.values().filter(|since| now - **since >= STEADY).count();
        let open = seen.weights.nodes > 0;
        let wanted = if self.since.len() >= ENOUGH && (open || steady >= ENOUGH) {
            Weights::NODES
        } else {
            Weights::FRONT
        };
        (seen.weights != wanted).then_some(wanted)
    }
}

#[cfg(test)]
mod tests;
