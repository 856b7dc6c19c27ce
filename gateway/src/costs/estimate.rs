//! Our own estimate, by day, person and model: requests at the price of the work they were, and the month at the price of
//! the hours that nodes lived.
//!
//! The two differ: people and days are charged for work alone, so that nobody pays for a node that waited; the whole
//! counts every hour of a node. What nobody has asked for is the difference.

use std::collections::BTreeMap;

use fleet::store::{DayOfUse, Usage};
use serde::Serialize;

use super::month::Month;

const HOUR: f64 = 3600.0;

/// Prices in USD.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prices {
    /// Of one node's hour.
    pub gpu_hour: Option<f64>,
    /// Of a month, whether nodes run or not.
    pub fixed_month: Option<f64>,
}

impl Prices {
    fn of_seconds(&self, gpu_seconds: f64) -> Option<f64> {
        self.gpu_hour.map(|price| money(gpu_seconds / HOUR * price))
    }
}

/// Where the hours come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hours {
    /// The scaler counted how long nodes lived.
    Lived,
    /// Nobody did: only the work of the requests is known, which is less.
    Worked,
}

/// The month so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Price of a node's hour.
    pub gpu_hour: Option<f64>,
    /// Hours of nodes.
    pub gpu_hours: f64,
    /// What kind of hours.
    pub gpu_hours_are: Hours,
    /// Hours at their price, and the part of `fixed_month` that has passed; `None` without a price.
    pub amount: Option<f64>,
    /// What a month costs anyway.
    pub fixed_month: Option<f64>,
    /// Every day so far, the first one first, also those on which nothing was used.
    pub days: Vec<DayLine>,
    /// Who has used what, the most expensive first.
    pub people: Vec<PersonLine>,
}

/// One day of everybody.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayLine {
    /// `yyyy-mm-dd`
    pub day: String,
    /// How much.
    #[serde(flatten)]
    pub used: Counted,
}

/// One person and model, in all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PersonLine {
    /// Who.
    pub principal: String,
    /// Its canonical name; `None`: requests that no model has served, and what was written before models were told apart.
    pub model: Option<String>,
    /// How much.
    #[serde(flatten)]
    pub used: Counted,
}

/// A sum of usage and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    requests: u64,
    prompt_tokens: u64,
    output_tokens: u64,
    gpu_seconds: f64,
    amount: Option<f64>,
}

impl Counted {
    fn of(usage: &Usage, prices: &Prices) -> Self {
        Self {
            requests: usage.requests,
            prompt_tokens: usage.prompt_tokens,
            output_tokens: usage.generated_tokens,
            gpu_seconds: thousandths(usage.gpu_seconds),
            amount: prices.of_seconds(usage.gpu_seconds),
        }
    }
}

/// The estimate of `used`, days of this month (others are left out). `lived`: seconds that nodes have lived in it, all
/// together, where the scaler has counted them.
pub fn of(month: &Month, prices: &Prices, used: &[DayOfUse], lived: Option<f64>) -> Estimate {
    let mut days: BTreeMap<String, Usage> =
        month.so_far().into_iter().map(|day| (day, Usage::default())).collect();
    let mut people: BTreeMap<(&str, Option<&str>), Usage> = BTreeMap::new();
    let mut all = Usage::default();
    for line in used {
        let Some(day) = days.get_mut(&line.day) else { continue };
        day.add(&line.usage);
        all.add(&line.usage);
        for (model, usage) in &line.models {
            people.entry((&line.principal, Some(model))).or_default().add(usage);
        }
        people.entry((&line.principal, None)).or_default().add(&rest(line));
    }
    let (seconds, gpu_hours_are) = match lived {
        Some(lived) => (lived, Hours::Lived),
        None => (all.gpu_seconds, Hours::Worked),
    };
    let fixed = prices.fixed_month.unwrap_or(0.0) * month.elapsed_days() / month.days();
    Estimate {
        gpu_hour: prices.gpu_hour,
        gpu_hours: thousandths(seconds / HOUR),
        gpu_hours_are,
        amount: prices.gpu_hour.map(|price| money(seconds / HOUR * price + fixed)),
        fixed_month: prices.fixed_month,
        days: days
            .into_iter()
            .map(|(day, usage)| DayLine { day, used: Counted::of(&usage, prices) })
            .collect(),
        people: lines(people, prices),
    }
}

fn lines(people: BTreeMap<(&str, Option<&str>), Usage>, prices: &Prices) -> Vec<PersonLine> {
    let mut people: Vec<_> = people.into_iter().filter(|(_, usage)| *usage != Usage::default()).collect();
    people.sort_by(|(_, one), (_, next)| next.gpu_seconds.total_cmp(&one.gpu_seconds)); // a stable sort: then by name
    let line = |((principal, model), usage): ((&str, Option<&str>), Usage)| PersonLine {
        principal: principal.to_owned(),
        model: model.map(str::to_owned),
        used: Counted::of(&usage, prices),
    };
    people.into_iter().map(line).collect()
}

