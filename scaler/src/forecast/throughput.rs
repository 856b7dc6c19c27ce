//! What a node really does when all its slots are busy. The belief that costs most when it is wrong: a third too high
//! about doubles the mean wait, a quarter too low costs a quarter more hours.

use std::collections::BTreeMap;

use crate::decide::observation::{NodeId, Observation, Tokens};
use crate::decide::policy::Benchmark;
use crate::{Seconds, Work};

/// A node's full time is judged in blocks of this length: shorter ones are dominated by single long answers.
const BLOCK: Seconds = 120.0;

/// Full time that the newest blocks weigh: a slow mean over some node-hours of load.
const MEMORY: Seconds = 3600.0;

/// The benchmark counts like this much full time: five blocks.
const PRIOR: Seconds = 600.0;

/// A belief stays within these factors of the benchmark, and so does a block that counts.
const CLAMP: (f64, f64) = (0.5, 2.0);

/// A block this far from the benchmark on either side was an accident (a stall, a lost report).
const OUTLIER: (f64, f64) = (0.25, 4.0);

/// Off by more than this from the benchmark is worth an alarm.
const ALARM: f64 = 0.2;

#[derive(Clone, Debug, Default)]
struct Watch {
    at: Seconds,
    full: bool,
    finished: Tokens,
    seconds: Seconds,
    work: Work,
}

/// The learned throughput of one kind of node.
#[derive(Clone, Debug)]
pub struct Throughput {
    benchmark: f64,
    nodes: BTreeMap<NodeId, Watch>,
    work: Work,
    seconds: Seconds,
}

impl Throughput {
    /// Nothing seen.
    #[must_use]
    pub fn new(benchmark: f64) -> Self {
        Self { benchmark, nodes: BTreeMap::new(), work: benchmark * PRIOR, seconds: PRIOR }
    }

    /// Adds what full nodes finished since the last look, recomputed from the true tokens.
    pub fn observe(&mut self, seen: &Observation, rates: &Benchmark) {
        if self.nodes.len() > seen.nodes.len() {
            self.nodes.retain(|id, _| seen.nodes.iter().any(|node| node.id == *id));
        }
        for node in &seen.nodes {
            // Only with somebody waiting is a node surely full between two looks; without, gaps that nobody saw would
            // teach it a sixth too little on a quiet fleet.
            let pressed = seen.waiting.count > 0 || node.queued > 0;
            let full = node.slots > 0 && node.active >= node.slots && pressed;
            if !self.nodes.contains_key(&node.id) {
                self.nodes.insert(node.id.clone(), Watch::default());
            }
            let Some(watch) = self.nodes.get_mut(&node.id) else { continue };
            if full && watch.full {
                let prompt = node.finished.prompt.saturating_sub(watch.finished.prompt) as f64;
                let output = node.finished.output.saturating_sub(watch.finished.output) as f64;
                watch.seconds += seen.now - watch.at;
                watch.work += prompt / rates.prefill + output / rates.decode;
            }
            watch.at = seen.now;
            watch.full = full;
            watch.finished = node.finished;
            if watch.seconds >= BLOCK {
                let (work, seconds) = (std::mem::take(&mut watch.work), std::mem::take(&mut watch.seconds));
                self.learn(work, seconds);
            }
        }
    }

    fn learn(&mut self, work: Work, seconds: Seconds) {
        let ratio = work / seconds / self.benchmark;
        if !(OUTLIER.0..OUTLIER.1).contains(&ratio) {
            return;
        }
        let keep = (-seconds / MEMORY).exp();
        self.work = self.work * keep + work;
        self.seconds = self.seconds * keep + seconds;
    }

    /// Work a full node does in a second.
    #[must_use]
    pub fn full(&self) -> f64 {
        (self.work / self.seconds).clamp(CLAMP.0 * self.benchmark, CLAMP.1 * self.benchmark)
    }

    /// Whether the belief has left the benchmark so far that somebody should look.
    #[must_use]
    pub fn alarming(&self) -> bool {
        (self.full() / self.benchmark - 1.0).abs() > ALARM
    }
}
