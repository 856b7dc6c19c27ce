//! How much a bot may send: core.telegram.org/bots/faq names one message a second in a chat, "short bursts" over that,
//! and about thirty a second in all. How long a burst may be and how long the wait then is, Telegram does not say:
//! three, and three seconds, are this fake's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Messages at once in a quiet chat.
const BURST: f64 = 3.0;
/// Messages a second in all chats together.
const ALL: f64 = 30.0;
/// The wait of whoever sent too much.
const WAIT: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(most: f64, now: Instant) -> Self {
        Self { left: most, at: now }
    }

    fn takes(&mut self, most: f64, per_second: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + passed * per_second).min(most), now);
        let fits = self.left >= 1.0;
        if fits {
            self.left -= 1.0;
        }
        fits
    }
}

/// What has been sent.
#[derive(Default)]
pub(super) struct Flood {
    chats: HashMap<i64, Bucket>,
    all: Option<Bucket>,
    held: HashMap<i64, Instant>,
    /// How often it was too much.
    pub(super) broken: usize,
}

impl Flood {
    /// Takes a message.
    ///
    /// # Errors
    /// Too much: for how many seconds there must be silence.
    pub(super) fn take(&mut self, chat: i64, now: Instant) -> Result<(), u64> {
        if let Some(until) = self.held.get(&chat).filter(|until| **until > now) {
            self.broken += 1;
            return Err(until.duration_since(now).as_secs() + 1);
        }
        let fits_chat = self.chats.entry(chat).or_insert(Bucket::new(BURST, now)).takes(BURST, 1.0, now);
        let fits_all = self.all.get_or_insert(Bucket::new(ALL, now)).takes(ALL, ALL, now);
        if fits_chat && fits_all {
            return Ok(());
        }
        self.broken += 1;
        self.hold(chat, WAIT, now);
        Err(WAIT.as_secs())
    }

    /// Wants silence in a chat.
    pub(super) fn hold(&mut self, chat: i64, wait: Duration, now: Instant) {
        self.held.insert(chat, now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_short_and_then_one_a_second() {
        let now = Instant::now();
        let mut flood = Flood::default();
        assert!((0..3).all(|_| flood.take(1, now).is_ok()));
        assert_eq!(flood.take(1, now), Err(3));
        assert_eq!(flood.take(1, now + Duration::from_secs(1)), Err(3), "the wait must be kept");
        assert!(flood.take(2, now).is_ok(), "another chat");
        assert!(flood.take(1, now + Duration::from_millis(3001)).is_ok());
        assert_eq!(flood.broken, 2);
        let mut steady = Flood::default();
        assert!((0..100).all(|second| steady.take(1, now + Duration::from_secs(second)).is_ok()));
    }

    #[test]
    fn thirty_a_second_is_the_most_of_all() {
        let now = Instant::now();
        let mut flood = Flood::default();
        assert!((0..30).all(|chat| flood.take(chat, now).is_ok()));
        assert!(flood.take(30, now).is_err());
    }
}
