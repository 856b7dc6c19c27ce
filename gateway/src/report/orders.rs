//! The leader's orders as a node hears them with its reports: which one stands, and for how long by the node's own
//! clock. Pure, with both clocks as values.

use std::time::Duration;

use fleet::report::{OrderKind, ReportAnswer};
use tokio::time::Instant;

/// The longest an order stands that is not renewed. The leader gives 60 s and renews long before; a remaining time of
/// more than twice that only says that our clock is behind, and must not keep a node idle for an hour.
const LONGEST: Duration = Duration::from_secs(120);

/// The order that was heard last.
#[derive(Debug, Default)]
pub(super) struct Orders {
    heard: ReportAnswer,
    obeyed: u64,
    until: Option<Instant>,
}

impl Orders {
    /// Takes the order beside the report as it stands now. The wall clock is read once for each order and each renewal;
    /// from then on the monotonic one counts, so that a clock that jumps neither frees a node nor holds it.
    pub(super) fn hear(&mut self, answer: ReportAnswer, wall: i64, now: Instant) {
        if answer == self.heard {
            return;
        }
        self.heard = answer;
        let left = u64::try_from(answer.order_until.saturating_sub(wall)).unwrap_or(0);
        let left = Duration::from_secs(left).min(LONGEST);
        match answer.order {
            OrderKind::None => (self.until, self.obeyed) = (None, answer.order_seq),
            OrderKind::Drain if !left.is_zero() => {
                (self.until, self.obeyed) = (Some(now + left), answer.order_seq);
            }
            // It had lapsed before we heard of it: nothing to obey, nothing to echo.
            OrderKind::Drain => {
                self.until = None;
                tracing::warn!(seq = answer.order_seq, "an order came after its end; do the clocks differ?");
            }
        }
    }

    /// Until when the node drains; `None`: it serves.
    pub(super) fn drains_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// The number to echo: of the last order that was obeyed.
    pub(super) fn seen(&self) -> u64 {
        self.obeyed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: i64 = 1_800_000_000;
    const SECOND: Duration = Duration::from_secs(1);

    fn answer(order: OrderKind, order_seq: u64, left: i64) -> ReportAnswer {
        ReportAnswer { order, order_seq, order_until: WALL + left }
    }

    #[test]
    fn an_order_stands_until_it_lapses_is_renewed_or_is_taken_back() {
        let (mut orders, now) = (Orders::default(), Instant::now());
        orders.hear(ReportAnswer::default(), WALL, now);
        assert_eq!((orders.drains_until(now), orders.seen()), (None, 0));
        orders.hear(answer(OrderKind::Drain, 7, 60), WALL, now);
        assert_eq!((orders.drains_until(now), orders.seen()), (Some(now + 60 * SECOND), 7));
        assert_eq!(orders.drains_until(now + 60 * SECOND), None, "it lapses");
        orders.hear(answer(OrderKind::Drain, 7, 80), WALL + 20, now + 20 * SECOND);
        assert_eq!(orders.drains_until(now), Some(now + 80 * SECOND), "the same number renews");
        orders.hear(answer(OrderKind::None, 8, 0), WALL + 21, now + 21 * SECOND);
        assert_eq!((orders.drains_until(now), orders.seen()), (None, 8));
        // The line was forgotten and made anew: what stands there now counts, also a lower number.
        orders.hear(answer(OrderKind::Drain, 1, 90), WALL + 30, now + 30 * SECOND);
        assert_eq!((orders.drains_until(now), orders.seen()), (Some(now + 90 * SECOND), 1));
    }

    #[test]
    fn a_clock_that_jumps_changes_nothing() {
        for jump in [-86_400, 86_400] {
            let (mut orders, now) = (Orders::default(), Instant::now());
            let order = answer(OrderKind::Drain, 7, 60);
            orders.hear(order, WALL, now);
            orders.hear(order, WALL + jump, now + 2 * SECOND);
            assert_eq!(orders.drains_until(now), Some(now + 60 * SECOND), "{jump}");
        }
    }

    #[test]
    fn a_clock_that_is_behind_holds_no_node_for_long() {
        let (mut orders, now) = (Orders::default(), Instant::now());
        orders.hear(answer(OrderKind::Drain, 7, 60), WALL - 3600, now);
        assert_eq!(orders.drains_until(now), Some(now + LONGEST));
    }

    #[test]
    fn an_order_that_comes_after_its_end_is_not_obeyed_and_not_echoed() {
        let (mut orders, now) = (Orders::default(), Instant::now());
        orders.hear(answer(OrderKind::Drain, 3, 0), WALL, now);
        assert_eq!((orders.drains_until(now), orders.seen()), (None, 0));
    }
}
