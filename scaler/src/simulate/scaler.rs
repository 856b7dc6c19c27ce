//! Our own controller in the simulation: builds the observation, calls `decide`, does what it says.

use crate::Seconds;
use std::collections::BTreeMap;

use crate::decide::observation::{Group, Node, Observation, Orders, Phase};
use crate::decide::policy::{Drive, Policy};
use crate::decide::{Decision, Memory, decide};

use super::node::SimNode;
use super::replay::Controller;
use super::world::{World, uniform};

/// Metrics are published this often, and a ten-second alarm looks at them as often.
const PUBLISH: Seconds = 10.0;

/// A policy step comes this long after the decision: publication, evaluation and the group's own delay.
const STEP_DELAY: (Seconds, Seconds) = (10.0, 25.0);

/// A refused launch is told of for so long.
const REFUSAL_KNOWN: Seconds = 300.0;

/// A node silent for longer is no gateway we count on.
const GONE: Seconds = 60.0;

/// The product's controller.
pub struct Scaler {
    policy: Policy,
    memory: Memory,
    published_at: Seconds,
    short: u32,
    step_at: Option<Seconds>,
    steps: u64,
    withdraws: bool,
    /// What each node said last, and when.
    heard: BTreeMap<u32, (Seconds, Node)>,
}

impl Scaler {
    /// With that policy, knowing nothing.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let memory = Memory::new(&policy);
        Self {
            policy,
            memory,
            published_at: f64::NEG_INFINITY,
            short: 0,
            step_at: None,
            steps: 0,
            withdraws: true,
            heard: BTreeMap::new(),
        }
    }

    /// Whether launches that nobody will need are withdrawn.
    #[must_use]
    pub fn withdrawing(self, withdraws: bool) -> Self {
        Self { withdraws, ..self }
    }

    /// What it has learned.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn obey(&mut self, world: &mut World, decision: &Decision) {
        for id in &decision.uncordon {
            world.uncordon(id);
        }
        for id in &decision.cordon {
            if let Some(i) = world.nodes.iter().position(|node| node.id == *id) {
                world.cordon(i, false);
            }
        }
        for id in &decision.terminate {
            world.terminate(id);
        }
        if let Some(desired) = decision.desired {
            world.desired = world.desired.max(desired);
        } else if let Some(desired) = decision.withdraw.filter(|_| self.withdraws) {
            world.withdraw(desired);
        }
        world.fill();
        // The node echoes the order with its next report, two seconds later: the next round sees it.
        world.nodes.iter_mut().for_each(|node| node.drain_seen = node.phase == Phase::Draining);
    }

    /// The group's step policy: +1 for one short, +2 from two, +4 from four, +8 from eight; the next step only on a
    /// number published after this one.
    fn step_policy(&mut self, world: &mut World, decision: &Decision) {
        if self.policy.drive != Drive::Metrics {
            return;
        }
        if self.step_at.is_some_and(|at| at <= world.now) {
            self.step_at = None;
            let add = match self.short {
                0 => 0,
                1 => 1,
                2..4 => 2,
                4..8 => 4,
                8.. => 8,
            };
            world.desired = (world.nodes.len() as u32 + add).min(self.policy.max);
            world.fill();
            self.published_at = world.now;
            self.short = 0;
            return;
        }
        if world.now - self.published_at >= PUBLISH {
            self.published_at = world.now;
            self.short = decision.nodes_short;
            if self.short > 0 && self.step_at.is_none() {
                self.steps += 1;
                let (least, most) = STEP_DELAY;
                let draw = uniform(world.machines.seed ^ 0x5745, self.steps);
                self.step_at = Some(world.now + least + (most - least) * draw);
            }
        }
    }
}

impl Controller for Scaler {
    fn every(&self) -> Seconds {
        5.0
    }

    fn wakes(&self) -> bool {
        true
    }

    fn round(&mut self, world: &mut World) {
        let seen = self.observe(world);
        let decision = decide(&seen, &self.policy, &mut self.memory);
        self.obey(world, &decision);
        self.step_policy(world, &decision);
    }
}

impl Scaler {
    fn observe(&mut self, world: &World) -> Observation {
        let faults = &world.machines.faults;
        for node in &world.nodes {
            if !faults.silences(world.machines.seed, node.number, world.now) {
                self.heard.insert(node.number, (world.now, said(node, world.machines.slots as u32)));
            }
        }
        self.heard.retain(|number, _| world.nodes.iter().any(|node| node.number == *number));
        let nodes: Vec<_> = world.nodes.iter().map(|node| self.known(node, world)).collect();
        let serving = nodes.iter().filter(|node| node.phase != Phase::Booting);
        Observation {
            now: world.now,
            moment: None,
            group: Group {
                desired: world.desired,
                age: 0.0,
                warm: world.machines.warm.as_ref().map(|pool| pool.usable(world.now)),
                refreshing: false,
                launch_failed_at: world.refused_at.filter(|at| world.now - at < REFUSAL_KNOWN),
            },
            reports_age: serving.map(|node| node.report_age).filter(|age| *age < GONE).fold(0.0, f64::max),
            nodes,
            waiting: world.waiting,
            running_prompt_tokens: world.running_prompt,
            totals: world.totals,
            orders: Orders::default(),
            spending: None,
        }
    }

    /// What is known of a node: what it said last, and how long ago.
    fn known(&self, node: &SimNode, world: &World) -> Node {
        let Some((at, said)) = self.heard.get(&node.number) else {
            // The group lists an instance whose gateway was never heard: it boots, as far as anybody knows.
            let silent = said(node, world.machines.slots as u32);
            return Node { phase: Phase::Booting, ready_at: None, report_age: f64::INFINITY, ..silent };
        };
        Node { report_age: world.now - at, ..said.clone() }
    }
}

fn said(node: &SimNode, slots: u32) -> Node {
    Node {
        id: node.id.clone(),
        phase: node.phase,
        launched_at: node.launched_at,
        ready_at: (node.phase != Phase::Booting).then_some(node.ready_at),
        active: node.active() as u32,
        queued: 0,
        slots,
        drain_confirmed: node.drain_seen,
        report_age: 0.0,
        finished: node.finished,
    }
}
