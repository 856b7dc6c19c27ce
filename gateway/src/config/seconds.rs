//! Durations in the configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Seconds, whole or with a fraction; never negative, at most a day.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    use serde::de::Error;
    let seconds = f64::deserialize(deserializer)?;
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(D::Error::custom(format!("{seconds} is not between 0 and 86400 seconds")))
    }
}
