//! What the month will have cost at its end, if it goes on as it has begun.

use serde::Serialize;

use super::estimate::{Estimate, money};
use super::explorer::{Bill, BillDay};
use super::month::Month;

/// What it was reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// What Cost Explorer says of the days so far.
    Explorer,
    /// Our own estimate.
    Estimate,
}

/// The month at its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// In USD; `None` where nothing is known to go by.
    pub amount: Option<f64>,
    /// From what.
    pub basis: Basis,
}

/// A straight line through the days so far. Cost Explorer's go first, where it has any that are over.
pub fn of(month: &Month, bill: Option<&Bill>, estimate: &Estimate) -> Forecast {
    match bill.and_then(|bill| billed(month, &bill.days)) {
        Some(amount) => Forecast { amount: Some(amount), basis: Basis::Explorer },
        None => Forecast { amount: estimated(month, estimate), basis: Basis::Estimate },
    }
}

/// The mean of the days that are over, times the days of the month. Cost Explorer is up to a day late, and what it has not
/// heard of yet costs nothing there: days at the end without any cost do not count.
fn billed(month: &Month, days: &[BillDay]) -> Option<f64> {
    let today = month.today();
    let mut over: Vec<f64> = days.iter().filter(|day| day.day < today).map(BillDay::amount).collect();
    while over.last().is_some_and(|amount| *amount <= 0.0) {
        over.pop();
    }
    (!over.is_empty()).then(|| money(over.iter().sum::<f64>() / over.len() as f64 * month.days()))
}

/// Hours so far in proportion, and the whole of what the month costs anyway. On the first day the hours are taken for the
/// whole day's: an hour is no basis for a month.
fn estimated(month: &Month, estimate: &Estimate) -> Option<f64> {
    let hours = estimate.gpu_hours / month.elapsed_days().max(1.0) * month.days();
    estimate.gpu_hour.map(|price| money(hours * price + estimate.fixed_month.unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::estimate::{self, Prices};
    use crate::costs::explorer::ServiceLine;

    fn at(text: &str) -> Month {
        Month::of(text.parse().unwrap())
    }

    fn bill(amounts: &[(&str, f64)]) -> Bill {
        let day = |(day, amount): &(&str, f64)| BillDay {
            day: (*day).to_owned(),
            services: vec![ServiceLine { service: "EC2".to_owned(), amount: *amount }],
        };
        Bill { as_of: 0, days: amounts.iter().map(day).collect() }
    }

    fn hours(month: &Month, hours: f64) -> Estimate {
        let prices = Prices { gpu_hour: Some(0.5), fixed_month: Some(60.0) };
        estimate::of(month, &prices, &[], Some(hours * 3600.0))
    }

    #[test]
    fn days_that_are_over_make_the_line() {
        let month = at("2026-11-04T18:00:00Z");
        let bill =
            bill(&[("2026-11-01", 2.0), ("2026-11-02", 4.0), ("2026-11-03", 3.0), ("2026-11-04", 0.5)]);
        let told = of(&month, Some(&bill), &hours(&month, 1.0));
        assert_eq!(told, Forecast { amount: Some(90.0), basis: Basis::Explorer });
    }

    #[test]
    fn days_that_are_not_billed_yet_do_not_make_it_cheaper() {
        let month = at("2026-11-04T06:00:00Z");
        let bill =
            bill(&[("2026-11-01", 2.0), ("2026-11-02", 4.0), ("2026-11-03", 0.0), ("2026-11-04", 0.0)]);
        assert_eq!(of(&month, Some(&bill), &hours(&month, 1.0)).amount, Some(90.0));
    }

    #[test]
    fn on_the_first_day_the_estimate_is_all_there_is() {
        let month = at("2026-11-01T01:00:00Z");
        let told = of(&month, Some(&bill(&[("2026-11-01", 9.0)])), &hours(&month, 1.0));
        assert_eq!(told, Forecast { amount: Some(30.0 * 0.5 + 60.0), basis: Basis::Estimate });
        let begun = at("2026-11-01T00:00:00Z");
        assert_eq!(of(&begun, None, &hours(&begun, 0.0)).amount, Some(60.0), "nothing is divided by nothing");
    }

    #[test]
    fn at_the_end_it_is_what_was() {
        let month = at("2026-02-28T23:59:59Z");
        let told = of(&month, None, &hours(&month, 56.0)).amount.unwrap();
        assert!((told - (28.0 + 60.0)).abs() < 0.01, "{told}");
    }

    #[test]
    fn a_tag_that_nothing_carries_says_nothing() {
        let month = at("2026-11-10T00:00:00Z");
        let nothing =
            Bill { as_of: 0, days: vec![BillDay { day: "2026-11-01".to_owned(), services: vec![] }] };
        assert_eq!(of(&month, Some(&nothing), &hours(&month, 9.0)).basis, Basis::Estimate);
    }

    #[test]
    fn without_a_price_or_a_bill_there_is_none() {
        let month = at("2026-11-10T00:00:00Z");
        let estimate = estimate::of(&month, &Prices::default(), &[], None);
        assert_eq!(of(&month, None, &estimate), Forecast { amount: None, basis: Basis::Estimate });
    }
}
