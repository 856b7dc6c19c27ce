//! The memory that request bodies may take, all of them together: being read, waiting, or kept until the first byte
//! of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::settings;
use crate::error::Refusal;

/// The budget of bytes of one process.
#[derive(Debug)]
pub struct Bodies {
    limit: u64,
    used: AtomicU64,
}

impl Bodies {
    /// A budget of `[queue] bytes`, all of it free.
    pub fn new(config: &settings::Queue) -> Arc<Self> {
        Arc::new(Self { limit: config.bytes, used: AtomicU64::new(0) })
    }

    /// Takes `bytes` (0 where the length is not known yet), freed when the hold drops.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] if that many are not free.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Result<BodyHold, Refusal> {
        let mut hold = BodyHold { bodies: Arc::clone(self), bytes: 0 };
        hold.grow(bytes)?;
        Ok(hold)
    }

    /// Bytes taken.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Bytes of the budget that one body takes; free again when this drops.
#[derive(Debug)]
pub struct BodyHold {
    bodies: Arc<Bodies>,
    bytes: u64,
}

impl BodyHold {
    /// Takes `bytes` more.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] if that many are not free; what was taken before stays taken.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        let Bodies { limit, used } = &*self.bodies;
        let room = |used: u64| used.checked_add(bytes).filter(|sum| sum <= limit);
        // Only the sum matters, and nothing else is read by it: no order with other memory is needed.
        match used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_) => Err(Refusal::Overloaded {
                what: "the memory for waiting requests is full",
                retry_after: Duration::from_secs(1),
            }),
        }
    }
}

impl Drop for BodyHold {
    fn drop(&mut self) {
        self.bodies.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
