//! How much may be at one peer at once, over all models: its slots are shared by its models, and by us with others.

use std::collections::HashMap;

use super::demand::UpstreamId;

/// What each peer is given. The local Ollama has no such bound: its slots are counted by model.
#[derive(Default)]
pub(super) struct Rooms(HashMap<UpstreamId, Room>);

struct Room {
    most: usize,
    taken: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { most: usize::MAX, taken: 0 }
    }
}

impl Rooms {
    /// At most so many of our requests may be there at once from now on (`usize::MAX`: no bound); what runs goes on.
    pub fn limit(&mut self, upstream: UpstreamId, most: usize) {
        self.0.entry(upstream).or_default().most = most;
        self.sweep(upstream);
    }

    /// Is there room for one more?
    pub fn has(&self, upstream: UpstreamId) -> bool {
        upstream.is_local() || self.0.get(&upstream).is_none_or(|room| room.taken < room.most)
    }

    /// Requests that are there.
    pub fn taken(&self, upstream: UpstreamId) -> usize {
        self.0.get(&upstream).map_or(0, |room| room.taken)
    }

    pub fn take(&mut self, upstream: UpstreamId) {
        if !upstream.is_local() {
            self.0.entry(upstream).or_default().taken += 1;
        }
    }

    pub fn free(&mut self, upstream: UpstreamId) {
        if let Some(room) = self.0.get_mut(&upstream) {
            room.taken = room.taken.saturating_sub(1);
            self.sweep(upstream);
        }
    }

    fn sweep(&mut self, upstream: UpstreamId) {
        if self.0.get(&upstream).is_some_and(|room| room.most == usize::MAX && room.taken == 0) {
            self.0.remove(&upstream);
        }
    }
}
