//! What one round orders, and why in words.

use std::fmt;

use super::observation::NodeId;

/// What to do now. Absolute counts and names, so that doing it twice is harmless.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The desired count to set; `None` leaves it alone. It never takes a living node away.
    pub desired: Option<u32>,
    /// A lower desired count that only withdraws launches not yet in service: those that nobody will need by the time
    /// they are ready. Whoever acts on it must first see that at least so many instances as it takes away are still on
    /// their way in; leaving it alone costs hours, nothing else. Never beside `desired`.
    pub withdraw: Option<u32>,
    /// Nodes that get the order to drain.
    pub cordon: Vec<NodeId>,
    /// Draining nodes whose order is taken back.
    pub uncordon: Vec<NodeId>,
    /// Drained nodes to terminate by name, which lowers desired by as many.
    pub terminate: Vec<NodeId>,
    /// Nodes the work needs now.
    pub needed: u32,
    /// Nodes that should be launched and are not after this decision's own call: the metric `NodesShort`.
    pub nodes_short: u32,
    /// Why, in the order of the rules.
    pub reasons: Vec<Reason>,
}

/// One reason, for the log and `--dry-run`.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The group's description is too old.
    GroupStale,
    /// No usable report from anyone.
    NoReports,
    /// Some gateway's numbers are frozen.
    ReportsStale,
    /// Draining nodes taken back.
    TakenBack(u32),
    /// Launches whose waiting saved is worth their price.
    Worth(u32),
    /// The first request at zero.
    Wake,
    /// Below the floor: minimum, schedule or an order.
    Floor(u32),
    /// Fewer than wanted: the most that may start in 30 s.
    LaunchRate,
    /// Fewer than wanted: the ceiling.
    Ceiling,
    /// Fewer than wanted: the budget.
    Budget,
    /// None: a launch was refused lately.
    BackingOff,
    /// None: desired was written less than five seconds ago.
    JustWritten,
    /// The step policy acts on `NodesShort`.
    LeftToPolicy(u32),
    /// No scale-in while nodes boot.
    BootsPending,
    /// No scale-in while an instance refresh runs.
    Refreshing,
    /// Nodes no longer needed for their hold time.
    Surplus(u32),
    /// The run is over: hard limit, or ordered to sleep.
    Ending,
    /// Drained nodes leave.
    Drained(u32),
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GroupStale => write!(out, "the group's description is older than 30 s: nothing is changed"),
            Self::NoReports => write!(out, "no gateway has reported: only draining nodes are taken back"),
            Self::ReportsStale => write!(out, "a gateway's report is older than 15 s: nothing is taken away"),
            Self::TakenBack(n) => write!(out, "{n} draining taken back"),
            Self::Worth(n) => write!(out, "{n} more are worth their price"),
            Self::Wake => write!(out, "a request at zero: wake"),
            Self::Floor(n) => write!(out, "floor of {n}"),
            Self::LaunchRate => write!(out, "held back: launches per 30 s"),
            Self::Ceiling => write!(out, "held back: maximum"),
            Self::Budget => write!(out, "held back: budget"),
            Self::BackingOff => write!(out, "held back: a launch was refused"),
            Self::JustWritten => write!(out, "held back: desired was just written"),
            Self::LeftToPolicy(n) => write!(out, "{n} short, left to the step policy"),
            Self::BootsPending => write!(out, "surplus kept while nodes boot"),
            Self::Refreshing => write!(out, "surplus kept while an instance refresh runs"),
            Self::Surplus(n) => write!(out, "{n} not needed for their hold time"),
            Self::Ending => write!(out, "the run ends"),
            Self::Drained(n) => write!(out, "{n} drained, terminated"),
        }
    }
}
