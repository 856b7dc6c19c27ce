//! One round of the leader: observe, decide, act, tell. What it needs of the outside is handed in; what it learns it
//! keeps for the next.

mod read;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fleet::lease::Lease;
use fleet::publish::{Datum, Publish, Unit, Value};
use fleet::report::Summary;
use fleet::store::{FleetState, Phase, Store};
use jiff::tz::TimeZone;
use tokio::time::timeout;

use crate::Seconds;
use crate::act::{Act, Done, Hands, Plan, plan};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::decide::observation::{self, NodeId};
use crate::decide::policy::Policy;
use crate::decide::{Decision, Memory, decide};
use crate::entrance::{Entrance, Keeper, tend};
use crate::group::Group;
use crate::life::{self, Course, Life};
use crate::observe::{Moments, Observer, Sight};
use crate::publish::{EVERY, Scene, Teller};
use crate::sick::Sick;

/// Longest call that only looks or tells.
const CALL: Duration = Duration::from_secs(3);

/// Above so many gateways peers read one summary instead of all reports.
const SMALL_FLEET: usize = 24;

/// What a scaler is made of.
#[derive(Debug)]
pub struct Parts {
    /// The fleet's name.
    pub fleet: String,
    /// What the owner wants.
    pub policy: Policy,
    /// The schedule's time zone.
    pub zone: TimeZone,
    /// The table shared with the gateways.
    pub store: Arc<dyn Store>,
    /// The machines.
    pub group: Arc<dyn Group>,
    /// How often the group is asked who is there, where nothing else calls for it.
    pub describe_every: Seconds,
    /// Where metrics go.
    pub publish: Option<Arc<dyn Publish>>,
    /// The load balancer.
    pub entrance: Option<Arc<dyn Entrance>>,
    /// The clocks.
    pub clock: Clock,
}

/// What is kept from round to round.
#[derive(Debug)]
pub struct Round {
    parts: Arc<Parts>,
    observer: Observer,
    memory: Memory,
    life: Life,
    sick: Sick,
    budget: Budget,
    teller: Teller,
    keeper: Keeper,
    state: FleetState,
    described_at: Option<Seconds>,
    told_at: Option<Seconds>,
    /// What was last logged: a line for each change, none for each round.
    said: String,
    failing: bool,
}

/// What one round came to.
#[derive(Debug)]
pub struct Turn {
    /// What was seen.
    pub sight: Sight,
    /// What was decided.
    pub decision: Decision,
    /// What was to be done for it.
    pub acts: Vec<Act>,
}

/// By what right a round acts.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a> {
    /// As long as the lease says so.
    Lease(&'a Lease),
    /// Never: say what would be done.
    DryRun,
}

impl Round {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(parts: Arc<Parts>) -> Self {
        Self {
            observer: Observer::new(parts.zone.clone()),
            memory: Memory::new(&parts.policy),
            life: Life::default(),
            sick: Sick::default(),
            budget: Budget::default(),
            teller: Teller::default(),
            keeper: Keeper::default(),
            state: FleetState::default(),
            described_at: None,
            told_at: None,
            said: String::new(),
            failing: false,
            parts,
        }
    }

    /// The state as last read or written.
    #[must_use]
    pub fn state(&self) -> &FleetState {
        &self.state
    }

