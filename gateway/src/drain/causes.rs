//! Why a process drains, and how far that leads at a moment: pure, with time as a value.

use std::time::Duration;

use tokio::time::Instant;

use super::Phase;

/// Before the deadline, what still runs is ended in words: the time to notice and to read them.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Of a short time to leave they take no more than this part.
const OF_THE_TIME: u32 = 10;

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
    /// When what still runs is told that it ends.
    last_words: Instant,
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
        let words = LAST_WORDS.min(deadline.saturating_duration_since(now) / OF_THE_TIME);
        let last_words = deadline.checked_sub(words).unwrap_or(deadline);
        self.leave = Some(Leave { accepts_until, last_words, deadline });
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

    /// Is it time to tell what still runs that it ends?
    pub fn end(&self, now: Instant) -> bool {
        self.leave.is_some_and(|leave| now >= leave.last_words)
    }

    /// Is there no way back?
    pub fn are_final(&self) -> bool {
        self.leave.is_some()
    }

    /// When the phase may change by itself.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        let ordered = self.order.map(|order| [order.accepts_until, order.until]);
        let left = self.leave.map(|leave| [leave.accepts_until, leave.last_words, leave.deadline]);
        let all = ordered.into_iter().flatten().chain(left.into_iter().flatten());
        all.filter(|at| *at > now).min()
    }
}
