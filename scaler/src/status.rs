//! The fleet as a person wants to read it, from what the store and the group say. Only reads; works on any machine
//! that reaches them.

mod text;

use fleet::report::{NodeRecord, NodeState, OrderKind, Role};
use fleet::store::{Boot, FleetState, LeaseRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::act::word;
use crate::config::Config;
use crate::decide::observation::Moment;
use crate::group::{Description, Instance, Life};

/// What was read.
#[derive(Debug)]
pub struct Read<'a> {
    /// The configuration of whoever asks.
    pub config: &'a Config,
    /// The fleet's state.
    pub state: &'a FleetState,
    /// The current reports.
    pub records: &'a [NodeRecord],
    /// The group, or why it could not be described.
    pub group: Result<Description, String>,
    /// The lease as it was at first.
    pub lease: Option<LeaseRecord>,
    /// After how many seconds of watching it was renewed; `None`: it was not.
    pub renewed_after: Option<f64>,
    /// Seconds since 1970.
    pub wall: i64,
}

/// The fleet.
#[derive(Debug, Serialize)]
pub struct View {
    /// Its name.
    pub fleet: String,
    /// `asleep`, `waking`, `awake`, `falling asleep` or `broken`.
    pub state: &'static str,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Seconds since then.
    pub for_seconds: i64,
    /// Why, where there is a reason.
    pub reason: Option<String>,
    /// The group; `None` where it could not be described.
    pub group: Option<GroupView>,
    /// Why it could not.
    pub group_error: Option<String>,
    /// Nodes and fronts.
    pub nodes: Vec<NodeView>,
    /// Requests that wait, everywhere.
    pub queued: u64,
    /// What they are worth, in seconds of an idle node.
    pub queued_work_seconds: f64,
    /// How long the oldest has waited.
    pub oldest_wait_seconds: f64,
    /// Who leads.
    pub leader: LeaderView,
    /// A hold in force.
    pub hold: Option<HoldView>,
    /// The minimum that the schedule asks for now; 0: none.
    pub scheduled_nodes: u32,
    /// GPU-hours, where there is a budget.
    pub budget: Option<BudgetView>,
    /// The last boots, the newest first.
    pub boots: Vec<Boot>,
    /// Boots that failed since the last good one.
    pub boot_failures: u32,
}

/// The group of machines.
#[derive(Debug, Serialize)]
pub struct GroupView {
    /// How many it tries to have.
    pub desired: u32,
    /// Fewest.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// Stopped instances in the warm pool, where there is one.
    pub warm: Option<u32>,
    /// An instance refresh runs.
    pub refreshing: bool,
    /// The last launch that was refused: when, and why.
    pub refusal: Option<(i64, String)>,
}

/// One gateway, or one instance without.
#[derive(Debug, Serialize)]
pub struct NodeView {
    /// Its name.
    pub node: String,
    /// `front`, or where the group has it: `pending`, `in service`, `aside`, `terminating`, `not in the group`.
    pub place: &'static str,
    /// `starting`, `loading`, `ready`, `draining`, or `silent`.
    pub state: &'static str,
    /// Requests inside.
    pub busy: u32,
    /// Requests it takes at once.
    pub slots: u32,
    /// Requests that wait there.
    pub queued: u32,
    /// Models in memory.
    pub models: Vec<String>,
    /// Seconds since its launch, or since its process began.
    pub age_seconds: Option<i64>,
    /// Seconds for which an order to drain is still in force.
    pub drain_for_seconds: Option<i64>,
    /// The gateway's version.
    pub version: String,
}

/// The leader.
#[derive(Debug, Serialize)]
pub struct LeaderView {
    /// Its name; `None`: nobody leads.
    pub owner: Option<String>,
    /// After how many seconds of watching it renewed its lease; `None`: it did not.
    pub renewed_after_seconds: Option<f64>,
}

/// A hold.
#[derive(Debug, Serialize)]
pub struct HoldView {
    /// At least so many nodes.
    pub nodes: u32,
    /// For so many more seconds.
    pub for_seconds: i64,
}

/// The month's budget.
#[derive(Debug, Serialize)]
pub struct BudgetView {
    /// GPU-hours used.
    pub used_hours: f64,
    /// GPU-hours there are.
    pub hours: f64,
}

