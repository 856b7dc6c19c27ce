//! One clock for fake, load and proxies' answers: nanoseconds since this process began to measure.

use std::sync::LazyLock;
use std::time::Instant;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the first call in this process.
pub fn nanos() -> u64 {
    BEGAN.elapsed().as_nanos() as u64
}
