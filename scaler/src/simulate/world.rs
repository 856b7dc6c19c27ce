//! The simulated fleet: nodes, one queue, the bill. Virtual time; nothing here decides.

use std::collections::VecDeque;

use crate::Seconds;
use crate::decide::observation::{NodeId, Phase, Requests, Tokens, Totals};
use crate::decide::policy::{Benchmark, LaunchPrice};

use super::faults::{BOOT_TIMEOUT, Faults, NOTICE};
use super::node::SimNode;
use super::trace::Request;

/// A boot takes its mean time within this share.
const JITTER: f64 = 0.2;

/// The stopped instances a group keeps ready.
#[derive(Clone, Debug)]
pub struct WarmPool {
    /// How many it should hold.
    pub size: u32,
    /// Mean boot out of it.
    pub boot: Seconds,
    /// When each instance of it is stopped and usable.
    usable_at: Vec<Seconds>,
}

impl WarmPool {
    /// A full pool.
    #[must_use]
    pub fn full(size: u32, boot: Seconds) -> Self {
        Self { size, boot, usable_at: vec![f64::NEG_INFINITY; size as usize] }
    }

    /// Instances usable now.
    #[must_use]
    pub fn usable(&self, now: Seconds) -> u32 {
        self.usable_at.iter().filter(|at| **at <= now).count() as u32
    }

    fn take(&mut self, now: Seconds, refilled_at: Seconds) -> bool {
        let Some(slot) = self.usable_at.iter_mut().find(|at| **at <= now) else { return false };
        *slot = refilled_at;
        true
    }
}

/// What the simulated machines are like.
#[derive(Clone, Debug)]
pub struct Machines {
    /// Mean boot of a cold launch.
    pub boot: Seconds,
    /// Streams at once.
    pub slots: usize,
    /// Most nodes.
    pub cap: u32,
    /// Shifts all boot times.
    pub seed: u64,
    /// Speed of one stream alone.
    pub rates: Benchmark,
    /// Stopped instances kept ready.
    pub warm: Option<WarmPool>,
    /// Billed for every launch beside its time. Refills of a pool are billed by their own time.
    pub price: LaunchPrice,
    /// What goes wrong with them.
    pub faults: Faults,
}

/// A request that waits: its row, when it came and the tokens it brings.
type Waiting = (u32, Seconds, Tokens);

/// The fleet at a moment.
#[derive(Debug)]
pub struct World {
    /// Now.
    pub now: Seconds,
    /// What its machines are like.
    pub machines: Machines,
    /// Living nodes, oldest first.
    pub nodes: Vec<SimNode>,
    /// Counts of all requests.
    pub totals: Totals,
    /// Requests that wait.
    pub waiting: Requests,
    /// Prompt tokens of the requests that run.
    pub running_prompt: u64,
    /// Launches so far.
    pub launches: u32,
    /// How many instances the group tries to have.
    pub desired: u32,
    /// When a launch was last refused.
    pub refused_at: Option<Seconds>,
    /// Streams cut off because their node was taken away.
    pub cut: u32,
    /// Wait of each request, by row.
    pub waits: Vec<f32>,
    /// Billed seconds of nodes that are gone, fees and refills.
    billed: Seconds,
    queue: VecDeque<Waiting>,
}

impl World {
    /// An empty fleet before a trace of so many requests.
    #[must_use]
    pub fn new(machines: Machines, requests: usize) -> Self {
        Self {
            now: 0.0,
            machines,
            nodes: Vec::new(),
            totals: Totals::default(),
            waiting: Requests::default(),
            running_prompt: 0,
            launches: 0,
            desired: 0,
            refused_at: None,
            cut: 0,
            waits: vec![f32::NAN; requests],
            billed: 0.0,
            queue: VecDeque::new(),
        }
    }

    /// Nodes in a phase.
    #[must_use]
    pub fn count(&self, phase: Phase) -> u32 {
        self.nodes.iter().filter(|node| node.phase == phase).count() as u32
    }

