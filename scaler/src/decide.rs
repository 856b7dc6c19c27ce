//! One round: from what is seen, what to do. No clock, no network, no log; time is a value, and the memory is handed
//! in. `simulate` replays traces through this very function.

pub mod observation;
pub mod policy;
mod regret;
mod memory;
mod outlook;
mod launch;
mod rails;
mod shrink;
mod decision;

pub use decision::{Decision, Reason};
pub use memory::Memory;
pub use outlook::Outlook;
pub use regret::Regret;

use crate::Seconds;
use launch::{Coming, USEFUL};
use observation::{Node, Observation, Phase};
use policy::{Drive, Policy};

/// A description of the group older than this is no ground for changing it.
const GROUP_STALE: Seconds = 30.0;

/// A report older than this freezes its numbers: nothing is taken away.
const REPORT_STALE: Seconds = 15.0;

/// A report older than this says nothing at all.
const REPORT_LOST: Seconds = 60.0;

/// A surplus node is held for a boot, 80 s less where forecasts are perfect, and 60 s more where they are wrong by as much
/// as the rate itself: what can be foreseen can be launched in time, what cannot must be there. Deviation from a fixed
/// boot and 60 s, which costs the smooth days what only the bursts need. [`Regret`] comes on top.
const HOLD: (Seconds, Seconds) = (-80.0, 140.0);

/// However short a boot, a surplus node is held so long.
const HOLD_LEAST: Seconds = 30.0;

/// A launch is withdrawn when its node would be surplus so many times its remaining boot from now.
const WITHDRAW_AHEAD: f64 = 1.5;

/// Booting nodes that should be ready this soon are not withdrawn.
const NEARLY_READY: Seconds = 30.0;

/// A boot that took so many times the estimate is given up on: it is neither counted on nor in the way of another.
pub(crate) const FAILED_BOOT: f64 = 2.0;

/// A booting node that is overdue is expected this soon, whatever the estimate says.
const OVERDUE: Seconds = 10.0;

/// What to do now. Call it every five seconds, and at once on the first request at zero.
#[must_use]
pub fn decide(seen: &Observation, policy: &Policy, memory: &mut Memory) -> Decision {
    let mut decision = Decision::default();
    memory.look(seen);
    if seen.reports_age > REPORT_LOST {
        decision.reasons.push(Reason::NoReports);
        shrink::take_back(seen, u32::MAX, &mut decision);
        return decision;
    }
    let frozen = seen.reports_age > REPORT_STALE;
    if frozen {
        decision.reasons.push(Reason::ReportsStale);
    } else {
        memory.learn(seen);
    }
    let wish = Wish::of(seen, policy, memory);
    if wish.active {
        memory.active(seen.now);
    }
    decision.needed = wish.need;
    memory.needed(wish.need, seen.now);
    memory.regret.note(wish.coming.all(), &wish.lacked, seen.now);
    memory.regret.note(0, &wish.saved, seen.now);
    if seen.group.age > GROUP_STALE {
        decision.reasons.push(Reason::GroupStale);
        return decision;
    }
    if wish.ending {
        decision.reasons.push(Reason::Ending);
        if !frozen {
            shrink::to(0, seen, &mut decision);
        }
    } else if wish.more() > 0 && seen.nodes.iter().any(shrink::can_return) {
        // Free and at once: always before a launch.
        shrink::take_back(seen, wish.more(), &mut decision);
    } else if wish.launches > 0 {
        grow(&wish, seen, policy, memory, &mut decision);
    } else if !frozen {
        surplus(wish.kept, &wish, seen, &mut decision);
        decision.withdraw = withdrawn(&wish, seen, policy, memory);
    }
    if !frozen {
        shrink::leave(seen, &mut decision);
    }
    decision
}

/// What the work asks for, before any rail.
struct Wish {
    coming: Coming,
    need: u32,
    launches: u32,
    floor: u32,
    /// Ready nodes beyond these are surplus.
    kept: u32,
    hold: Seconds,
    boot: Seconds,
    lacked: Vec<Seconds>,
    saved: Vec<Seconds>,
    wake: bool,
    active: bool,
    ending: bool,
}

