//! Is the store worth asking? Pure, with time as a value.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that are borne: each may be one lost packet.
const BORNE: u32 = 3;
/// How often a store that does not answer is asked, by one request; the others would only wait for it.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What is known of the store's health.
#[derive(Debug, Default)]
pub(super) struct Outage {
    failures: u32,
    ask_again: Option<Instant>,
}

impl Outage {
    /// May this request ask?
    pub(super) fn may_ask(&mut self, now: Instant) -> bool {
        if self.failures < BORNE {
            return true;
        }
        let due = self.ask_again.is_none_or(|at| at <= now);
        if due {
            self.ask_again = Some(now + ASK_AGAIN);
        }
        due
    }

    /// It did not answer. True where that begins an outage.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.ask_again = Some(now + ASK_AGAIN);
        self.failures == 1
    }

    /// It answered. True where that ends an outage.
    pub(super) fn ended(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_store_is_asked_once_a_second() {
        let (mut outage, now) = (Outage::default(), Instant::now());
        for failure in 0..BORNE {
            assert!(outage.may_ask(now));
            assert_eq!(outage.failed(now), failure == 0, "it begins once");
        }
        assert!(!outage.may_ask(now) && !outage.may_ask(now + ASK_AGAIN / 2));
        assert!(outage.may_ask(now + ASK_AGAIN));
        assert!(!outage.may_ask(now + ASK_AGAIN), "by one");
        assert!(outage.ended() && !outage.ended(), "it ends once");
        assert!(outage.may_ask(now) && outage.may_ask(now));
    }
}
