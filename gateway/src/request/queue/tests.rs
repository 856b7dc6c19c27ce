//! What the queue promises. The rules are tried on the pure state with a clock of their own (`Sim`), the waking on
//! the real thing with paused time.

mod honest;
mod fairness;
mod classes;
mod bounds;
mod waiting;
mod forecast;
mod reach;

use std::collections::HashMap;

use super::state::*;
use super::*;

pub(super) const HERE: UpstreamId = UpstreamId(0);

pub(super) fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

pub(super) fn caller(name: &str) -> Principal {
    Principal::of_key(name)
}

/// So many seconds, whether somebody can serve or not.
pub(super) fn patience(seconds: u64) -> Patience {
    Patience { wait: Duration::from_secs(seconds), hold: Duration::from_secs(seconds) }
}

/// A demand for the model `m` with a far deadline.
pub(super) fn demand(name: &str, work: f64) -> Demand {
    Demand {
        model: model("m"),
        caller: caller(name),
        priority: Priority::Normal,
        work,
        prompt_tokens: 10,
        bytes: 100,
        reach: Reach::Anywhere,
        patience: patience(86_400),
    }
}

pub(super) fn config() -> settings::Queue {
    settings::Queue { max_wait_seconds: Duration::from_secs(80_000), ..settings::Queue::default() }
}

/// How equal shares are: 1 is equal, 1/n is all for one (Jain's index).
pub(super) fn jain(shares: impl IntoIterator<Item = f64>) -> f64 {
    let shares: Vec<f64> = shares.into_iter().collect();
    let sum: f64 = shares.iter().sum();
    sum * sum / (shares.len() as f64 * shares.iter().map(|x| x * x).sum::<f64>())
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A node with one place for `m`, whose slots do exactly what is expected of them (times `speed`).
pub(super) struct Sim {
    pub state: State,
    pub now: Instant,
    speed: f64,
    running: Vec<Job>,
    asked: HashMap<Ticket, (Demand, Instant)>,
    /// Work done, by caller and by class.
    pub served: HashMap<Principal, f64>,
    pub by_class: [f64; 3],
    /// Seconds waited, by caller, in the order of granting.
    pub waits: HashMap<Principal, Vec<f64>>,
    /// When each caller's last request ended.
    pub ended: HashMap<Principal, Instant>,
}

struct Job {
    ticket: Ticket,
    demand: Demand,
    began: Instant,
    ends: Instant,
}

impl Sim {
    pub fn new(config: settings::Queue, slots: usize, speed: f64) -> Self {
        let now = Instant::now();
        let mut state = State::new(config);
        state.offer(HERE, &model("m"), slots, now);
        let speed = speed / (1.0 + 0.3 * (slots - 1) as f64);
        Self {
            state,
            now,
            speed,
            running: Vec::new(),
            asked: HashMap::new(),
            served: HashMap::new(),
            by_class: [0.0; 3],
            waits: HashMap::new(),
            ended: HashMap::new(),
        }
    }

    pub fn ask(&mut self, demand: Demand) -> Result<(), Refusal> {
        match self.state.arrive(demand.clone(), self.now)? {
            Arrival::Granted(grant) => {
                self.asked.insert(grant.ticket, (demand, self.now));
                self.begin(&grant);
            }
            Arrival::Waiting(ticket) => {
                self.asked.insert(ticket, (demand, self.now));
            }
        }
        Ok(())
    }

    pub fn waiting(&self, name: &str) -> usize {
        self.asked.values().filter(|(demand, _)| demand.caller == caller(name)).count()
    }

    fn begin(&mut self, grant: &Grant) {
        let (demand, asked) = self.asked.remove(&grant.ticket).expect("only what waits is granted");
        let waited = (self.now - asked).as_secs_f64();
        self.waits.entry(demand.caller.clone()).or_default().push(waited);
        let ends = self.now + Duration::from_secs_f64(demand.work / self.speed);
        self.running.push(Job { ticket: grant.ticket, demand, began: self.now, ends });
    }

    /// Goes to the end of the next running request (but not beyond `until`); `false` if there is none.
    pub fn step(&mut self, until: Instant) -> bool {
        let next = self.running.iter().enumerate().min_by_key(|(_, job)| (job.ends, job.ticket));
        let Some((index, _)) = next.filter(|(_, job)| job.ends <= until) else {
            self.now = until;
            return false;
        };
        let job = self.running.swap_remove(index);
        self.now = job.ends;
        *self.served.entry(job.demand.caller.clone()).or_default() += job.demand.work;
        self.by_class[job.demand.priority as usize] += job.demand.work;
        self.ended.insert(job.demand.caller.clone(), self.now);
        self.state.settle(&model("m"), job.ticket, job.demand.work, self.now - job.began, self.now);
        if let Some(grant) = self.state.release(&model("m"), job.ticket, self.now) {
            self.begin(&grant);
        }
        true
    }

    pub fn advance(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        while self.step(until) {}
    }
}
