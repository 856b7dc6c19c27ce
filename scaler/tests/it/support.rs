//! A fleet in a few lines: observations to decide on.

use scaler::decide::observation::{
    Group, Node, NodeId, Observation, Orders, Phase, Requests, Tokens, Totals,
};
use scaler::decide::policy::Policy;
use scaler::decide::{Decision, Memory, decide};

/// A controller with its own time.
pub struct Bench {
    pub seen: Observation,
    pub policy: Policy,
    pub memory: Memory,
}

impl Bench {
    pub fn new(policy: Policy) -> Self {
        let memory = Memory::new(&policy);
        Self { seen: nothing(1000.0), policy, memory }
    }

    /// `phases` nodes, each with so many streams.
    pub fn with(mut self, nodes: &[(Phase, u32)]) -> Self {
        self.seen.nodes =
            nodes.iter().enumerate().map(|(i, (phase, active))| node(i, *phase, *active)).collect();
        self.seen.group.desired = nodes.len() as u32;
        self
    }

    /// `count` requests arrive and wait.
    pub fn waiting(mut self, count: u64) -> Self {
        self.arrive(count);
        self
    }

    pub fn arrive(&mut self, count: u64) {
        self.seen.waiting.count += count;
        self.seen.waiting.prompt_tokens += 1000 * count;
        self.seen.totals.arrived.count += count;
        self.seen.totals.arrived.prompt_tokens += 1000 * count;
    }

    pub fn decide(&mut self) -> Decision {
        decide(&self.seen, &self.policy, &mut self.memory)
    }

    /// Decides every five seconds for so long; the last decision.
    pub fn pass(&mut self, seconds: f64) -> Decision {
        let until = self.seen.now + seconds;
        let mut last = Decision::default();
        while self.seen.now < until {
            self.seen.now += 5.0;
            last = self.decide();
        }
        last
    }
}

pub fn node(i: usize, phase: Phase, active: u32) -> Node {
    Node {
        id: NodeId::new(&format!("i-{i}")),
        phase,
        launched_at: 700.0,
        ready_at: (phase != Phase::Booting).then_some(940.0),
        active,
        queued: 0,
        slots: 4,
        drain_confirmed: phase == Phase::Draining,
        report_age: 1.0,
        finished: Tokens::default(),
    }
}

pub fn nothing(now: f64) -> Observation {
    Observation {
        now,
        moment: None,
        group: Group::default(),
        nodes: Vec::new(),
        waiting: Requests::default(),
        running_prompt_tokens: 0,
        totals: Totals::default(),
        reports_age: 1.0,
        orders: Orders::default(),
        spending: None,
    }
}
