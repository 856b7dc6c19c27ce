//! What was measured, gathered over rounds and made into a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::figure::{Figure, ROWS, Row};
use crate::load::run::Faults;
use crate::proxy::Proxy;
use crate::scenario::{Sample, Scenario};

/// Everything measured so far.
#[derive(Default)]
pub struct Results {
    /// By round, so that ratios compare what was measured side by side.
    figures: BTreeMap<(Figure, Proxy), BTreeMap<usize, f64>>,
    counts: BTreeMap<Proxy, Counts>,
    notes: BTreeMap<(String, Proxy), String>,
}

#[derive(Default)]
struct Counts {
    faults: Faults,
    lost: u64,
}

impl Counts {
    /// Errors, short streams, lost cancels.
    fn all(&self) -> [u64; 3] {
        [self.faults.errors, self.faults.short, self.lost]
    }
}

impl Results {
    /// Takes one run's sample.
    pub fn take(&mut self, scenario: Scenario, round: usize, proxy: Proxy, sample: Sample) {
        for (figure, value) in sample.figures {
            self.figures.entry((figure, proxy)).or_default().insert(round, value);
        }
        let counts = self.counts.entry(proxy).or_default();
        counts.faults.errors += sample.faults.errors;
        counts.faults.short += sample.faults.short;
        counts.lost += sample.lost;
        if let Some(example) = sample.faults.example {
            counts.faults.example.get_or_insert(format!("{scenario:?}: {example}"));
        }
        if let Some(note) = sample.note {
            self.notes.insert((format!("{scenario:?}"), proxy), note);
        }
    }

    /// Errors, short streams and lost cancels of the gateway.
    pub fn failures(&self) -> u64 {
        self.counts.get(&Proxy::Gateway).map_or(0, |counts| counts.all().iter().sum())
    }

    /// The median of a figure over all rounds.
    fn raw(&self, figure: Figure, proxy: Proxy) -> Option<f64> {
        median(self.figures.get(&(figure, proxy))?.values().copied().collect())
    }

    /// Its ratio to nginx in the same round, for every round, in ascending order.
    fn ratios(&self, figure: Figure, proxy: Proxy) -> Vec<f64> {
        let rounds = |proxy| self.figures.get(&(figure, proxy));
        let (Some(ours), Some(nginx)) = (rounds(proxy), rounds(Proxy::Nginx)) else { return Vec::new() };
        let mut ratios: Vec<f64> =
            ours.iter().filter_map(|(round, value)| Some(value / nginx.get(round)?)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// The table, in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| figure | direct | nginx | haproxy | ratio | gateway | ratio | reach | goal | verdict |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &ROWS {
            if self.raw(row.figure, Proxy::Gateway).is_some() {
                let _ = writeln!(text, "{}", self.line(row));
            }
        }
        text.push_str(&self.count_lines());
        text
    }

    fn line(&self, row: &Row) -> String {
        let raw = |proxy| self.raw(row.figure, proxy).map_or("–".to_owned(), round);
        let ratio = |proxy| shown(&self.ratios(row.figure, proxy));
        let wanted =
            |pick: fn((f64, f64)) -> f64| row.wanted.map_or("–".to_owned(), |w| format!("{:.2}", pick(w)));
        let ours = median(self.ratios(row.figure, Proxy::Gateway));
        let verdict = ours.map_or(String::new(), |ratio| row.verdict(ratio));
        let cells = [
            row.words.to_owned(),
            raw(Proxy::Direct),
            raw(Proxy::Nginx),
            raw(Proxy::Haproxy),
            ratio(Proxy::Haproxy),
            raw(Proxy::Gateway),
            ratio(Proxy::Gateway),
            wanted(|(reach, _)| reach),
            wanted(|(_, goal)| goal),
            verdict,
        ];
        format!("| {} |", cells.join(" | "))
    }

    fn count_lines(&self) -> String {
        let mut text = String::new();
        for (at, words) in ["errors", "short streams", "lost cancels"].iter().enumerate() {
            let count = |proxy| self.counts.get(&proxy).map_or("–".to_owned(), |c| c.all()[at].to_string());
            let verdict = if count(Proxy::Gateway) == "0" { "goal" } else { "FAILED" };
            let _ = writeln!(
                text,
                "| {words} | {} | {} | {} | – | {} | – | 0 | 0 | {verdict} |",
                count(Proxy::Direct),
                count(Proxy::Nginx),
                count(Proxy::Haproxy),
                count(Proxy::Gateway),
            );
        }
        text
    }

    /// What else is worth knowing, a line each.
    pub fn notes(&self) -> Vec<String> {
        let noted = self
            .notes
            .iter()
            .map(|((scenario, proxy), note)| format!("{scenario}, {}: {note}", proxy.name()));
        let wrong = self.counts.iter().filter_map(|(proxy, counts)| {
            Some(format!("{} went wrong first with {}", proxy.name(), counts.faults.example.as_ref()?))
        });
        noted.chain(wrong).collect()
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// The median of some ratios, and their span where there are several: how far the noise went.
fn shown(ratios: &[f64]) -> String {
    let Some(middle) = median(ratios.to_vec()) else { return "–".to_owned() };
    match ratios {
        [least, .., most] => format!("{middle:.2} ({least:.2}–{most:.2})"),
        _ => format!("{middle:.2}"),
    }
}

/// Three digits that say something.
fn round(value: f64) -> String {
    match value.abs() {
        10_000.0.. => format!("{:.0} k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
