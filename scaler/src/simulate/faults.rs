//! What goes wrong with real machines: boots that never end, Spot notices, refused launches, lost reports. All of it is
//! drawn from the seed, so that a bad day can be had again.

use crate::Seconds;

use super::world::uniform;

/// A group ends an instance whose launch hook was not answered for so long.
pub const BOOT_TIMEOUT: Seconds = 600.0;

/// From a Spot notice to the end, less the ten seconds a gateway keeps for telling its clients.
pub const NOTICE: Seconds = 110.0;

/// Capacity is there or not for ten minutes at a time, reports for twenty seconds.
const DROUGHT: Seconds = 600.0;
const SILENCE: Seconds = 20.0;

/// How often what happens. Nothing, unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Share of launches that never get ready.
    pub failed_boots: f64,
    /// Spot notices per node and hour.
    pub notices: f64,
    /// Share of ten-minute spans in which every launch is refused (`InsufficientInstanceCapacity`).
    pub refusals: f64,
    /// Share of twenty-second spans in which a node's reports do not arrive.
    pub silence: f64,
}

impl Faults {
    /// A day worse than any we want to see: a boot in ten fails, a node is taken away every five hours, capacity is gone
    /// for a tenth of the time, and a node is not heard for a hundredth of it.
    pub const HARSH: Self = Self { failed_boots: 0.1, notices: 0.2, refusals: 0.1, silence: 0.01 };

    /// Whether launch number `launch` never gets ready.
    #[must_use]
    pub fn fails(&self, seed: u64, launch: u32) -> bool {
        uniform(seed ^ 0xB007, u64::from(launch)) < self.failed_boots
    }

    /// When the node of that launch, ready at `ready`, gets its notice; infinite where it gets none.
    #[must_use]
    pub fn notice_at(&self, seed: u64, launch: u32, ready: Seconds) -> Seconds {
        if self.notices <= 0.0 {
            return f64::INFINITY;
        }
        let draw = uniform(seed ^ 0x5907, u64::from(launch));
        ready - (1.0 - draw).ln() / self.notices * 3600.0
    }

    /// Whether launches are refused now.
    #[must_use]
    pub fn refuses(&self, seed: u64, now: Seconds) -> bool {
        uniform(seed ^ 0xCA9A, (now.max(0.0) / DROUGHT) as u64) < self.refusals
    }

    /// Whether the node of that launch is not heard now.
    #[must_use]
    pub fn silences(&self, seed: u64, launch: u32, now: Seconds) -> bool {
        let span = (now.max(0.0) / SILENCE) as u64;
        uniform(seed ^ 0x51E7 ^ (u64::from(launch) << 20), span) < self.silence
    }
}
