//! What happens by itself: instances boot and end, gateways report and obey, requests wait, run and finish.

mod called;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use fleet::report::{Load, NodeRecord, NodeState, OrderKind, Report, ReportAnswer, Role, Summary};
use fleet::store::{Change, FleetState, LeaseRecord, Phase};
use scaler::entrance::Weights;
use scaler::group::{LaunchRefusal, Life};
use tokio::time::Instant;

use super::EPOCH;

/// Slots of a node.
const SLOTS: usize = 4;

/// How often a gateway reports.
const REPORT: f64 = 2.0;

/// One machine with its gateway.
#[derive(Clone, Debug)]
pub struct Machine {
    pub id: String,
    pub life: Life,
    pub launched: f64,
    /// When it is ready; infinite for one that never will be.
    pub ready: f64,
    /// When each of its requests ends.
    pub running: Vec<f64>,
    /// Says nothing any more, and serves nobody.
    pub mute: bool,
    /// Its Ollama has gone for good.
    pub dead_ollama: bool,
    /// It has told that it is ready: nobody sends it anything before.
    pub told: bool,
    pub load: Load,
    answer: ReportAnswer,
    sequence: u64,
    reported: f64,
    gone_at: f64,
}

impl Machine {
    fn drains(&self, wall: i64) -> bool {
        self.life == Life::Terminating || self.answer.in_force(wall) == OrderKind::Drain
    }

    fn serves(&self, now: f64, wall: i64) -> bool {
        self.told && self.ready <= now && !self.mute && !self.dead_ollama && !self.drains(wall)
    }
}

/// The world without its scalers.
pub struct Sim {
    start: Instant,
    pub random: fastrand::Rng,
    /// The seed of a random life, to be told when it fails.
    pub seed: Option<u64>,
    // The group.
    pub min: u32,
    pub max: u32,
    pub desired: u32,
    pub machines: Vec<Machine>,
    pub refreshing: bool,
    pub refusal: Option<LaunchRefusal>,
    pub boot: f64,
    /// Launches are refused.
    pub no_capacity: bool,
    /// What boots is never ready.
    pub bad_image: bool,
    pub group_out: bool,
    launched: u32,
    // The table.
    pub records: BTreeMap<String, NodeRecord>,
    pub lease: Option<LeaseRecord>,
    pub state: FleetState,
    pub store_out: bool,
    pub summary: Option<Summary>,
    // The load balancer, and the metrics.
    pub weights: Weights,
    /// The longest that clients stood before an empty group.
    pub empty_for: f64,
    empty_since: Option<f64>,
    pub published: Vec<(f64, BTreeMap<&'static str, f64>)>,
    /// `NodesShort` as last published, and since when it is above 0; until a step was made on it.
    pub short: Option<(f64, u32)>,
    /// The group has its step policy.
    pub stepping: bool,
    // Requests.
    pub front: Option<Load>,
    pub queue: VecDeque<f64>,
    pub served: u32,
    pub refused: u32,
    front_sequence: u64,
    front_reported: f64,
    // What is remembered of it.
    pub actor: String,
    pub calls: Vec<(f64, String, String)>,
    pub violations: Vec<String>,
}

impl fmt::Display for Sim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, state) = (self.now(), &self.state);
        if let Some(seed) = self.seed {
            writeln!(out, "seed {seed}")?;
        }
        writeln!(out, "at {now}: {:?} ({:?}), desired {}", state.phase, state.reason, self.desired)?;
        writeln!(out, "{} wait, {} served, {} refused", self.queue.len(), self.served, self.refused)?;
        for machine in &self.machines {
            writeln!(out, "{machine:?}")?;
        }
        let calls = self.calls.len();
        for (at, actor, call) in &self.calls[calls.saturating_sub(40)..] {
            writeln!(out, "{at:8.1} {actor}: {call}")?;
        }
        Ok(())
    }
}