impl View {
    /// What was read, put together.
    #[must_use]
    pub fn of(read: Read<'_>) -> Self {
        let state = read.state;
        let (group, group_error) = match read.group {
            Ok(group) => (Some(group), None),
            Err(error) => (None, Some(error)),
        };
        let queues = || read.records.iter().map(|record| &record.report);
        Self {
            fleet: read.config.fleet.name.clone(),
            state: word(state.phase),
            since: state.since,
            for_seconds: if state.version == 0 { 0 } else { (read.wall - state.since).max(0) },
            reason: state.reason.clone(),
            nodes: nodes(read.records, group.as_ref(), read.wall),
            group: group.map(GroupView::of),
            group_error,
            queued: queues().map(|report| u64::from(report.queued)).sum(),
            queued_work_seconds: queues()
                .map(|report| report.queued_work_seconds)
                .fold(0.0, |sum, one| sum + one),
            oldest_wait_seconds: queues().map(|report| report.oldest_wait_seconds).fold(0.0, f64::max),
            leader: LeaderView {
                owner: read.lease.map(|lease| lease.owner).filter(|owner| !owner.is_empty()),
                renewed_after_seconds: read.renewed_after,
            },
            hold: state
                .hold
                .filter(|hold| read.wall < hold.until)
                .map(|hold| HoldView { nodes: hold.nodes, for_seconds: hold.until - read.wall }),
            scheduled_nodes: scheduled(read.config, read.wall),
            budget: read.config.policy.budget.map(|hours| BudgetView {
                used_hours: crate::budget::Budget::default().spending(state, read.wall).used_hours,
                hours,
            }),
            boots: state.boots.iter().rev().take(5).copied().collect(),
            boot_failures: state.boot_failures,
        }
    }
}

impl GroupView {
    fn of(group: Description) -> Self {
        Self {
            desired: group.desired,
            min: group.min,
            max: group.max,
            warm: group.warm,
            refreshing: group.refreshing,
            refusal: group.refusal.map(|refusal| (refusal.at, refusal.why)),
        }
    }
}

fn scheduled(config: &Config, wall: i64) -> u32 {
    let zone = TimeZone::get(&config.schedule.timezone).unwrap_or(TimeZone::UTC);
    let moment: Option<Moment> = crate::observe::moment(wall, &zone);
    let policy = config.policy();
    let windows = policy.schedule.iter().filter(|window| moment.is_some_and(|at| window.covers(at)));
    windows.map(|window| window.nodes).max().unwrap_or(0)
}

fn nodes(records: &[NodeRecord], group: Option<&Description>, wall: i64) -> Vec<NodeView> {
    let instances = group.map_or(&[][..], |group| &group.instances);
    let instance = |name: &str| instances.iter().find(|one| one.id.to_string() == name);
    let mut views: Vec<_> =
        records.iter().map(|record| reported(record, instance(&record.report.node), wall)).collect();
    let heard = |one: &&Instance| !records.iter().any(|record| record.report.node == one.id.to_string());
    views.extend(instances.iter().filter(heard).map(|one| silent(one, wall)));
    views
}

fn reported(record: &NodeRecord, instance: Option<&Instance>, wall: i64) -> NodeView {
    let (report, answer) = (&record.report, record.answer);
    let begun = instance.and_then(|one| one.launched_at).unwrap_or(report.started_at);
    NodeView {
        node: report.node.clone(),
        place: match (report.role, instance) {
            (Role::Front, _) => "front",
            (Role::Node, Some(one)) => place(one.life),
            (Role::Node, None) => "not in the group",
        },
        state: match report.state {
            NodeState::Starting => "starting",
            NodeState::Loading => "loading",
            NodeState::Ready => "ready",
            NodeState::Draining => "draining",
        },
        busy: report.busy,
        slots: report.slots,
        queued: report.queued,
        models: report.models.clone(),
        age_seconds: Some((wall - begun).max(0)),
        drain_for_seconds: (answer.in_force(wall) == OrderKind::Drain).then(|| answer.order_until - wall),
        version: report.version.clone(),
    }
}

fn silent(instance: &Instance, wall: i64) -> NodeView {
    NodeView {
        node: instance.id.to_string(),
        place: place(instance.life),
        state: "silent",
        busy: 0,
        slots: 0,
        queued: 0,
        models: Vec::new(),
        age_seconds: instance.launched_at.map(|at| (wall - at).max(0)),
        drain_for_seconds: None,
        version: String::new(),
    }
}

fn place(life: Life) -> &'static str {
    match life {
        Life::Pending => "pending",
        Life::InService => "in service",
        Life::Aside => "aside",
        Life::Terminating => "terminating",
    }
}

/// A moment as people write it, in UTC.
fn written(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
