//! Several processes against one lease in virtual time, with every fault at random: calls that take long, never arrive,
//! arrive late or lose their answer; processes that stop for a while; clocks that are set and clocks that jump.

use super::*;

/// One step of virtual time.
const STEP: Duration = Duration::from_millis(50);

/// A call under way: what it asks, when it reaches the table, when its answer arrives, when its caller gives it up.
struct Sent {
    call: Call,
    began: Instant,
    arrives: u64,
    answered: Option<u64>,
    given_up: u64,
    answer: Option<Answer>,
}

enum Answer {
    Read(Option<LeaseRecord>),
    Written(Change<LeaseRecord>),
}

struct Process {
    tenure: Tenure,
    /// What its clock shows beyond the time that has passed.
    ahead: Duration,
    last_jump: u64,
    stopped_until: u64,
    sent: Option<Sent>,
}

struct World {
    random: fastrand::Rng,
    start: Instant,
    now: u64,
    lease: Option<LeaseRecord>,
    processes: Vec<Process>,
    /// Given up by their callers, but on their way.
    late: Vec<(usize, Sent)>,
    faults: bool,
    terms: usize,
}

fn steps(time: Duration) -> u64 {
    (time.as_millis() / STEP.as_millis()) as u64
}

impl World {
    fn new(seed: u64, processes: usize) -> Self {
        let start = Instant::now();
        let mut random = fastrand::Rng::with_seed(seed);
        let processes = (0..processes)
            .map(|at| {
                let ahead = Duration::from_secs(random.u64(..1_000_000));
                let tenure = Tenure::candidate(format!("p{at}"), start + ahead);
                Process { tenure, ahead, last_jump: 0, stopped_until: 0, sent: None }
            })
            .collect();
        Self { random, start, now: 0, lease: None, processes, late: vec![], faults: true, terms: 0 }
    }

    fn clock(&self, process: &Process) -> Instant {
        self.start + STEP * self.now as u32 + process.ahead
    }

    /// The table does what has reached it.
    fn apply(lease: &mut Option<LeaseRecord>, owner: &str, call: &Call) -> Answer {
        let Call::Write { observed } = call else { return Answer::Read(lease.clone()) };
        if lease.as_ref().map(|lease| lease.version) != *observed {
            return Answer::Written(Change::Refused(lease.clone()));
        }
        let made = LeaseRecord { owner: owner.to_owned(), version: observed.unwrap_or(0) + 1 };
        *lease = Some(made.clone());
        Answer::Written(Change::Made(made))
    }

    fn send(&mut self, at: usize) -> Sent {
        let slow = self.faults && self.random.u8(..10) == 0;
        let most = if slow { Duration::from_secs(12) } else { Duration::from_millis(200) };
        let mut wait = || self.random.u64(..=steps(most));
        let (arrives, answered) = (self.now + 1 + wait(), wait());
        let lost = self.faults && self.random.u8(..20) == 0;
        let process = &self.processes[at];
        Sent {
            call: process.tenure.next(),
            began: self.clock(process),
            arrives,
            answered: (!lost).then_some(arrives + answered),
            given_up: self.now + steps(CALL_LIMIT),
            answer: None,
        }
    }

    fn step_process(&mut self, at: usize) {
        if self.faults {
            self.trouble(at);
        }
        let owner = self.processes[at].tenure.owner().to_owned();
        // The table answers whether or not the caller runs.
        if let Some(sent) = self.processes[at].sent.as_mut().filter(|sent| sent.arrives == self.now) {
            sent.answer = Some(Self::apply(&mut self.lease, &owner, &sent.call));
        }
        if self.processes[at].stopped_until > self.now {
            return;
        }
        let clock = self.clock(&self.processes[at]);
        let Some(sent) = self.processes[at].sent.take() else {
            if self.processes[at].tenure.due() <= clock {
                self.processes[at].sent = Some(self.send(at));
            }
            return;
        };
        let tenure = &mut self.processes[at].tenure;
        match sent {
            Sent { answer: Some(answer), answered: Some(answered), began, .. } if answered <= self.now => {
                match answer {
                    Answer::Read(seen) => tenure.polled(clock, seen),
                    Answer::Written(change) => {
                        self.terms +=
                            usize::from(matches!(change, Change::Made(_)) && !tenure.may_act(clock));
                        tenure.written(began, clock, change);
                    }
                }
            }
            sent if sent.given_up <= self.now => {
                tenure.failed(clock);
                self.late.push((at, sent));
            }
            sent => self.processes[at].sent = Some(sent),
        }
    }

    /// Stops a process for up to 30 s, or lets its clock jump ahead; a clock not twice within the time a lease is watched.
    fn trouble(&mut self, at: usize) {
        let (stop, jump) = (self.random.u16(..2000) == 0, self.random.u16(..2000) == 0);
        let seconds = self.random.u64(..30);
        let process = &mut self.processes[at];
        if stop {
            process.stopped_until = self.now + steps(Duration::from_secs(seconds));
        }
        if jump && self.now - process.last_jump > steps(TAKE_AFTER) {
            process.ahead += Duration::from_secs(seconds * 100);
            process.last_jump = self.now;
        }
    }

    fn step(&mut self) {
        for (at, sent) in &self.late {
            if sent.arrives == self.now {
                Self::apply(&mut self.lease, self.processes[*at].tenure.owner(), &sent.call);
            }
        }
        let now = self.now;
        self.late.retain(|(_, sent)| sent.arrives > now);
        for at in 0..self.processes.len() {
            self.step_process(at);
        }
        self.now += 1;
    }

    fn leaders(&self) -> usize {
        self.processes.iter().filter(|process| process.tenure.may_act(self.clock(process))).count()
    }
}

#[test]
fn there_is_never_more_than_one_leader_and_always_one_again() {
    let mut terms = 0;
    for seed in 0..300 {
        let mut world = World::new(seed, 2 + (seed % 4) as usize);
        for _ in 0..steps(Duration::from_secs(300)) {
            world.step();
            assert!(world.leaders() <= 1, "seed {seed}, step {}", world.now);
        }
        world.faults = false;
        for _ in 0..steps(Duration::from_secs(60)) {
            world.step();
            assert!(world.leaders() <= 1, "seed {seed}, step {}", world.now);
        }
        assert_eq!(world.leaders(), 1, "seed {seed}: nobody leads a minute after the last fault");
        terms += world.terms;
    }
    assert!(terms > 900, "the faults must end terms, or nothing was tested: {terms}");
}
