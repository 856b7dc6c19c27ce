//! The bounds around every wish: money, rate of launches, floor and ceiling, what the queue can fill.

use crate::Seconds;

use super::decision::Reason;
use super::memory::Memory;
use super::observation::{Observation, Spending};
use super::outlook::Outlook;
use super::policy::Policy;

/// New instances in a window of 30 s: at most four, or as many as there were when it opened.
const BURST: u32 = 4;

/// The group's desired count is written at most this often.
const WRITE_EVERY: Seconds = 5.0;

/// What waiting is worth while money is short: falls with the plan, never below a tenth.
#[must_use]
pub fn value(policy: &Policy, spending: Option<Spending>) -> f64 {
    let (Some(budget), Some(spending)) = (policy.budget, spending) else { return policy.value_of_waiting };
    let left = (budget.hours - spending.used_hours).max(0.0);
    let plan = (budget.hours * spending.period_left).max(1e-9);
    policy.value_of_waiting * (left / plan).clamp(0.1, 1.0)
}

/// How many more nodes the budget can pay through a boot and a hold time, beside `fleet` that it has. Running
/// requests always finish: the fleet itself is not cut here.
#[must_use]
pub fn affordable(
    policy: &Policy,
    spending: Option<Spending>,
    fleet: u32,
    boot: Seconds,
    hold: Seconds,
) -> u32 {
    let (Some(budget), Some(spending)) = (policy.budget, spending) else { return u32::MAX };
    let left = (budget.hours - spending.used_hours).max(0.0) * 3600.0;
    ((left / (boot + hold)) as u32).saturating_sub(fleet)
}

/// Whether nothing is left to spend.
#[must_use]
pub fn spent(policy: &Policy, spending: Option<Spending>) -> bool {
    matches!((policy.budget, spending), (Some(budget), Some(now)) if now.used_hours >= budget.hours)
}

/// The least number of nodes: minimum, schedule, orders. Nothing but the minimum once the money is gone.
#[must_use]
pub fn floor(policy: &Policy, seen: &Observation) -> u32 {
    let mut floor = policy.min;
    if !spent(policy, seen.spending) {
        floor = floor.max(seen.orders.at_least);
        if let Some(at) = seen.moment {
            let scheduled = policy.schedule.iter().filter(|window| window.covers(at));
            floor = floor.max(scheduled.map(|window| window.nodes).max().unwrap_or(0));
        }
    }
    floor.min(policy.max)
}

/// The largest fleet that queue and forecast can fill: every slot with a request that is here or comes while a
/// launch boots.
#[must_use]
pub fn fillable(seen: &Observation, outlook: &Outlook<'_>) -> u32 {
    let running: u64 = seen.nodes.iter().map(|node| u64::from(node.active + node.queued)).sum();
    let coming = 2.0 * outlook.next * outlook.boot / outlook.mean;
    (((seen.waiting.count + running) as f64 + coming) / outlook.slots).ceil() as u32
}

/// Cuts a wish for `wanted` more nodes down to what may be launched now, and says by what.
pub fn allow(
    wanted: u32,
    room: u32,
    affordable: u32,
    seen: &Observation,
    memory: &Memory,
    reasons: &mut Vec<Reason>,
) -> u32 {
    let mut allowed = wanted;
    let mut cut = |to: u32, why: Reason| {
        if allowed > to {
            allowed = to;
            reasons.push(why);
        }
    };
    cut(room, Reason::Ceiling);
    cut(affordable, Reason::Budget);
    let (lately, before) = memory.launched_lately(seen.now, seen.group.desired);
    cut(BURST.max(before).saturating_sub(lately), Reason::LaunchRate);
    if memory.backing_off(seen.now) {
        cut(0, Reason::BackingOff);
    }
    // A wake at zero may be repeated at once: nothing depends on the order of two equal writes.
    if seen.now - memory.written_at < WRITE_EVERY {
        cut(0, Reason::JustWritten);
    }
    allowed
}