impl Wish {
    fn of(seen: &Observation, policy: &Policy, memory: &Memory) -> Self {
        let forecast = &memory.forecast;
        let boot = forecast.boots.mean();
        let (least, by_error) = HOLD;
        let error = forecast.next().1;
        let hold = (boot + policy.price.total() + least + by_error * error).max(HOLD_LEAST);
        let coming = coming(seen, boot);
        let floor = rails::floor(policy, seen);
        let ending = seen.orders.sleep || over(seen, policy, memory);
        let slots = seen.nodes.iter().map(|node| node.slots).max().filter(|slots| *slots > 0);
        let value = rails::value(policy, seen.spending);
        let outlook = Outlook::new(seen, forecast, value, slots.unwrap_or(policy.slots), USEFUL);
        let running: u32 = seen.nodes.iter().map(|node| node.active + node.queued).sum();
        let busy = seen.waiting.count > 0 || running > 0 || forecast.arrived() > 0;
        // After the idle time no forecast keeps a node: the owner's word is what the last minutes were like.
        let silent = !busy && memory.silent_for(seen.now) > policy.idle;
        let expected = if silent { 0 } else { outlook.need(policy.max).max(u32::from(busy)) };
        let need = expected.max(floor).min(policy.max);
        // One above the ceiling, so that a wish the ceiling cuts is seen to be cut.
        let fillable = rails::fillable(seen, &outlook).min(policy.max + 1);
        let extra = policy.price.total();
        let worth = |coming: &Coming| {
            let most = fillable.saturating_sub(coming.all());
            launch::worth(&outlook, coming, most, extra, hold)
        };
        let wake = coming.all() == 0 && seen.waiting.count > 0;
        // Nothing but a request wakes a fleet that sleeps, whatever the hour before it was like.
        let asleep = silent || coming.all() == 0 && !wake;
        let worth_now = if asleep { 0 } else { worth(&coming) };
        let held = memory.kept(seen.now, hold, policy.idle).max(floor).max(need);
        // Who is wanted back as soon as he is gone was no surplus. The last node has its own time to stay.
        let wanted_back =
            |kept: &u32| *kept > 0 && !silent && worth(&Coming { ready: *kept, etas: Vec::new() }) > 0;
        let kept = (held..coming.ready).find(|kept| !wanted_back(kept)).unwrap_or(coming.ready.max(held));
        let launches = worth_now.max(u32::from(wake)).max(floor.saturating_sub(coming.all()));
        let (lacked, saved) = worth_of_nodes(&outlook, &coming, launches, error);
        Self {
            coming,
            need,
            launches,
            floor,
            kept,
            hold,
            boot,
            lacked,
            saved,
            wake,
            active: busy || floor > 0,
            ending,
        }
    }

    /// How many more the work asks for than serve or will.
    fn more(&self) -> u32 {
        self.need.saturating_sub(self.coming.all()).max(self.launches)
    }
}

/// What those nodes would have saved that are launched too late, and what those save that are here. A lack is a forecast
/// that has failed; the others are worth keeping as far as forecasts are wrong, since what can be foreseen can be launched
/// in time.
fn worth_of_nodes(
    outlook: &Outlook<'_>,
    coming: &Coming,
    launches: u32,
    error: f64,
) -> (Vec<Seconds>, Vec<Seconds>) {
    // Whom a wake keeps waiting no surplus could have saved, and the last node has its own time to stay.
    let late = if coming.ready > 0 { launches } else { 0 };
    let lacked = launch::saving(outlook, |ahead| coming.at(ahead), late);
    let mut saved = if coming.ready > 1 { launch::saving(outlook, |_| 0, coming.ready) } else { Vec::new() };
    saved.iter_mut().for_each(|worth| *worth *= error.min(1.0));
    (lacked, saved)
}