    /// One round. `None`: the store did not answer, so that nothing is known of the fleet's state, and nothing is done.
    pub async fn turn(&mut self, right: Right<'_>) -> Option<Turn> {
        let state = self.read_state().await;
        if let Right::Lease(lease) = right {
            self.parts.group.keep(lease.may_act()).await;
        }
        let facts = self.read_facts().await;
        let (now, wall) = (self.parts.clock.now(), self.parts.clock.wall());
        let spending = self.parts.policy.budget.map(|_| self.budget.spending(&self.state, wall));
        let spent = self.is_spent(wall);
        let orders = life::orders(&self.state, wall, spent, self.parts.policy.min);
        let sight = self.observer.look(facts, Moments { now, wall, orders, spending });
        let leads = match right {
            Right::Lease(lease) => lease.may_act(),
            Right::DryRun => true,
        };
        let decision = self.decide(&sight, leads);
        self.budget.count(if leads { sight.living() } else { 0 }, now);
        state?;
        if !leads {
            return Some(Turn { sight, decision, acts: Vec::new() });
        }
        let course = self.life.steer(&self.state, &sight, &decision, self.boot(), spent);
        let decision = reined(decision, &course);
        let acts = self.plan(&sight, &decision, &course);
        self.say(&sight, &decision, &acts);
        if let Right::Lease(lease) = right {
            let hands = Hands {
                store: &*self.parts.store,
                group: &*self.parts.group,
                fleet: &self.parts.fleet,
                lease,
                wall,
            };
            let done = hands.perform(&acts, &self.state).await;
            self.learn(&done, now);
            self.tell(&sight, &decision, &done, lease).await;
        }
        Some(Turn { sight, decision, acts })
    }

    /// A follower learns all that the leader learns, but keeps no launches in mind that nobody made.
    fn decide(&mut self, sight: &Sight, leads: bool) -> Decision {
        if leads {
            return decide(&sight.seen, &self.parts.policy, &mut self.memory);
        }
        let decision = decide(&sight.seen, &self.parts.policy, &mut self.memory.clone());
        self.memory.look(&sight.seen);
        self.memory.learn(&sight.seen);
        self.memory.needed(decision.needed, sight.seen.now);
        decision
    }

    fn boot(&self) -> Seconds {
        self.memory.forecast.boots.mean()
    }

    fn is_spent(&self, wall: i64) -> bool {
        let hours = self.parts.policy.budget.map_or(f64::INFINITY, |budget| budget.hours);
        self.budget.spending(&self.state, wall).used_hours >= hours
    }

    fn plan(&mut self, sight: &Sight, decision: &Decision, course: &Course) -> Vec<Act> {
        let state = self.state_to_write(sight, course);
        let sick = self.sick.look(sight);
        let policy = &self.parts.policy;
        plan(&Plan {
            sight,
            decision,
            course,
            state: state.as_ref(),
            sick: sick.as_ref(),
            bounds: (policy.min, policy.max),
            backing_off: self.memory.backing_off(sight.seen.now),
        })
    }

    /// The state with what the course asks for, and with the budget's use where that is due or costs nothing.
    fn state_to_write(&self, sight: &Sight, course: &Course) -> Option<FleetState> {
        let due = self.budget.is_due(sight.seen.now);
        let next = course.state.clone().or_else(|| due.then(|| self.state.clone()))?;
        Some(FleetState { spent: Some(self.budget.spent(&self.state, sight.wall)), ..next })
    }

    /// Takes in what was done.
    fn learn(&mut self, done: &Done, now: Seconds) {
        if let Some(state) = &done.state {
            self.state = state.clone();
            self.life.written();
            self.budget.written(now);
        }
        for id in &done.ended {
            self.life.ended(id);
        }
        for id in &done.forgotten {
            self.observer.forget(id);
        }
        for id in &done.replaced {
            self.sick.told(id);
        }
        if done.desired.is_some() {
            self.described_at = None; // it has changed: ask again
        }
    }

    /// Entrance, metrics, summary: what others need to know.
    async fn tell(&mut self, sight: &Sight, decision: &Decision, done: &Done, lease: &Lease) {
        self.tend(sight, decision, lease).await;
        self.warn_of_budget(sight.wall);
        let now = sight.seen.now;
        if sight.gateways.len() > SMALL_FLEET && lease.may_act() {
            let records: Vec<_> = sight.gateways.iter().map(|gateway| gateway.record.clone()).collect();
            let summary = Summary::of(&records, sight.wall);
            let _ = timeout(CALL, self.parts.store.write_summary(&self.parts.fleet, &summary)).await;
        }
        if self.told_at.is_none_or(|at| now - at >= EVERY - 1.0) && lease.may_act() {
            self.told_at = Some(now);
            self.publish(sight, decision, done).await;
        }
    }