impl Sim {
    pub fn new(min: u32, max: u32) -> Self {
        Self {
            start: Instant::now(),
            random: fastrand::Rng::with_seed(1),
            seed: None,
            min,
            max,
            desired: min,
            machines: Vec::new(),
            refreshing: false,
            refusal: None,
            boot: 60.0,
            no_capacity: false,
            bad_image: false,
            group_out: false,
            launched: 0,
            records: BTreeMap::new(),
            lease: None,
            state: FleetState::default(),
            store_out: false,
            summary: None,
            weights: Weights::FRONT,
            empty_for: 0.0,
            empty_since: None,
            published: Vec::new(),
            short: None,
            stepping: false,
            front: Some(Load::default()),
            queue: VecDeque::new(),
            served: 0,
            refused: 0,
            front_sequence: 0,
            front_reported: 0.0,
            actor: String::new(),
            calls: Vec::new(),
            violations: Vec::new(),
        }
    }

    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// The gateways' clock; a scaler's may be another.
    pub fn wall(&self) -> i64 {
        EPOCH + self.now() as i64
    }

    /// `count` requests of so many seconds come to the front.
    pub fn ask(&mut self, count: u32, seconds: f64) {
        if self.state.phase == Phase::Broken {
            self.refused += count;
            return;
        }
        self.queue.extend(std::iter::repeat_n(seconds, count as usize));
        if let Some(load) = &mut self.front {
            load.arrived += u64::from(count);
            load.arrived_prompt_tokens += 500 * u64::from(count);
        }
    }

    pub fn living(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(|one| matches!(one.life, Life::Pending | Life::InService))
    }

    pub fn running(&self) -> usize {
        self.machines.iter().map(|one| one.running.len()).sum()
    }

    /// Nothing is left to do, and nothing to pay.
    pub fn is_asleep(&self) -> bool {
        let still = self.machines.is_empty() && self.queue.is_empty() && self.desired == 0;
        still && self.state.phase == Phase::Asleep
    }

    /// Calls that begin so.
    pub fn count(&self, begins: &str) -> usize {
        self.calls.iter().filter(|(_, _, call)| call.starts_with(begins)).count()
    }

    /// Half a second passes.
    pub fn tick(&mut self) {
        let (now, wall) = (self.now(), self.wall());
        self.keep_up(now);
        for machine in &mut self.machines {
            let before = machine.running.len();
            machine.running.retain(|end| *end > now);
            let finished = before - machine.running.len();
            self.served += finished as u32;
            machine.load.finished += finished as u64;
            machine.load.finished_prompt_tokens += 500 * finished as u64;
            machine.load.finished_output_tokens += 200 * finished as u64;
        }
        self.dispatch(now, wall);
        self.step(now);
        self.watch_entrance(now);
        if !self.store_out {
            self.report(now, wall);
            self.wake(now, wall);
        }
    }

    /// The group keeps as many as it should, and lets go who has to.
    fn keep_up(&mut self, now: f64) {
        for machine in &mut self.machines {
            if machine.life == Life::Pending && now - machine.launched >= 5.0 {
                machine.life = Life::InService;
            }
        }
        self.machines
            .retain(|one| one.life != Life::Terminating || now < one.gone_at || !one.running.is_empty());
        while (self.living().count() as u32) < self.desired {
            if self.no_capacity {
                let at = self.wall() - self.wall() % 15; // the group tries every few seconds
                self.refusal = Some(LaunchRefusal { at, why: "InsufficientInstanceCapacity".to_owned() });
                return;
            }
            self.refusal = None;
            self.launch(now);
        }
    }

    /// Targets that pass the load balancer's health check.
    pub fn healthy(&self) -> impl Iterator<Item = &Machine> {
        let (now, wall) = (self.now(), self.wall());
        self.machines.iter().filter(move |one| one.serves(now, wall))
    }

    fn watch_entrance(&mut self, now: f64) {
        let empty = self.weights.nodes > 0 && self.healthy().next().is_none();
        self.empty_since = empty.then(|| self.empty_since.unwrap_or(now));
        self.empty_for = self.empty_for.max(self.empty_since.map_or(0.0, |since| now - since));
    }