    /// Requests that run.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.nodes.iter().map(|node| node.active() as u32).sum()
    }

    /// Launches one node, if the cap allows; its boot is drawn from the seed and the number of the launch.
    pub fn launch(&mut self) {
        if self.machines.faults.refuses(self.machines.seed, self.now) {
            self.refused_at = Some(self.now);
            return;
        }
        let mean = self.boot_mean();
        let boot =
            mean * (1.0 + JITTER * (2.0 * uniform(self.machines.seed, u64::from(self.launches)) - 1.0));
        self.launch_ready_in(boot);
    }

    fn boot_mean(&mut self) -> Seconds {
        let cold = self.machines.boot;
        let Some(pool) = &mut self.machines.warm else { return cold };
        if pool.take(self.now, self.now + cold) {
            self.billed += cold;
            return pool.boot;
        }
        cold
    }

    /// Launches one node with that boot time, if the cap allows.
    pub fn launch_ready_in(&mut self, boot: Seconds) {
        if self.nodes.len() as u32 >= self.machines.cap {
            return;
        }
        self.launches += 1;
        self.billed += self.machines.price.fee;
        let Machines { faults, seed, .. } = &self.machines;
        let mut node = SimNode::launched(self.launches, self.now, self.now + boot);
        node.notice_at = faults.notice_at(*seed, self.launches, node.ready_at);
        if boot > 0.0 && faults.fails(*seed, self.launches) {
            node = SimNode::launched(self.launches, self.now, f64::INFINITY);
            node.taken_at = self.now + BOOT_TIMEOUT;
        }
        self.nodes.push(node);
        self.desired = self.desired.max(self.nodes.len() as u32);
    }

    /// The group launches what it lacks; after a refusal it tries again a minute later.
    pub fn fill(&mut self) {
        let waits = self.refused_at.is_some_and(|at| self.now - at < 60.0 && at < self.now);
        let lacking = self.desired.saturating_sub(self.nodes.len() as u32);
        for _ in 0..if waits { 0 } else { lacking } {
            self.launch();
        }
    }

    /// A lower desired count: launches not yet in service go, the newest first, and nothing else.
    pub fn withdraw(&mut self, desired: u32) {
        while self.nodes.len() as u32 > desired {
            let Some(i) = self.nodes.iter().rposition(|node| node.phase == Phase::Booting) else { break };
            let id = self.nodes[i].id.clone();
            self.terminate(&id);
        }
        self.desired = desired.max(self.nodes.len() as u32);
    }

    /// A node takes no new requests. A booting one is given up at once.
    pub fn cordon(&mut self, i: usize, leaves: bool) {
        let node = &mut self.nodes[i];
        node.phase = Phase::Draining;
        node.leaves = leaves;
        node.drain_seen = false;
        self.sweep();
    }

    /// A draining node takes requests again.
    pub fn uncordon(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.id == *id) {
            node.phase = Phase::Ready;
        }
        self.dispatch();
    }

    /// A node ends. Ending one with work would lose streams: a fault of the controller.
    pub fn terminate(&mut self, id: &NodeId) {
        let Some(i) = self.nodes.iter().position(|node| node.id == *id) else { return };
        assert!(self.nodes[i].active() == 0, "{id} was terminated with streams on it");
        self.desired = self.desired.saturating_sub(1);
        self.remove(i);
    }

    fn remove(&mut self, i: usize) {
        let node = self.nodes.remove(i);
        self.billed += self.now - node.launched_at + self.machines.price.tail;
    }

    /// A Spot notice, or the end that it foretold. The group does not lower desired: it replaces the node.
    fn disturb(&mut self, i: usize) {
        let (now, node) = (self.now, &mut self.nodes[i]);
        if node.taken_at <= now {
            self.cut += node.active() as u32;
            self.running_prompt -= node.running().map(|tokens| tokens.prompt).sum::<u64>();
            self.remove(i);
        } else {
            node.notice_at = f64::INFINITY;
            node.taken_at = now + NOTICE;
            node.phase = Phase::Leaving;
        }
    }

    fn sweep(&mut self) {
        while let Some(i) = self
            .nodes
            .iter()
            .position(|node| node.leaves && node.phase == Phase::Draining && node.active() == 0)
        {
            let id = self.nodes[i].id.clone();
            self.terminate(&id);
        }
    }

    /// When something happens inside next.
    #[must_use]
    pub fn next(&self) -> Seconds {
        self.nodes.iter().map(SimNode::next).fold(f64::INFINITY, f64::min)
    }

    /// Lets that happen.
    pub fn step(&mut self, at: Seconds) {
        self.now = at;
        let Some(i) = self.nodes.iter().position(|node| node.next() <= at) else { return };
        let node = &mut self.nodes[i];
        if !node.due(at) {
            self.disturb(i);
        } else if node.active() == 0 {
            node.ready(at);
        } else if let Some(tokens) = node.finish(at) {
            self.totals.finished += 1;
            self.totals.finished_tokens.prompt += tokens.prompt;
            self.totals.finished_tokens.output += tokens.output;
            self.running_prompt -= tokens.prompt;
        }
        self.sweep();
        self.dispatch();
    }

    /// A request arrives.
    pub fn arrive(&mut self, row: usize, request: &Request) {
        self.now = request.arrival;
        let tokens = Tokens { prompt: u64::from(request.prompt), output: u64::from(request.output) };
        self.totals.arrived.count += 1;
        self.totals.arrived.prompt_tokens += tokens.prompt;
        self.waiting.count += 1;
        self.waiting.prompt_tokens += tokens.prompt;
        self.queue.push_back((row as u32, request.arrival, tokens));
        self.dispatch();
    }

    /// Sends what waits to ready nodes with a free slot, the least loaded first.
    fn dispatch(&mut self) {
        while let Some((row, arrival, tokens)) = self.queue.front().copied() {
            let slots = self.machines.slots;
            let free = |node: &&mut SimNode| node.phase == Phase::Ready && node.active() < slots;
            let Some(node) = self.nodes.iter_mut().filter(free).min_by_key(|node| node.active()) else {
                return;
            };
            let rates = &self.machines.rates;
            let work = tokens.prompt as f64 / rates.prefill + tokens.output as f64 / rates.decode;
            node.start(self.now, work, tokens);
            self.queue.pop_front();
            self.waiting.count -= 1;
            self.waiting.prompt_tokens -= tokens.prompt;
            self.running_prompt += tokens.prompt;
            self.waits[row as usize] = (self.now - arrival) as f32;
        }
    }

    /// GPU-hours so far, those of living nodes too.
    #[must_use]
    pub fn hours(&self) -> f64 {
        let living: Seconds = self.nodes.iter().map(|node| self.now - node.launched_at).sum();
        (self.billed + living) / 3600.0
    }
}

/// A number in 0..1 from a seed and a count: SplitMix64 (Steele, Lea, Flood 2014), the same on every machine.
#[must_use]
pub fn uniform(seed: u64, count: u64) -> f64 {
    let mut x =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(count.wrapping_mul(0xD1B5_4A32_D192_ED03));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
