//! What is counted, and how it reads.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::caller::{End, Outcome};

/// Kinds of failure shown, at most.
const SHOWN: usize = 5;

/// The sum of all outcomes.
#[derive(Default)]
pub(super) struct Summary {
    whole: usize,
    refused: BTreeMap<String, usize>,
    cut: BTreeMap<String, usize>,
    /// Seconds to the first token.
    waits: Vec<f64>,
    tokens: u64,
    nodes: BTreeMap<String, usize>,
    /// Seconds from the start to the first token of all.
    first: Option<f64>,
}

impl Summary {
    pub(super) fn add(&mut self, outcome: Outcome, begun: Instant) {
        if let Some(first) = outcome.first_token {
            self.waits.push((first - outcome.sent).as_secs_f64());
            let since = (first - begun).as_secs_f64();
            self.first = Some(self.first.map_or(since, |earlier| earlier.min(since)));
        }
        self.tokens += outcome.tokens;
        if let Some(node) = outcome.node {
            *self.nodes.entry(node).or_default() += 1;
        }
        match outcome.end {
            End::Whole => self.whole += 1,
            End::Refused(status, text) => *self.refused.entry(format!("{status} {text}")).or_default() += 1,
            End::Cut(why) => *self.cut.entry(why).or_default() += 1,
        }
    }

    fn ended(&self) -> usize {
        self.whole + self.refused.values().sum::<usize>() + self.cut.values().sum::<usize>()
    }

    /// The line in the terminal, where there is one.
    pub(super) fn progress(&self, all: usize, open: usize) {
        if std::io::stderr().is_terminal() {
            let failed = self.ended() - self.whole;
            // A terminal that went away is no reason to stop.
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[2K{}/{all} ended, {open} open, {failed} failed",
                self.ended()
            );
        }
    }

    pub(super) fn text(&self, took: Duration) -> String {
        let mut waits = self.waits.clone();
        waits.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = ((waits.len() as f64 * share).ceil() as usize).clamp(1, waits.len().max(1)) - 1;
            waits.get(index).copied().unwrap_or(0.0)
        };
        let mean = waits.iter().sum::<f64>() / waits.len().max(1) as f64;
        let mut text = format!(
            "\n{} requests in {:.0} s: {} whole, {} refused, {} cut; {} tokens\n\
             seconds to the first token: mean {mean:.2}, p50 {:.2}, p95 {:.2}, p99 {:.2}\n\
             first token of all after {:.1} s",
            self.ended(),
            took.as_secs_f64(),
            self.whole,
            self.refused.values().sum::<usize>(),
            self.cut.values().sum::<usize>(),
            self.tokens,
            at(0.5),
            at(0.95),
            at(0.99),
            self.first.unwrap_or(0.0),
        );
        for (node, answers) in &self.nodes {
            text += &format!("\n  {answers:>6} answers began on {node}");
        }
        for (why, times) in self.refused.iter().chain(&self.cut).take(SHOWN) {
            text += &format!("\n  {times:>6} x {why}");
        }
        text
    }

    /// Well, if everything that was sent was answered.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let failed = self.ended() - self.whole;
        if failed > 0 {
            bail!("{failed} requests were not answered");
        }
        Ok(())
    }
}
