//! When a scaler dies, and which of its calls fail.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// On which side of a call a scaler dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It was never made.
    Before,
    /// It was done, and nobody heard of it.
    After,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Done,
    Dies(Side),
    /// Done or not, the answer is lost.
    Lost {
        done: bool,
    },
}

/// A scaler's fate: it dies at its `death`-th call that changes something, or loses calls at random.
#[derive(Debug, Default)]
pub struct Fate {
    death: Option<(u32, Side)>,
    made: AtomicU32,
    dead: AtomicBool,
    /// Of 256 calls so many lose their answer.
    losses: AtomicU32,
}

impl Fate {
    pub fn dies_at(call: u32, side: Side) -> Self {
        Self { death: Some((call, side)), ..Self::default() }
    }

    pub fn lose(&self, of_256: u32) {
        self.losses.store(of_256, Ordering::Relaxed);
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// The next call's turn.
    pub fn turn(&self, random: &mut fastrand::Rng) -> Turn {
        let call = self.made.fetch_add(1, Ordering::Relaxed);
        if let Some((death, side)) = self.death
            && death == call
        {
            self.dead.store(true, Ordering::Relaxed);
            return Turn::Dies(side);
        }
        if random.u32(..256) < self.losses.load(Ordering::Relaxed) {
            return Turn::Lost { done: random.bool() };
        }
        Turn::Done
    }
}

/// Waits for ever: the process is gone, or the answer is.
pub async fn never<T>() -> T {
    std::future::pending().await
}
