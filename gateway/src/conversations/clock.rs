//! The time of day, as the table counts it.

use jiff::Timestamp;

/// Seconds since 1970.
pub(super) fn unix_now() -> i64 {
    Timestamp::now().as_second()
}

/// Microseconds since 1970.
pub(super) fn micros_now() -> i64 {
    Timestamp::now().as_microsecond()
}
