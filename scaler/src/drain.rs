//! Orders to drain. They live in the table beside the reports, not in the leader: a new one reads them back and goes on.

use fleet::report::{Order, OrderKind, Role};

use crate::Seconds;
use crate::decide::observation::{NodeId, Phase};
use crate::observe::Sight;
use crate::observe::gateway::Gateway;

/// How long an order is in force, in seconds: a node whose leader has died serves again within a minute.
pub const IN_FORCE: i64 = 60;

/// A node is ended only while its order has so many seconds left: longer than the call may take, so that it cannot
/// begin to serve under it.
pub const MARGIN: i64 = 15;

/// A gateway that has said nothing for so many seconds has missed seven reports.
pub const SILENT: Seconds = 15.0;

fn gateway<'a>(sight: &'a Sight, node: &NodeId) -> Option<&'a Gateway> {
    let name = node.to_string();
    sight.gateways.iter().find(|gateway| gateway.record.report.node == name)
}

/// The order by which a node begins to drain.
#[must_use]
pub fn begin(sight: &Sight, node: &NodeId) -> Option<Order> {
    let answer = gateway(sight, node)?.record.answer;
    let until = sight.wall + IN_FORCE;
    Some(Order { kind: OrderKind::Drain, seq: answer.order_seq + 1, until })
}

/// The order by which it serves again.
#[must_use]
pub fn take_back(sight: &Sight, node: &NodeId) -> Option<Order> {
    begin(sight, node).map(|order| Order { kind: OrderKind::None, ..order })
}

/// The order that stands, with a new minute. Only one that is still in force: what has lapsed is decided anew.
#[must_use]
pub fn renewal(sight: &Sight, node: &NodeId) -> Option<Order> {
    let answer = gateway(sight, node)?.record.answer;
    let stands = answer.in_force(sight.wall) == OrderKind::Drain;
    stands.then_some(Order { kind: OrderKind::Drain, seq: answer.order_seq, until: sight.wall + IN_FORCE })
}

/// Whether a node speaks, and so hears.
#[must_use]
pub fn listens(sight: &Sight, node: &NodeId) -> bool {
    gateway(sight, node).is_some_and(|gateway| sight.seen.now - gateway.heard_at <= SILENT)
}

/// Nodes that have fallen silent and have left the group for good. Not as soon as they are ended: an order lives beside
/// the report, and who still reports would find himself free to serve.
pub fn gone(sight: &Sight) -> impl Iterator<Item = NodeId> {
    let fresh = sight.seen.group.age <= SILENT;
    let of_group = |id: &NodeId| sight.group.instances.iter().any(|instance| instance.id == *id);
    let silent = sight.gateways.iter().filter(move |gateway| {
        let report = &gateway.record.report;
        fresh && report.role == Role::Node && sight.seen.now - gateway.heard_at > SILENT
    });
    silent.map(|gateway| NodeId::new(&gateway.record.report.node)).filter(move |id| !of_group(id))
}

/// Whether a node may be ended on the strength of its order.
#[must_use]
pub fn holds(sight: &Sight, node: &NodeId) -> bool {
    let Some(gateway) = gateway(sight, node) else { return false };
    let (report, answer) = (&gateway.record.report, gateway.record.answer);
    gateway.has_drained_by_order(sight.wall)
        && (report.busy, report.queued) == (0, 0)
        && answer.order_until - sight.wall >= MARGIN
}

/// Nodes that boot under an order in force: they were to be given up.
pub fn ordered_booting(sight: &Sight) -> impl Iterator<Item = &NodeId> {
    let ordered = |id: &&NodeId| {
        gateway(sight, id).is_some_and(|one| one.record.answer.in_force(sight.wall) == OrderKind::Drain)
    };
    sight.in_phase(Phase::Booting).map(|node| &node.id).filter(ordered)
}

/// Nodes whose order is in force.
pub fn draining(sight: &Sight) -> impl Iterator<Item = &NodeId> {
    sight.in_phase(Phase::Draining).map(|node| &node.id)
}
