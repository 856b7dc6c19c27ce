//! The group: its bounds, its instances, its history; what it does in a second.

mod instance;
mod history;

use std::time::Duration;

use super::balancer::Health;
use super::setup::{HookDefault, Setup};

pub(super) use history::Activity;
pub(super) use instance::Instance;
pub use instance::{GroupInstance, Stage};

/// Why the group refuses: AWS's code and words.
pub(super) struct Refused(pub(super) &'static str, pub(super) String);

impl Refused {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self("ValidationError", message.into())
    }
}

pub(super) struct Group {
    pub(super) setup: Setup,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) desired: u32,
    pub(super) refreshing: bool,
    pub(super) instances: Vec<Instance>,
    /// Instances of the warm pool, with when each is ready.
    pub(super) warm: Vec<(String, Duration)>,
    /// Oldest first.
    pub(super) history: Vec<Activity>,
    refusal: Option<String>,
    retry_at: Duration,
    made: u32,
}

impl Group {
    pub(super) fn new(setup: Setup) -> Self {
        let mut group = Self {
            min: setup.min,
            max: setup.max,
            desired: setup.desired.clamp(setup.min, setup.max.max(setup.min)),
            setup,
            refreshing: false,
            instances: Vec::new(),
            warm: Vec::new(),
            history: Vec::new(),
            refusal: None,
            retry_at: Duration::ZERO,
            made: 0,
        };
        for _ in 0..group.setup.warm_pool.unwrap_or(0) {
            let id = group.name();
            group.warm.push((id, Duration::ZERO));
        }
        group
    }

    /// A second's work, in the order of an instance's life.
    pub(super) fn step(&mut self, now: Duration) {
        for at in 0..self.instances.len() {
            self.turn(at, now);
        }
        self.instances.retain(|instance| instance.stage != Stage::Gone);
        for at in 0..self.instances.len() {
            let instance = &self.instances[at];
            if !instance.healthy && !instance.stage.is_ending() {
                self.end(at, now);
            }
        }
        self.reconcile(now);
        self.refill(now);
    }

    /// Moves one instance on, if its stage is over.
    fn turn(&mut self, at: usize, now: Duration) {
        let (launch, terminate) = (self.setup.launch_hook.clone(), self.setup.terminate_hook.clone());
        let instance = &mut self.instances[at];
        if now < instance.until {
            return;
        }
        match instance.stage {
            Stage::Pending if launch.is_some() => instance.wait(Stage::PendingWait, launch.as_ref(), now),
            Stage::PendingWait if launch.is_some_and(|hook| hook.default == HookDefault::Abandon) => {
                self.abandon(at, now);
            }
            Stage::PendingWait => instance.go_on(now),
            Stage::Pending | Stage::PendingProceed => {
                instance.arrive(self.setup.protect, now);
                let of = instance.id.clone();
                self.note(&of, "Launching", "Successful", None, now);
            }
            Stage::Terminating if terminate.is_some() => {
                instance.target = false;
                instance.wait(Stage::TerminatingWait, terminate.as_ref(), now);
            }
            // Both results of a terminate hook end the instance.
            Stage::Terminating | Stage::TerminatingWait => {
                instance.target = false;
                instance.enter(Stage::TerminatingProceed, now + self.setup.ends_in);
            }
            Stage::TerminatingProceed => {
                instance.stage = Stage::Gone;
                let of = instance.id.clone();
                self.note(&of, "Terminating", "Successful", None, now);
            }
            Stage::InService | Stage::Gone => {}
        }
    }

    /// A launch hook that gave up: the instance goes, and another comes for it.
    pub(super) fn abandon(&mut self, at: usize, now: Duration) {
        let of = self.instances[at].id.clone();
        let why = "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token fake was \
                   abandoned: Lifecycle Action Completed with ABANDON Result";
        self.note(&of, "Launching", "Failed", Some(why), now);
        self.end(at, now);
    }

    /// Begins an instance's end: its target drains first, where it has one.
    fn end(&mut self, at: usize, now: Duration) {
        let drains = if self.instances[at].target { self.setup.drains_in } else { Duration::ZERO };
        self.instances[at].enter(Stage::Terminating, now + drains);
        let of = self.instances[at].id.clone();
        self.begin(format!("Terminating EC2 instance: {of}"), &of, now);
    }

