//! When the next message may go: Telegram takes about one a second in a chat, shortly more, and about thirty a second
//! in all (core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this). Edits count like messages. Time
//! comes in as a value.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// One message a second in a chat; two at once where it was quiet before.
const CHAT: Rate = Rate { every: Duration::from_secs(1), at_once: 2 };
/// Twenty-five a second in all: below Telegram's thirty, since what leaves evenly may arrive unevenly.
const ALL: Rate = Rate { every: Duration::from_millis(40), at_once: 5 };
/// Chats that are remembered before those that are quiet are looked for.
const MANY: usize = 1000;

#[derive(Debug, Clone, Copy)]
struct Rate {
    every: Duration,
    at_once: u32,
}

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message, a file: at once, if it was quiet.
    New,
    /// An edit: never sooner than a second after what went before.
    Edit,
}

/// When everything that has gone is paid for (a virtual schedule: each takes one `every`).
#[derive(Debug, Clone, Copy)]
struct Meter(Instant);

impl Meter {
    fn free_at(self, rate: Rate, at_once: u32, now: Instant) -> Instant {
        let ahead = rate.every * at_once.saturating_sub(1);
        self.0.checked_sub(ahead).map_or(now, |at| at.max(now))
    }

    fn takes(&mut self, rate: Rate, at: Instant) {
        self.0 = self.0.max(at) + rate.every;
    }
}

#[derive(Debug, Clone, Copy)]
struct Chat {
    meter: Meter,
    held_until: Instant,
}

/// What has gone where.
#[derive(Debug)]
pub struct Pace {
    chats: HashMap<i64, Chat>,
    all: Meter,
}

impl Pace {
    /// Nothing has gone yet.
    pub fn new(now: Instant) -> Self {
        Self { chats: HashMap::new(), all: Meter(now) }
    }

    /// When something may go to a chat, as far as that chat is concerned.
    pub fn free_at(&self, chat: i64, kind: Kind, now: Instant) -> Instant {
        let Some(chat) = self.chats.get(&chat) else { return now };
        let at_once = if kind == Kind::Edit { 1 } else { CHAT.at_once };
        chat.meter.free_at(CHAT, at_once, now).max(chat.held_until)
    }

    /// The same, and it is taken: the caller waits until then, and then for its place among all chats.
    pub fn take(&mut self, chat: i64, kind: Kind, now: Instant) -> Instant {
        let at = self.free_at(chat, kind, now);
        if self.chats.len() >= MANY {
            self.chats.retain(|_, chat| chat.meter.0 > now || chat.held_until > now);
        }
        let entry = self.chats.entry(chat).or_insert(Chat { meter: Meter(at), held_until: at });
        entry.meter.takes(CHAT, at);
        at
    }

    /// When whoever may send to their chat `now` may really do so. Asked only then: a place that is taken for later
    /// would hold up all the others.
    pub fn take_among_all(&mut self, now: Instant) -> Instant {
        let at = self.all.free_at(ALL, ALL.at_once, now);
        self.all.takes(ALL, at);
        at
    }

    /// Telegram wants nothing for this chat until then.
    pub fn hold(&mut self, chat: i64, until: Instant) {
        let entry = self.chats.entry(chat).or_insert(Chat { meter: Meter(until), held_until: until });
        entry.held_until = entry.held_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begin: Instant, at: Instant) -> u128 {
        at.duration_since(begin).as_millis()
    }

    #[test]
    fn a_chat_gets_one_a_second_and_two_after_a_silence() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let at: Vec<u128> = (0..4).map(|_| after(now, pace.take(1, Kind::New, now))).collect();
        assert_eq!(at, [0, 0, 1000, 2000]);
        assert_eq!(after(now, pace.free_at(2, Kind::New, now)), 0);
        let later = now + Duration::from_secs(60);
        assert_eq!([pace.take(1, Kind::New, later), pace.take(1, Kind::New, later)], [later; 2]);
    }

    #[test]
    fn an_edit_waits_a_second_for_what_went_before() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.take(1, Kind::New, now);
        assert_eq!(after(now, pace.take(1, Kind::Edit, now)), 1000);
        assert_eq!(after(now, pace.take(1, Kind::Edit, now + Duration::from_millis(1500))), 2000);
        let quiet = now + Duration::from_secs(9);
        assert_eq!(pace.take(1, Kind::Edit, quiet), quiet);
    }

    #[test]
    fn a_flood_wait_holds_its_chat_only() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.hold(1, now + Duration::from_secs(7));
        assert_eq!(after(now, pace.take(1, Kind::New, now)), 7000);
        assert_eq!(after(now, pace.take(2, Kind::New, now)), 0);
    }

    #[test]
    fn no_second_sees_more_than_thirty() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let at: Vec<u128> = (0..200).map(|_| after(now, pace.take_among_all(now))).collect();
        for begin in &at {
            let within = at.iter().filter(|other| (*begin..begin + 1000).contains(*other)).count();
            assert!(within <= 30, "{within} from {begin}");
        }
    }

    #[test]
    fn chats_that_are_quiet_are_forgotten() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for chat in 0..5000 {
            pace.take(chat, Kind::New, now + Duration::from_secs(u64::try_from(chat).unwrap()));
        }
        assert!(pace.chats.len() <= MANY + 1);
    }
}
