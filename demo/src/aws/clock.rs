//! The fake's time: it runs at a multiple of real time, none included, and can be moved ahead.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time since the fake began.
pub(super) struct Clock {
    began: Instant,
    speed: f64,
    ahead: Mutex<Duration>,
}

impl Clock {
    /// `speed` seconds a second.
    pub(super) fn new(speed: f64) -> Self {
        Self { began: Instant::now(), speed: speed.max(0.0), ahead: Mutex::default() }
    }

    pub(super) fn now(&self) -> Duration {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead + self.began.elapsed().mul_f64(self.speed)
    }

    pub(super) fn advance(&self, span: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += span;
    }
}
