//! The fleet's counts, from counts of single processes: a process that begins anew begins at zero, the fleet goes on.

use fleet::report::Load;

use super::ByNode;
use super::gateway::Gateway;
use crate::decide::observation::{NodeId, Requests, Tokens, Totals};

/// What was counted, and the last counts of each process.
#[derive(Debug, Default)]
pub struct Tally {
    totals: Totals,
    last: ByNode<(i64, Load)>,
    finished: ByNode<Tokens>,
}

impl Tally {
    /// Adds what every gateway has counted since it was last asked. One that is new to us after our first look began
    /// before we heard of it: what it counted until then is not news, and would look like a burst.
    pub fn add<'a>(&mut self, gateways: impl Iterator<Item = (&'a NodeId, &'a Gateway)>) {
        let mut last = ByNode::new();
        for (id, gateway) in gateways {
            let report = &gateway.record.report;
            let now = (report.started_at, report.load);
            let before = match self.last.get(id) {
                Some((started_at, load)) if *started_at == report.started_at => *load,
                Some(_) => Load::default(),
                None if gateway.found => Load::default(),
                None => report.load,
            };
            self.count(id, &before, &report.load);
            last.insert(id.clone(), now);
        }
        self.last = last;
        self.finished.retain(|id, _| self.last.contains_key(id));
    }

    fn count(&mut self, id: &NodeId, before: &Load, now: &Load) {
        let grown = |of: fn(&Load) -> u64| of(now).checked_sub(of(before)).unwrap_or_else(|| of(now));
        let prompt = grown(|load| load.finished_prompt_tokens);
        let output = grown(|load| load.finished_output_tokens);
        self.totals.arrived = Requests {
            count: self.totals.arrived.count + grown(|load| load.arrived),
            prompt_tokens: self.totals.arrived.prompt_tokens + grown(|load| load.arrived_prompt_tokens),
        };
        self.totals.finished += grown(|load| load.finished);
        let node = self.finished.entry(id.clone()).or_default();
        for tokens in [&mut self.totals.finished_tokens, node] {
            tokens.prompt += prompt;
            tokens.output += output;
        }
    }

    /// The fleet's counts so far; they only rise.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The tokens that one node has finished so far; they only rise.
    #[must_use]
    pub fn finished(&self, id: &NodeId) -> Tokens {
        self.finished.get(id).copied().unwrap_or_default()
    }
}