    /// Launches what is missing; takes what is too much, as far as it may.
    fn reconcile(&mut self, now: Duration) {
        let coming = self.instances.iter().filter(|one| !one.stage.is_ending()).count();
        let desired = self.desired as usize;
        for _ in coming..desired {
            if now < self.retry_at || !self.launch(now) {
                break;
            }
        }
        for _ in desired..coming {
            let pending = self.instances.iter().rposition(|one| one.stage.is_coming());
            let spare =
                || self.instances.iter().position(|one| one.stage == Stage::InService && !one.protected);
            let Some(at) = pending.or_else(spare) else { break };
            self.end(at, now);
        }
    }

    fn launch(&mut self, now: Duration) -> bool {
        if let Some(why) = self.refusal.clone() {
            self.retry_at = now + self.setup.retries_in;
            self.refused(&why, now);
            return false;
        }
        let warm = self.warm.iter().position(|(_, ready)| *ready <= now).map(|at| self.warm.remove(at).0);
        let (from, takes) = match &warm {
            Some(_) => (" from warm pool", self.setup.warm_launches_in),
            None => ("", self.setup.launches_in),
        };
        let id = warm.unwrap_or_else(|| self.name());
        self.begin(format!("Launching a new EC2 instance{from}: {id}"), &id, now);
        self.instances.push(Instance::new(id, now, takes));
        true
    }

    /// The warm pool makes a new instance for each that it gave.
    fn refill(&mut self, now: Duration) {
        let size = self.setup.warm_pool.unwrap_or(0) as usize;
        while self.warm.len() < size {
            let id = self.name();
            self.warm.push((id, now + self.setup.warms_in));
        }
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("i-{:017x}", self.made)
    }

    pub(super) fn find(&mut self, id: &str) -> Result<usize, Refused> {
        let found = self.instances.iter().position(|instance| instance.id == id);
        let gone = format!("Instance Id not found - No managed instance found for instance ID: {id}");
        found.ok_or_else(|| Refused::invalid(gone))
    }

    pub(super) fn set_desired(&mut self, desired: u32, now: Duration) -> Result<(), Refused> {
        let (bound, word) = match desired {
            above if above > self.max => (self.max, "above max"),
            below if below < self.min => (self.min, "below min"),
            _ => {
                self.desired = desired;
                self.reconcile(now);
                return Ok(());
            }
        };
        let what = format!("New SetDesiredCapacity value {desired} is {word} value {bound}");
        Err(Refused::invalid(format!("{what} for the AutoScalingGroup.")))
    }

    /// Ends an instance by name, protected or not. One that ends already is left to it.
    pub(super) fn terminate(&mut self, id: &str, decrement: bool, now: Duration) -> Result<(), Refused> {
        let at = self.find(id)?;
        if !self.instances[at].stage.is_ending() {
            if decrement && self.desired <= self.min {
                let min = self.min;
                return Err(Refused::invalid(format!(
                    "Currently, desiredSize equals minSize ({min}). Terminating instance without replacement will \
                     violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false \
                     or lower group's min size."
                )));
            }
            self.desired -= u32::from(decrement);
            self.end(at, now);
        }
        Ok(())
    }

    pub(super) fn set_serving(&mut self, id: &str, serving: bool) {
        if let Ok(at) = self.find(id) {
            self.instances[at].serving = serving;
        }
    }

    pub(super) fn refuse_launches(&mut self, why: Option<&str>) {
        self.refusal = why.map(str::to_owned);
    }

    pub(super) fn interrupt(&mut self, id: &str, now: Duration) {
        if let Ok(at) = self.find(id) {
            self.instances[at].interrupted_at = Some(now);
        }
    }

    pub(super) fn seen(&self, now: Duration) -> Vec<GroupInstance> {
        let checked = self.setup.checked_in;
        self.instances.iter().map(|instance| instance.seen(checked, now)).collect()
    }

    /// The targets that the group has registered, and how they are.
    pub(super) fn targets(&self, now: Duration) -> Vec<(String, Health)> {
        let seen = self.seen(now).into_iter();
        seen.filter_map(|instance| Some((instance.id, instance.target?))).collect()
    }
}
