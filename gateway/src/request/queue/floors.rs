//! Which class goes next: the most urgent one that waits, except for the share that a less urgent one keeps.
//!
//! A class that is passed over earns credit, its floor's share of all work granted meanwhile. With credit it goes
//! first, once, and owes what it took. So over time it gets its floor, and no more than that.

use crate::config::settings;
use crate::identity::Priority;

/// All classes, the most urgent first.
pub(super) const CLASSES: [Priority; 3] = [Priority::Interactive, Priority::Normal, Priority::Batch];

/// Most credit, and most debt, in work-seconds. Credit: one long grant to one class must not earn another a long
/// run of its own. Debt: half an hour of work is longer than any answer may stream.
const MOST_CREDIT: f64 = 30.0;
const MOST_DEBT: f64 = -1800.0;

/// What each class keeps, and what it has to its credit.
pub(super) struct Floors {
    share: [f64; 3],
    credit: [f64; 3],
}

/// The class whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pick {
    pub class: Priority,
    /// It passes a more urgent class, on credit.
    pub on_credit: bool,
}

impl Floors {
    pub fn new(config: &settings::Queue) -> Self {
        Self { share: [0.0, config.normal_floor, config.batch_floor], credit: [0.0; 3] }
    }

    /// The share of the work granted that `class` keeps while more urgent ones wait.
    pub fn share(&self, class: Priority) -> f64 {
        self.share[class as usize]
    }

    /// Chooses among the classes that wait (by their place in [`CLASSES`]).
    pub fn pick(&self, waits: [bool; 3]) -> Option<Pick> {
        let urgent = waits.iter().position(|waits| *waits)?;
        let credited = (urgent + 1..3).filter(|class| waits[*class] && self.credit[*class] > 0.0);
        let richest = credited.max_by(|a, b| self.credit[*a].total_cmp(&self.credit[*b]));
        Some(Pick { class: CLASSES[richest.unwrap_or(urgent)], on_credit: richest.is_some() })
    }

    /// Books a grant of `work` seconds, made while `waits` waited. Credit is earned only by being passed over;
    /// debt is worked off in any case.
    pub fn book(&mut self, pick: Pick, work: f64, waits: [bool; 3]) {
        let urgent = waits.iter().position(|waits| *waits).unwrap_or(0);
        for (class, waits) in waits.into_iter().enumerate() {
            let most = if waits && class > urgent { MOST_CREDIT } else { 0.0 };
            self.credit[class] = (self.credit[class] + self.share[class] * work).min(most);
        }
        if pick.on_credit {
            self.correct(pick.class, work);
        }
    }

    /// A grant made on credit turned out `difference` work-seconds more (or less) than was booked.
    pub fn correct(&mut self, class: Priority, difference: f64) {
        let credit = &mut self.credit[class as usize];
        *credit = (*credit - difference).clamp(MOST_DEBT, MOST_CREDIT);
    }
}
