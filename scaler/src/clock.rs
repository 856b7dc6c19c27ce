//! The two clocks of a round: one that never runs backwards, by which spans are measured, and the wall's, by which
//! calendars are read and orders lapse. A jump of the wall's clock must do no harm, so nothing is a difference of it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::Seconds;

/// Both clocks.
#[derive(Clone)]
pub struct Clock {
    start: Instant,
    wall: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Self {
        Self::with(|| Timestamp::now().as_second())
    }

    /// With another wall clock, in seconds since 1970.
    pub fn with(wall: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { start: Instant::now(), wall: Arc::new(wall) }
    }

    /// Seconds since this clock was made.
    #[must_use]
    pub fn now(&self) -> Seconds {
        self.start.elapsed().as_secs_f64()
    }

    /// Seconds since 1970, UTC.
    #[must_use]
    pub fn wall(&self) -> i64 {
        (self.wall)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Clock({:.3} s, {})", self.now(), self.wall())
    }
}
