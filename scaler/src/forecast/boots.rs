//! How long a launch takes to be ready, from the launches seen.

use std::collections::{BTreeSet, VecDeque};

use crate::Seconds;
use crate::decide::observation::{NodeId, Observation};
use crate::decide::policy::Policy;

/// Boots remembered.
const MEMORY: usize = 20;

/// Boots worth of evidence that the configured estimate has.
const PRIOR: f64 = 3.0;

/// A boot so many times longer than the estimate was an accident and teaches nothing.
const ACCIDENT: f64 = 4.0;

/// Boot times seen, beside the estimate they began with.
#[derive(Clone, Debug)]
pub struct Boots {
    cold: Seconds,
    first: Seconds,
    warm: bool,
    empty: bool,
    recent: VecDeque<Seconds>,
    known: BTreeSet<NodeId>,
    refused: Seconds,
}

impl Boots {
    /// Nothing seen.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            cold: policy.boot,
            first: policy.warm_boot.unwrap_or(policy.boot),
            warm: policy.warm_boot.is_some(),
            empty: false,
            recent: VecDeque::new(),
            known: BTreeSet::new(),
            refused: 0.0,
        }
    }

    /// Learns from nodes that became ready since the last look.
    pub fn observe(&mut self, seen: &Observation) {
        self.empty = self.warm && seen.group.warm == Some(0);
        for node in &seen.nodes {
            let Some(ready) = node.ready_at else { continue };
            let took = ready - node.launched_at;
            if took > 0.0 && !self.known.contains(&node.id) {
                self.known.insert(node.id.clone());
                self.learn(took);
            }
        }
        if self.known.len() > 4 * (seen.nodes.len() + MEMORY) {
            self.known.retain(|id| seen.nodes.iter().any(|node| node.id == *id));
        }
    }

    fn learn(&mut self, took: Seconds) {
        // With a warm pool a cold boot is an exception that the pool's state foretells: it must not spoil the mean.
        let exception = self.warm && took > f64::midpoint(self.first, self.cold);
        if exception || took > ACCIDENT * self.first {
            return;
        }
        self.refused = 0.0;
        self.recent.push_back(took);
        if self.recent.len() > MEMORY {
            self.recent.pop_front();
        }
    }

    /// A launch was refused: whoever counts on one must count on the wait for the next try too.
    pub fn refused(&mut self, wait: Seconds) {
        self.refused = wait;
    }

    /// The mean of recent boots; of a cold one while the warm pool is empty.
    #[must_use]
    pub fn mean(&self) -> Seconds {
        if self.empty {
            return self.cold + self.refused;
        }
        let sum: f64 = self.recent.iter().sum();
        (self.first * PRIOR + sum) / (PRIOR + self.recent.len() as f64) + self.refused
    }

    /// Nine of ten boots were no longer.
    #[must_use]
    pub fn slow(&self) -> Seconds {
        let mut sorted: Vec<_> = self.recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(1.2 * self.first).max(self.mean())
    }
}
