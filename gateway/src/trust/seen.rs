//! Tokens that were used, remembered as long as they could be used again. Pure: time comes in as a value.

use std::collections::HashSet;

use super::{LEEWAY, LIFETIME};

/// No token is good for longer than this after it was first seen, in seconds: it may be dated ahead by the leeway, and
/// is taken until the leeway after its end.
const GOOD_FOR: u64 = LIFETIME + 2 * LEEWAY;

/// Tokens remembered in one such time. Only what a peer has signed gets here; a node with eight slots and answers of a
/// second takes 320.
const MOST: usize = 1 << 16;

/// A token's name: who made it, and their number for it.
pub(super) type Name = (String, String);

/// Has a token been used before?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No, and it is remembered from now on.
    First,
    /// Yes.
    Again,
    /// It cannot be remembered, so it may not be used.
    Full,
}

/// The tokens used lately, in two halves: each is filled for the time that a token is good, and thrown away whole when
/// the next has been filled as long.
#[derive(Default)]
pub(super) struct Seen {
    young: HashSet<Name>,
    old: HashSet<Name>,
    since: u64,
}

impl Seen {
    /// Uses a token that is good at the time `now`, in seconds.
    pub(super) fn first_time(&mut self, name: Name, now: u64) -> Verdict {
        if now >= self.since + GOOD_FOR {
            let lately = now < self.since + 2 * GOOD_FOR;
            let young = std::mem::take(&mut self.young);
            self.old = if lately { young } else { HashSet::new() };
            self.since = now;
        }
        if self.young.contains(&name) || self.old.contains(&name) {
            Verdict::Again
        } else if self.young.len() >= MOST {
            Verdict::Full
        } else {
            self.young.insert(name);
            Verdict::First
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u64) -> Name {
        ("a".to_owned(), number.to_string())
    }

    #[test]
    fn a_token_is_remembered_as_long_as_it_is_good() {
        for began in [0, 1, GOOD_FOR - 1, GOOD_FOR, 1_000_000] {
            let mut seen = Seen::default();
            seen.first_time(name(0), 1);
            let at = 1 + began;
            assert_eq!(seen.first_time(name(7), at), Verdict::First);
            for later in 0..=GOOD_FOR {
                seen.first_time(name(1000 + later), at + later);
                assert_eq!(seen.first_time(name(7), at + later), Verdict::Again, "{later} s after {at}");
            }
        }
    }

    #[test]
    fn it_forgets_in_time_and_is_bounded_until_then() {
        let mut seen = Seen::default();
        for number in 0..MOST as u64 {
            assert_eq!(seen.first_time(name(number), 100), Verdict::First);
        }
        assert_eq!(seen.first_time(name(u64::MAX), 100), Verdict::Full);
        assert_eq!(seen.first_time(name(3), 100), Verdict::Again);
        assert_eq!(seen.first_time(name(u64::MAX), 100 + GOOD_FOR), Verdict::First);
        seen.first_time(name(1), 100 + 2 * GOOD_FOR);
        assert_eq!(seen.young.len() + seen.old.len(), 2);
    }

    #[test]
    fn two_senders_may_use_one_number() {
        let mut seen = Seen::default();
        assert_eq!(seen.first_time(("a".to_owned(), "1".to_owned()), 1), Verdict::First);
        assert_eq!(seen.first_time(("b".to_owned(), "1".to_owned()), 1), Verdict::First);
    }
}
