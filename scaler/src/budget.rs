//! What the month has cost in GPU time: living instances by seconds, kept in the fleet's state.

use fleet::store::{FleetState, Spent};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Seconds;
use crate::decide::observation::Spending;

/// How much may be lost when a leader dies: seconds until what was used is written.
const WRITE_EVERY: Seconds = 60.0;

/// A round later than this is not counted beyond it: the process was stopped, or did not lead.
const LONGEST_ROUND: Seconds = 60.0;

/// Where warnings are due, in hundredths.
const WARNINGS: [u32; 3] = [50, 80, 95];

/// What this leader has counted and not yet written.
#[derive(Debug, Default)]
pub struct Budget {
    looked_at: Option<Seconds>,
    written_at: Option<Seconds>,
    unwritten: Seconds,
    warned: (u32, u32),
}

impl Budget {
    /// Counts `living` instances since the last look.
    pub fn count(&mut self, living: u32, now: Seconds) {
        let passed = self.looked_at.replace(now).map_or(0.0, |at| now - at);
        self.unwritten += f64::from(living) * passed.clamp(0.0, LONGEST_ROUND);
        self.written_at.get_or_insert(now);
    }

    /// What the period at `wall` has used, all told.
    #[must_use]
    pub fn spent(&self, state: &FleetState, wall: i64) -> Spent {
        let period = month(wall).map_or(0, |(date, _)| number(date));
        let before = state.spent.filter(|spent| spent.period == period);
        Spent { period, gpu_seconds: before.map_or(0.0, |spent| spent.gpu_seconds) + self.unwritten }
    }

    /// The same as `decide` wants it.
    #[must_use]
    pub fn spending(&self, state: &FleetState, wall: i64) -> Spending {
        let used_hours = self.spent(state, wall).gpu_seconds / 3600.0;
        Spending { used_hours, period_left: month(wall).map_or(0.0, |(_, left)| left) }
    }

    /// Whether it is time to write it by itself.
    #[must_use]
    pub fn is_due(&self, now: Seconds) -> bool {
        self.unwritten > 0.0 && self.written_at.is_some_and(|at| now - at >= WRITE_EVERY)
    }

    /// It was written.
    pub fn written(&mut self, now: Seconds) {
        self.unwritten = 0.0;
        self.written_at = Some(now);
    }

    /// The warning that is due, in hundredths of `hours`: each once a period.
    pub fn warning(&mut self, spent: Spent, hours: f64) -> Option<u32> {
        let used = spent.gpu_seconds / 36.0 / hours;
        let passed = WARNINGS.into_iter().rfind(|warning| used >= f64::from(*warning))?;
        let (period, warned) = self.warned;
        if (period, warned) >= (spent.period, passed) {
            return None;
        }
        self.warned = (spent.period, passed);
        Some(passed)
    }
}

fn number(date: Date) -> u32 {
    date.year().unsigned_abs() as u32 * 100 + date.month().unsigned_abs() as u32
}

/// The month's first day, UTC, and the share of it still to come.
fn month(wall: i64) -> Option<(Date, f64)> {
    let date = Timestamp::from_second(wall).ok()?.to_zoned(TimeZone::UTC).date();
    let second = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_second());
    let (first, next) = (second(date.first_of_month())?, second(date.last_of_month().tomorrow().ok()?)?);
    Some((date.first_of_month(), (next - wall) as f64 / (next - first) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-16 00:00:00 UTC: the middle of a month of 30 days.
    const MIDDLE: i64 = 1_794_787_200;

    #[test]
    fn a_new_month_begins_at_nothing() {
        let mut budget = Budget::default();
        budget.count(3, 0.0);
        budget.count(3, 10.0);
        let old = Spent { period: 202_610, gpu_seconds: 5000.0 };
        let state = FleetState { spent: Some(old), ..FleetState::default() };
        let spent = budget.spent(&state, MIDDLE);
        assert_eq!(spent, Spent { period: 202_611, gpu_seconds: 30.0 });
        let state = FleetState { spent: Some(Spent { gpu_seconds: 3570.0, ..spent }), ..state };
        let spending = budget.spending(&state, MIDDLE);
        assert_eq!((spending.used_hours, spending.period_left), (1.0, 0.5));
    }

    #[test]
    fn a_process_that_slept_counts_no_more_than_a_round() {
        let mut budget = Budget::default();
        budget.count(1, 0.0);
        budget.count(1, 36_000.0);
        assert_eq!(budget.spent(&FleetState::default(), MIDDLE).gpu_seconds, LONGEST_ROUND);
        assert!(budget.is_due(36_000.0));
        budget.written(36_000.0);
        assert!(!budget.is_due(36_059.0));
    }

    #[test]
    fn each_warning_comes_once_a_month() {
        let mut budget = Budget::default();
        let mut at = |period, hours: f64| budget.warning(Spent { period, gpu_seconds: hours * 3600.0 }, 10.0);
        assert_eq!(at(1, 4.9), None);
        assert_eq!((at(1, 5.0), at(1, 5.1)), (Some(50), None));
        assert_eq!((at(1, 9.6), at(1, 9.7)), (Some(95), None), "the highest only");
        assert_eq!(at(2, 8.0), Some(80));
    }
}
