//! What a granted request holds: one slot at one place, freed when it drops.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::Queue;
use super::demand::UpstreamId;
use super::state::Grant;
use crate::error::Refusal;

/// One slot at one place. Dropping it frees the slot, and the next in line gets it at once.
#[derive(Debug)]
pub struct Permit {
    queue: Arc<Queue>,
    grant: Grant,
    /// The slot was given up otherwise; dropping has nothing left to do.
    spent: bool,
}

impl Permit {
    pub(super) fn new(queue: Arc<Queue>, grant: Grant) -> Self {
        Self { queue, grant, spent: false }
    }

    /// Where to send the request.
    pub fn upstream(&self) -> UpstreamId {
        self.grant.upstream
    }

    /// How long the request waited, from its arrival in the queue; 0 if a slot was free.
    pub fn waited(&self) -> Duration {
        self.grant.waited
    }

    /// Tells what the request really cost: `work` in seconds of an idle node (0 if nothing was done), over `busy`
    /// of the slot's time. Corrects the caller's share, and teaches the place its rate the first time.
    pub fn settle(&mut self, work: f64, busy: Duration) {
        let Grant { model, ticket, .. } = &self.grant;
        self.queue.with(|state, now| state.settle(model, *ticket, work, busy, now));
    }

    /// Frees the slot only after `hold`: the answer was cancelled, and the upstream works on for that long. Returns
    /// at once. Outside a runtime there is nothing to wait with, and the slot is freed at once.
    pub fn free_after(self, hold: Duration) {
        let Grant { model, ticket, .. } = &self.grant;
        self.queue.with(|state, now| state.hold(model, *ticket, now + hold));
        if let Ok(runtime) = Handle::try_current() {
            // Draining need not wait for it: at the end of the process no slot matters.
            runtime.spawn(async move {
                sleep(hold).await;
                drop(self);
            });
        }
    }

    /// The upstream refused before the first byte: frees the slot and waits for another, first in the caller's
    /// line, with the place it had among the others, charged once. If the whole place has failed, withdraw it
    /// first: else the same slot may be granted again at once.
    ///
    /// # Errors
    /// As [`Queue::place`], except that no bound refuses what was admitted once.
    pub async fn hand_back(mut self) -> Result<Self, Refusal> {
        self.spent = true;
        let queue = Arc::clone(&self.queue);
        queue.again(&self.grant).await
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.spent {
            self.queue.release(&self.grant.model, self.grant.ticket);
        }
    }
}
