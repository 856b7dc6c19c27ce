//! The arithmetic of a limit: so much at once, and so much a second.

use std::time::Duration;

use tokio::time::Instant;

/// The longest wait a refusal names: a limit that never lets anything through still gives an answer.
const LONGEST: f64 = 3600.0;

/// A limit's size. What is used up flows back evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    /// Units that may be used at once.
    pub capacity: f64,
    /// Units that flow back in a second.
    pub per_second: f64,
}

/// What one caller has used and not been given back. It knows no size, so that a caller whose rights differ between
/// two tokens still has one limit.
#[derive(Debug)]
pub(super) struct Bucket {
    used: f64,
    at: Instant,
    /// How fast it drains: as of the last take.
    per_second: f64,
}

impl Bucket {
    pub fn new(now: Instant) -> Self {
        Self { used: 0.0, at: now, per_second: 0.0 }
    }

    /// Uses `units`, or says how long to wait until it could. More than the whole capacity is let through when
    /// nothing at all is used, since it never could else; it is then a debt.
    pub fn take(&mut self, units: f64, size: Size, now: Instant) -> Result<(), Duration> {
        self.drain(now);
        self.per_second = size.per_second;
        let room = (size.capacity - units).max(0.0);
        // A unit's billionth is what rounding leaves of a wait that was long enough.
        if self.used <= room + 1e-9 * size.capacity {
            self.used += units;
            return Ok(());
        }
        // Zero units a second give an infinite wait, which is cut like any other.
        let wait = ((self.used - room) / size.per_second).min(LONGEST);
        Err(Duration::from_secs_f64(wait) + Duration::from_nanos(1))
    }

    /// Uses more than was taken (or less, below zero), allowed or not.
    pub fn correct(&mut self, units: f64, size: Size, now: Instant) {
        self.drain(now);
        self.per_second = size.per_second;
        self.used = (self.used + units).max(0.0);
    }

    /// Has everything flowed back?
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.drain(now);
        self.used == 0.0
    }

    fn drain(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.used = (self.used - elapsed * self.per_second).max(0.0);
        self.at = self.at.max(now);
    }
}
