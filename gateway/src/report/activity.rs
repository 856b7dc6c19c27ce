//! When the last request came that counts as activity.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use jiff::Timestamp;

/// The last admitted inference request of this process: what keeps the fleet awake. Lists, health checks and what is
/// refused never do.
#[derive(Debug, Default)]
pub struct Activity(AtomicI64);

impl Activity {
    /// One is admitted now.
    pub fn mark(&self) {
        // A clock that is set back does not make what has happened older.
        self.0.fetch_max(Timestamp::now().as_second(), Relaxed);
    }

    /// When the last one was, in seconds since 1970; `None` before the first.
    pub fn last(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|at| *at > 0)
    }
}