    async fn tend(&mut self, sight: &Sight, decision: &Decision, lease: &Lease) {
        let Some(entrance) = self.parts.entrance.clone() else { return };
        let leaves = |phase| matches!(phase, observation::Phase::Draining | observation::Phase::Leaving);
        let draining = sight.seen.nodes.iter().filter(|node| leaves(node.phase));
        let mut leaving: BTreeSet<NodeId> = draining.map(|node| node.id.clone()).collect();
        leaving.extend(decision.cordon.iter().cloned());
        leaving.retain(|id| !decision.uncordon.contains(id));
        let tended = tend(&*entrance, &mut self.keeper, &leaving, sight.seen.now, || lease.may_act()).await;
        if let Err(error) = tended {
            tracing::warn!(%error, "the entrance could not be tended");
        }
    }

    async fn publish(&mut self, sight: &Sight, decision: &Decision, done: &Done) {
        let Some(publish) = self.parts.publish.clone() else { return };
        let records: Vec<_> = sight.gateways.iter().map(|gateway| gateway.record.clone()).collect();
        let mut data = self.teller.tell(&Scene {
            seen: &sight.seen,
            decision,
            desired: done.desired.unwrap_or(sight.group.desired),
            records: &records,
            boot: self.boot(),
            throughput: self.memory.forecast.throughput.full(),
            wall: sight.wall,
        });
        data.extend(self.alarms(sight));
        match timeout(CALL, publish.publish(&data)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "metrics were not published"),
            Err(_) => tracing::warn!("metrics were not published in time"),
        }
    }

    /// What should wake a person.
    fn alarms(&self, sight: &Sight) -> Vec<Datum> {
        let one = |name, value| Datum { name, value: Value::One(value), unit: Unit::Count };
        let broken = self.state.phase == Phase::Broken;
        let mut data = vec![
            one("FleetBroken", f64::from(u8::from(broken))),
            one("LaunchRefused", f64::from(u8::from(sight.group.refusal.is_some()))),
            one("ThroughputOff", f64::from(u8::from(self.memory.forecast.throughput.alarming()))),
        ];
        if let Some(budget) = self.parts.policy.budget {
            let used = self.budget.spending(&self.state, sight.wall).used_hours;
            data.push(one("BudgetUsedPercent", 100.0 * used / budget.hours));
        }
        data
    }

    fn warn_of_budget(&mut self, wall: i64) {
        let Some(budget) = self.parts.policy.budget else { return };
        let spent = self.budget.spent(&self.state, wall);
        if let Some(percent) = self.budget.warning(spent, budget.hours) {
            let (used, hours) = (spent.gpu_seconds / 3600.0, budget.hours);
            tracing::warn!(percent, used, hours, "the month's budget of GPU-hours is being used up");
        }
    }

    /// One line when anything changes.
    fn say(&mut self, sight: &Sight, decision: &Decision, acts: &[Act]) {
        let reasons = decision.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let steps = acts.iter().filter(|act| !matches!(act, Act::Drain(..)));
        let steps = steps.map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let said = format!("{reasons}|{steps}");
        if said == self.said {
            return;
        }
        self.said = said;
        let ready = sight.in_phase(observation::Phase::Ready).count();
        let refusal = sight.group.refusal.as_ref().map(|refusal| refusal.why.as_str());
        tracing::info!(
            fleet = self.parts.fleet,
            reasons,
            steps,
            ready,
            living = sight.living(),
            desired = sight.group.desired,
            needed = decision.needed,
            waiting = sight.seen.waiting.count,
            refusal,
            "decided"
        );
    }
}

/// A decision under a course: what must not be launched is not asked of the step policy either.
fn reined(decision: Decision, course: &Course) -> Decision {
    if course.stall { Decision { desired: None, nodes_short: 0, ..decision } } else { decision }
}
