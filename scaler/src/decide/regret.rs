//! What a node is worth beyond its work of the moment: the waiting that its lack cost, or would have cost, lately.
//!
//! A node given up is bought back at the price of its boot *and* of the waiting until then. The usual break-even rule
//! counts the boot only, and drops the fleet just before bursts that come every five minutes. Deviation, by fleet level:
//! the last node of a large fleet is worth less than the first, and a level that is not needed again loses its regret.
//! Measured without and with: see `docs/simulation.md`.

use crate::Seconds;

/// How many seconds of hold a GPU-second of regret buys, at most how many, and how fast regret is forgotten.
const SHARE: f64 = 0.05;
const MOST: Seconds = 600.0;
const MEMORY: Seconds = 1200.0;

/// Regret by fleet level.
#[derive(Clone, Debug, Default)]
pub struct Regret {
    /// Index is the level; the extra hold, and when it was so.
    levels: Vec<(Seconds, Seconds)>,
}

impl Regret {
    /// The nodes after the first `from` are worth this much each, in GPU-seconds. A smaller fleet is worth no less.
    pub fn note(&mut self, from: u32, worth: &[Seconds], now: Seconds) {
        let size = from as usize + worth.len() + 1;
        if self.levels.len() < size {
            self.levels.resize(size, (0.0, f64::NEG_INFINITY));
        }
        let mut most = 0.0_f64;
        for level in (1..size).rev() {
            let own = level.checked_sub(from as usize + 1).and_then(|i| worth.get(i));
            most = most.max(own.copied().unwrap_or(0.0));
            let hold = (SHARE * most).min(MOST).max(self.of(level, now));
            self.levels[level] = (hold, now);
        }
    }

    /// By how much longer than its boot asks a surplus node of that level is held.
    #[must_use]
    pub fn of(&self, level: usize, now: Seconds) -> Seconds {
        match self.levels.get(level) {
            Some((hold, at)) if *hold > 0.0 => hold * (-(now - at) / MEMORY).exp(),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_fleet_is_worth_no_less_and_a_larger_one_its_own() {
        let mut regret = Regret::default();
        regret.note(2, &[4000.0, 2000.0, 6000.0], 100.0);
        let held: Vec<_> = (0..7).map(|level| regret.of(level, 100.0)).collect();
        assert_eq!(held, [0.0, 300.0, 300.0, 300.0, 300.0, 300.0, 0.0]);
        regret.note(2, &[8000.0, 2000.0], 100.0);
        let held: Vec<_> = (1..6).map(|level| regret.of(level, 100.0)).collect();
        assert_eq!(held, [400.0, 400.0, 400.0, 300.0, 300.0], "the larger of what was known and what is new");
    }

    #[test]
    fn it_is_bounded_and_forgotten() {
        let mut regret = Regret::default();
        regret.note(0, &[1e9], 0.0);
        assert_eq!(regret.of(1, 0.0), MOST);
        let later = regret.of(1, MEMORY);
        assert!((later - MOST / std::f64::consts::E).abs() < 1e-9, "{later}");
        regret.note(0, &[0.0], MEMORY);
        assert_eq!(regret.of(1, MEMORY), later, "a quiet moment erases nothing");
    }
}
