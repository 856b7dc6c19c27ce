//! What one round sees: the group, the nodes, the queue, the counts. A value, so that a decision can be replayed.

use std::fmt;
use std::sync::Arc;

use crate::Seconds;

/// A node's name (the instance id).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// A name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where a node stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Launched, not yet ready.
    Booting,
    /// Takes requests.
    Ready,
    /// Ordered to drain. Takes no new requests, and would again if the order were taken back.
    Draining,
    /// On its way out for a reason of its own: a Spot notice, a signal, a refresh. Takes no new requests, does not come
    /// back, and leaves without our doing.
    Leaving,
}

/// One living instance.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Where it stands.
    pub phase: Phase,
    /// When it was launched: the bill starts here.
    pub launched_at: Seconds,
    /// When it was first ready, if it was.
    pub ready_at: Option<Seconds>,
    /// Requests running on it.
    pub active: u32,
    /// Requests waiting on it.
    pub queued: u32,
    /// Requests it can run at once.
    pub slots: u32,
    /// Whether it has said itself, after the order, that it drains: only then does an empty node stay empty.
    pub drain_confirmed: bool,
    /// Age of its last report. Infinite when it has not reported at all.
    pub report_age: Seconds,
    /// Tokens of all requests that finished on it: prompt, answer. Counts only rise while it lives.
    pub finished: Tokens,
}

/// Sums of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// In prompts.
    pub prompt: u64,
    /// In answers.
    pub output: u64,
}

/// Requests that wait, with the prompts they bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// How many.
    pub count: u64,
    /// Their prompt tokens.
    pub prompt_tokens: u64,
}

/// Counts since the fleet began; they only rise, so that a lost report does no harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that were admitted: finished, running and waiting.
    pub arrived: Requests,
    /// Requests that finished.
    pub finished: u64,
    /// Their tokens.
    pub finished_tokens: Tokens,
}

/// The Auto Scaling group as it describes itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    /// The desired count it has now.
    pub desired: u32,
    /// Age of that description.
    pub age: Seconds,
    /// Stopped instances ready in the warm pool; `None` without a pool.
    pub warm: Option<u32>,
    /// An instance refresh runs: it replaces nodes itself.
    pub refreshing: bool,
    /// When the last launch was refused (no capacity), if one was.
    pub launch_failed_at: Option<Seconds>,
}

/// What a person or the calendar asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// At least so many nodes (`scaler hold N`).
    pub at_least: u32,
    /// Drain everything (`scaler sleep`).
    pub sleep: bool,
}

/// Money used and time left in the budget's period.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    /// GPU-hours used since the period began.
    pub used_hours: f64,
    /// Share of the period still to come, 0 to 1.
    pub period_left: f64,
}

/// A point in the week, for the schedule: Monday is day 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// 0 (Monday) to 6.
    pub weekday: u8,
    /// Minutes since midnight.
    pub minute: u16,
}

/// Everything a decision rests on.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Now, on a clock that never runs backwards.
    pub now: Seconds,
    /// Now, on the wall. `None`: the schedule is not asked.
    pub moment: Option<Moment>,
    /// The group.
    pub group: Group,
    /// Its living instances.
    pub nodes: Vec<Node>,
    /// Requests that wait for a place, anywhere.
    pub waiting: Requests,
    /// Prompt tokens of the requests that run.
    pub running_prompt_tokens: u64,
    /// Counts of the whole fleet.
    pub totals: Totals,
    /// Age of the oldest report of a gateway we count on (fronts too). Infinite: nothing is known.
    pub reports_age: Seconds,
    /// Orders in force.
    pub orders: Orders,
    /// Where the budget stands; used only with a budget in the policy.
    pub spending: Option<Spending>,
}