    /// The alarm on `NodesShort`, ten seconds later; the next step only on a newer number.
    fn step(&mut self, now: f64) {
        if self.stepping
            && let Some((at, short)) = self.short
            && short > 0
            && now - at >= 10.0
        {
            self.short = None;
            let living = self.living().count() as u32;
            self.desired = self.desired.max((living + short).min(self.max));
            self.calls.push((now, "policy".to_owned(), format!("step {short}")));
        }
    }

    fn launch(&mut self, now: f64) {
        self.launched += 1;
        let boot = if self.bad_image { f64::INFINITY } else { self.boot };
        let id = format!("i-{}", self.launched);
        self.calls.push((now, "group".to_owned(), format!("launch {id}")));
        self.machines.push(Machine {
            id,
            life: Life::Pending,
            launched: now,
            ready: now + boot,
            running: Vec::new(),
            mute: false,
            dead_ollama: false,
            told: false,
            load: Load::default(),
            answer: ReportAnswer::default(),
            sequence: 0,
            reported: now,
            gone_at: f64::INFINITY,
        });
    }

    fn dispatch(&mut self, now: f64, wall: i64) {
        for machine in &mut self.machines {
            while machine.serves(now, wall) && machine.running.len() < SLOTS {
                let Some(work) = self.queue.pop_front() else { return };
                machine.running.push(now + work);
            }
        }
    }

    fn report(&mut self, now: f64, wall: i64) {
        let due: Vec<_> = (0..self.machines.len())
            .filter(|at| {
                let one = &self.machines[*at];
                !one.mute && now - one.reported >= REPORT && now - one.launched >= 10.0
            })
            .collect();
        for at in due {
            let machine = &mut self.machines[at];
            machine.reported = now;
            machine.sequence += 1;
            let state = match () {
                () if machine.drains(wall) => NodeState::Draining,
                () if machine.ready > now || machine.dead_ollama => NodeState::Starting,
                () => NodeState::Ready,
            };
            machine.told |= state == NodeState::Ready;
            let report = Report {
                node: machine.id.clone(),
                state,
                slots: SLOTS as u32,
                busy: machine.running.len() as u32,
                started_at: EPOCH + machine.launched as i64,
                sequence: machine.sequence,
                order_seen: machine.answer.order_seq,
                load: machine.load,
                ..Report::default()
            };
            let answer = self.write_report(&report, wall);
            self.machines[at].answer = answer;
        }
        let Some(load) = self.front else { return };
        if now - self.front_reported >= REPORT {
            self.front_reported = now;
            self.front_sequence += 1;
            let load = Load { waiting_prompt_tokens: 500 * self.queue.len() as u64, ..load };
            let report = Report {
                node: "front".to_owned(),
                role: Role::Front,
                state: NodeState::Ready,
                queued: self.queue.len() as u32,
                started_at: EPOCH,
                sequence: self.front_sequence,
                load,
                ..Report::default()
            };
            self.write_report(&report, wall);
        }
    }

    pub fn write_report(&mut self, report: &Report, wall: i64) -> ReportAnswer {
        let answer = self.records.get(&report.node).map(|record| record.answer).unwrap_or_default();
        let record = NodeRecord { report: report.clone(), written_at: wall, answer };
        self.records.insert(report.node.clone(), record);
        answer
    }

    /// What a front does while somebody waits and nobody serves.
    fn wake(&mut self, now: f64, wall: i64) {
        let served = self.machines.iter().any(|one| one.serves(now, wall));
        let sleeps = matches!(self.state.phase, Phase::Asleep | Phase::FallingAsleep);
        if self.front.is_some() && !self.queue.is_empty() && !served && sleeps {
            let old = self.state.clone();
            self.change_state(&old, &old.moved_to(Phase::Waking, wall));
        }
    }

    pub fn change_state(&mut self, expected: &FleetState, new: &FleetState) -> Change<FleetState> {
        if self.state.version != expected.version {
            return Change::Refused(Some(self.state.clone()));
        }
        self.state = FleetState { version: expected.version + 1, ..new.clone() };
        if (new.phase, &new.reason) != (expected.phase, &expected.reason) {
            let call = format!("state {:?} ({:?})", new.phase, new.reason);
            self.calls.push((self.now(), String::new(), call));
        }
        Change::Made(self.state.clone())
    }
}
