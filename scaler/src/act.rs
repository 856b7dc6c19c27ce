//! From a decision to calls: what is to be done ([`plan`]), and the doing ([`Hands`]).
//!
//! Every act is absolute or names its node, and they stand in an order in which dying between any two is harmless: the
//! state is told first, what helps comes before what takes away, a node is forgotten after it has ended.

mod plan;
mod hands;

use std::fmt;

use fleet::report::Order;
use fleet::store::{FleetState, Phase};

use crate::decide::observation::NodeId;

pub use hands::{Done, Hands};
pub use plan::{Plan, plan};

/// One call that changes something.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Write the fleet's state. If somebody was faster, nothing is taken away this round.
    Tell(Box<FleetState>),
    /// Take an order to drain back.
    TakeBack(NodeId, Order),
    /// Have a first instance, however often it was asked for.
    Wake,
    /// Have so many instances, if there are to be fewer.
    Raise(u32),
    /// Order a node to drain, or go on with it.
    Drain(NodeId, Order),
    /// End this instance by name.
    End(NodeId, Why),
    /// Call off launches that have no instance yet.
    CallOff,
    /// Have so many instances, if there are to be more: launches go that are not in service yet.
    Withdraw(u32),
    /// Have the group replace this instance.
    Replace(NodeId),
    /// Remove what is left of an instance that has ended.
    Forget(NodeId),
}

/// Why an instance ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has drained by order.
    Drained,
    /// It never served, and will not.
    NeverServed,
}

impl fmt::Display for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tell(state) => match &state.reason {
                Some(reason) => write!(out, "tell the fleet's state: {}, {reason}", word(state.phase)),
                None => write!(out, "tell the fleet's state: {}", word(state.phase)),
            },
            Self::TakeBack(node, order) => write!(out, "take back the drain of {node} (order {})", order.seq),
            Self::Wake => write!(out, "have a first instance"),
            Self::Raise(to) => write!(out, "raise desired to {to}"),
            Self::Drain(node, order) => write!(out, "order {node} to drain (order {})", order.seq),
            Self::End(node, Why::Drained) => write!(out, "terminate {node}, which has drained"),
            Self::End(node, Why::NeverServed) => write!(out, "terminate {node}, which never served"),
            Self::Withdraw(to) => write!(out, "withdraw launches down to {to}"),
            Self::CallOff => write!(out, "call off launches without an instance"),
            Self::Replace(node) => write!(out, "mark {node} unhealthy"),
            Self::Forget(node) => write!(out, "forget {node}"),
        }
    }
}

/// The phase as people read it.
#[must_use]
pub fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Asleep => "asleep",
        Phase::Waking => "waking",
        Phase::Awake => "awake",
        Phase::FallingAsleep => "falling asleep",
        Phase::Broken => "broken",
    }
}
