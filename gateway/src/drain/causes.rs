//! Why a process drains, and how far that leads at a moment: pure, with time as a value.

use tokio::time::Instant;

use super::Phase;

/// The reasons in force. The one that leads furthest counts.
#[derive(Debug, Default)]
pub(super) struct Causes {
    order: Option<Order>,
    leave: Option<Leave>,
}

/// The leader wants the node emptied, for now.
#[derive(Debug, Clone, Copy)]
struct Order {
    /// Until when requests are still taken.
    accepts_until: Instant,
    /// When it lapses.
    until: Instant,
}

/// The process will end.
#[derive(Debug, Clone, Copy)]
struct Leave {
    accepts_until: Instant,
    deadline: Instant,
}

impl Causes {
    /// The leader's order: `until` then, or none. A renewed one keeps the time it began.
    pub fn order(&mut self, accepts_until: Instant, until: Option<Instant>) {
        let accepts_until = self.order.map_or(accepts_until, |order| order.accepts_until);
        self.order = until.map(|until| Order { accepts_until, until });
    }

    /// Leaves for good. Who has closed by an order does not open again, and no later word gives more time.
    pub fn leave(&mut self, now: Instant, accepts_until: Instant, deadline: Instant) {
        let ordered = self.order.filter(|order| order.until > now).map(|order| order.accepts_until);
        let before = self.leave.map(|leave| leave.accepts_until);
        let accepts_until = [ordered, before].into_iter().flatten().fold(accepts_until, Instant::min);
        let deadline = self.leave.map_or(deadline, |leave| leave.deadline.min(deadline));
        self.leave = Some(Leave { accepts_until, deadline });
    }

    /// Where that leads at `now`. An order that has lapsed is forgotten: one that comes later begins anew.
    pub fn phase(&mut self, now: Instant) -> Phase {
        self.order = self.order.filter(|order| order.until > now);
        let accepting = |until: Instant| if now < until { Phase::Leaving } else { Phase::Closing };
        let ordered = self.order.map(|order| accepting(order.accepts_until));
        let left = self
            .leave
            .map(|leave| if now < leave.deadline { accepting(leave.accepts_until) } else { Phase::Over });
        ordered.max(left).unwrap_or(Phase::Serving)
    }

    /// Is there no way back?
    pub fn are_final(&self) -> bool {
        self.leave.is_some()
    }

    /// When the phase may change by itself.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        let ordered = self.order.map(|order| [order.accepts_until, order.until]);
        let left = self.leave.map(|leave| [leave.accepts_until, leave.deadline]);
        [ordered, left].into_iter().flatten().flatten().filter(|at| *at > now).min()
    }
}