fn over(seen: &Observation, policy: &Policy, memory: &Memory) -> bool {
    let limit = policy.hard_limit.unwrap_or(f64::INFINITY);
    memory.awake_since.is_some_and(|since| seen.now - since >= limit)
}

/// What serves and what will. Desired counts that no instance shows yet are launches just ordered.
fn coming(seen: &Observation, boot: Seconds) -> Coming {
    let phase = |phase: Phase| seen.nodes.iter().filter(move |node| node.phase == phase);
    let hopeful = |node: &&Node| seen.now - node.launched_at <= FAILED_BOOT * boot;
    let eta = |node: &Node| (node.launched_at + boot - seen.now).max(OVERDUE);
    let mut etas: Vec<_> = phase(Phase::Booting).filter(hopeful).map(eta).collect();
    let unseen = seen.group.desired.saturating_sub(seen.nodes.len() as u32);
    etas.extend(std::iter::repeat_n(boot, unseen as usize));
    // A node that has been silent for long serves nobody we know of; the health check replaces it, not we.
    let ready = phase(Phase::Ready).filter(|node| node.report_age <= REPORT_LOST).count();
    Coming { ready: ready as u32, etas }
}

fn grow(wish: &Wish, seen: &Observation, policy: &Policy, memory: &mut Memory, decision: &mut Decision) {
    decision.reasons.push(if wish.wake {
        Reason::Wake
    } else if wish.floor > wish.coming.all() {
        Reason::Floor(wish.floor)
    } else {
        Reason::Worth(wish.launches)
    });
    let living = seen.group.desired.max(seen.nodes.len() as u32);
    let room = policy.max.saturating_sub(living);
    let hold = wish.hold + memory.regret.of(wish.coming.all() as usize + 1, seen.now);
    let affordable = rails::affordable(policy, seen.spending, living, wish.boot, hold);
    let count = rails::allow(wish.launches, room, affordable, seen, memory, &mut decision.reasons);
    let called = policy.drive == Drive::Calls || wish.wake;
    if count > 0 && called {
        // The wake is always a call, under either drive: an alarm would add half a minute to every first request.
        let count = if policy.drive == Drive::Calls { count } else { 1 };
        memory.launching(seen.now, count, living, wish.wake);
        // The group refuses a desired count below its minimum, whatever the rails say.
        decision.desired = Some((living + count).max(policy.min));
        decision.nodes_short = wish.launches.min(room) - count.min(wish.launches.min(room));
    } else {
        decision.nodes_short = wish.launches.min(room).min(affordable);
        if count > 0 {
            decision.reasons.push(Reason::LeftToPolicy(count));
        }
    }
}

fn surplus(kept: u32, wish: &Wish, seen: &Observation, decision: &mut Decision) {
    if kept >= wish.coming.ready {
        return;
    }
    if seen.group.refreshing {
        decision.reasons.push(Reason::Refreshing);
    } else if !wish.coming.etas.is_empty() {
        decision.reasons.push(Reason::BootsPending);
    } else {
        shrink::to(kept, seen, decision);
    }
}

/// The desired count without the launches that nobody will need for as long as they still boot, newest first. They hold no
/// work, and nobody waits: a queue is the sign that forecasts were too low.
fn withdrawn(wish: &Wish, seen: &Observation, policy: &Policy, memory: &Memory) -> Option<u32> {
    if seen.waiting.count > 0 || seen.group.refreshing {
        return None;
    }
    let (mut etas, ready) = (wish.coming.etas.clone(), wish.coming.ready);
    etas.sort_by(|a, b| b.total_cmp(a));
    let surplus = |left: usize, eta: Seconds| {
        let kept = memory.kept(seen.now + WITHDRAW_AHEAD * eta, wish.hold, policy.idle);
        eta > NEARLY_READY && kept.max(wish.need).max(wish.floor) < ready + left as u32
    };
    let count = (0..etas.len()).take_while(|i| surplus(etas.len() - i, etas[*i])).count() as u32;
    let living = seen.group.desired.max(seen.nodes.len() as u32);
    (count > 0).then(|| living.saturating_sub(count).max(policy.min))
}
