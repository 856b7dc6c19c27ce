//! A month in UTC, as far as it has come: bills and days of usage both go by it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

const DAY: f64 = 86_400.0;

/// The month that a moment is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Month {
    today: Date,
    /// Seconds of today that have passed.
    seconds: f64,
}

impl Month {
    /// The month of this moment.
    pub fn of(now: Timestamp) -> Self {
        let today = now.to_zoned(TimeZone::UTC).date();
        Self { today, seconds: now.as_second().rem_euclid(86_400) as f64 }
    }

    /// `yyyy-mm`
    pub fn name(&self) -> String {
        self.today.strftime("%Y-%m").to_string()
    }

    /// Year and month in one number, as in 202611: as the scaler counts the periods of its budget.
    pub fn period(&self) -> u32 {
        u32::from(self.today.year().unsigned_abs()) * 100 + u32::from(self.today.month().unsigned_abs())
    }

    /// Today, `yyyy-mm-dd`.
    pub fn today(&self) -> String {
        self.today.to_string()
    }

    /// The first day, `yyyy-mm-dd`.
    pub fn first_day(&self) -> String {
        self.today.first_of_month().to_string()
    }

    /// The day after today, `yyyy-mm-dd`: in the next month where today is the last of this one.
    pub fn tomorrow(&self) -> String {
        let after = self.today.checked_add(Span::new().days(1));
        after.unwrap_or(self.today).to_string() // beyond the year 9999 there is none
    }

    /// The days so far, today last.
    pub fn so_far(&self) -> Vec<String> {
        let first = self.today.first_of_month();
        first
            .series(Span::new().days(1))
            .take_while(|day| *day <= self.today)
            .map(|day| day.to_string())
            .collect()
    }

    /// How many days it has.
    pub fn days(&self) -> f64 {
        f64::from(self.today.days_in_month())
    }

    /// How many of them have passed, with the part of today that has.
    pub fn elapsed_days(&self) -> f64 {
        f64::from(self.today.day() - 1) + self.seconds / DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Month {
        Month::of(text.parse().unwrap())
    }

    #[test]
    fn a_month_begins_with_its_first_second() {
        let month = at("2026-11-01T00:00:00Z");
        assert_eq!((month.name().as_str(), month.period(), month.elapsed_days()), ("2026-11", 202_611, 0.0));
        assert_eq!((month.first_day().as_str(), month.tomorrow().as_str()), ("2026-11-01", "2026-11-02"));
        assert_eq!(month.so_far(), ["2026-11-01"]);
    }

    #[test]
    fn a_month_ends_with_its_last_second() {
        let month = at("2026-12-31T23:59:59Z");
        assert_eq!((month.name().as_str(), month.days(), month.so_far().len()), ("2026-12", 31.0, 31));
        assert_eq!(month.tomorrow(), "2027-01-01", "the day after is another year's");
        assert!(month.elapsed_days() < 31.0 && month.elapsed_days() > 30.99);
        assert_eq!(at("2027-01-01T00:00:00Z").name(), "2027-01");
    }

    #[test]
    fn february_has_the_days_of_its_year() {
        let leap = at("2028-02-29T12:00:00Z");
        assert_eq!((leap.days(), leap.elapsed_days(), leap.tomorrow().as_str()), (29.0, 28.5, "2028-03-01"));
        assert_eq!(at("2027-02-28T06:00:00Z").days(), 28.0);
    }

    #[test]
    fn a_day_is_the_one_in_utc() {
        assert_eq!(at("2026-12-01T01:30:00+02:00").name(), "2026-11");
    }
}