/// What of a day is in no model. Nothing is below zero, and no dust of fractions remains.
fn rest(line: &DayOfUse) -> Usage {
    let mut models = Usage::default();
    line.models.values().for_each(|usage| models.add(usage));
    let seconds = line.usage.gpu_seconds - models.gpu_seconds;
    Usage {
        prompt_tokens: line.usage.prompt_tokens.saturating_sub(models.prompt_tokens),
        generated_tokens: line.usage.generated_tokens.saturating_sub(models.generated_tokens),
        requests: line.usage.requests.saturating_sub(models.requests),
        gpu_seconds: if seconds < 1e-6 { 0.0 } else { seconds },
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// To the ten-thousandth of a cent: a short request is worth less than a cent.
pub(super) fn money(amount: f64) -> f64 {
    (amount * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(requests: u64, gpu_seconds: f64) -> Usage {
        Usage { prompt_tokens: 10 * requests, generated_tokens: 5 * requests, requests, gpu_seconds }
    }

    fn day(principal: &str, day: &str, all: Usage, models: &[(&str, Usage)]) -> DayOfUse {
        let models = models.iter().map(|(model, usage)| ((*model).to_owned(), *usage)).collect();
        DayOfUse { principal: principal.to_owned(), day: day.to_owned(), usage: all, models }
    }

    fn at(text: &str) -> Month {
        Month::of(text.parse().unwrap())
    }

    const PRICES: Prices = Prices { gpu_hour: Some(0.9), fixed_month: Some(60.0) };

    #[test]
    fn people_pay_for_work_by_model_and_the_rest_is_told_too() {
        let used = [
            day(
                "ann",
                "2026-11-02",
                usage(4, 8000.0),
                &[("a:1", usage(2, 7200.0)), ("b:1", usage(1, 400.0))],
            ),
            day("ann", "2026-11-01", usage(1, 3600.0), &[("a:1", usage(1, 3600.0))]),
            day("bob", "2026-11-02", usage(3, 1800.0), &[]),
        ];
        let told = of(&at("2026-11-03T00:00:00Z"), &PRICES, &used, None);
        let lines: Vec<_> = told
            .people
            .iter()
            .map(|line| {
                (line.principal.as_str(), line.model.as_deref(), line.used.requests, line.used.amount)
            })
            .collect();
        assert_eq!(
            lines,
            [
                ("ann", Some("a:1"), 3, Some(2.7)),
                ("bob", None, 3, Some(0.45)),
                ("ann", None, 1, Some(0.1)),
                ("ann", Some("b:1"), 1, Some(0.1)),
            ]
        );
        let days: Vec<_> = told.days.iter().map(|line| (line.day.as_str(), line.used.requests)).collect();
        assert_eq!(
            days,
            [("2026-11-01", 1), ("2026-11-02", 7), ("2026-11-03", 0)],
            "each day, the first one first"
        );
        assert_eq!(told.days[1].used.amount, Some(2.45));
        assert_eq!((told.gpu_hours, told.gpu_hours_are), (3.722, Hours::Worked));
    }

    #[test]
    fn the_whole_counts_the_hours_that_nodes_lived() {
        let used = [day("ann", "2026-11-10", usage(1, 3600.0), &[])];
        let told = of(&at("2026-11-16T00:00:00Z"), &PRICES, &used, Some(36_000.0));
        assert_eq!((told.gpu_hours, told.gpu_hours_are), (10.0, Hours::Lived));
        assert_eq!(told.amount, Some(9.0 + 30.0), "ten hours, and half of what the month costs anyway");
        assert_eq!(told.people[0].used.amount, Some(0.9), "nobody pays for a node that waited");
    }

    #[test]
    fn without_a_price_there_are_hours_and_no_amounts() {
        let used = [day("ann", "2026-11-01", usage(1, 3600.0), &[])];
        let prices = Prices { gpu_hour: None, fixed_month: Some(60.0) };
        let told = of(&at("2026-11-01T12:00:00Z"), &prices, &used, None);
        assert_eq!((told.amount, told.gpu_hours), (None, 1.0));
        assert_eq!((told.people[0].used.amount, told.days[0].used.amount), (None, None));
    }

    #[test]
    fn a_month_that_has_just_begun_has_cost_nothing() {
        let yesterday = [day("ann", "2026-10-31", usage(9, 9000.0), &[])];
        let told = of(&at("2026-11-01T00:00:00Z"), &PRICES, &yesterday, None);
        assert_eq!(
            (told.amount, told.gpu_hours, told.people.len()),
            (Some(0.0), 0.0, 0),
            "the last month's is another's"
        );
    }

    #[test]
    fn fractions_that_do_not_add_up_leave_no_dust() {
        let parts = [("a:1", usage(1, 0.1)), ("b:1", usage(1, 0.2))];
        let used = [day("ann", "2026-11-01", usage(2, 0.3), &parts)];
        let told = of(&at("2026-11-01T12:00:00Z"), &PRICES, &used, None);
        assert_eq!(told.people.len(), 2, "{:?}", told.people);
    }

    #[test]
    fn as_the_page_reads_it() {
        let used = [day("ann", "2026-11-01", usage(2, 3600.0), &[])];
        let told = of(&at("2026-11-01T12:00:00Z"), &PRICES, &used, None);
        let shown = serde_json::to_value(told).unwrap();
        let line = serde_json::json!({
            "principal": "ann", "model": null, "requests": 2, "prompt_tokens": 20, "output_tokens": 10,
            "gpu_seconds": 3600.0, "amount": 0.9
        });
        assert_eq!((&shown["people"][0], &shown["gpu_hours_are"]), (&line, &"worked".into()));
        assert_eq!(shown["days"][0]["day"], "2026-11-01");
    }
}
