//! Each instance from its launch: whether it was ever ready, since when, and what phase it is in.

use fleet::report::{NodeRecord, NodeState, OrderKind};

use super::ByNode;
use super::gateway::{Gateways, LOST};
use crate::Seconds;
use crate::decide::observation::{NodeId, Phase};
use crate::group::{Description, Instance, Life};

/// Younger than this at our first look, an instance that has said nothing is taken to be booting; older, it may have
/// served before we came. Below the shortest deadline for a boot.
const YOUNG: Seconds = 600.0;

/// How long after an order to drain has lapsed a node may still say that it drains: its clock, and its next report.
const LAPSING: i64 = 15;

/// Whether an instance was ever ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Never since its launch.
    No,
    /// It was.
    Yes,
    /// It was there before we were, and has not said.
    Unknown,
}

/// One instance that starts or serves.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub id: NodeId,
    /// Where the group has it.
    pub life: Life,
    /// When it was launched.
    pub launched_at: Seconds,
    /// The same in seconds since 1970.
    pub launched_wall: i64,
    /// Whether it was ever ready.
    pub served: Served,
    /// When it became ready, where we saw it become so.
    pub ready_at: Option<Seconds>,
    /// What it last said of itself, and when; `None`: nothing yet.
    pub said: Option<(NodeState, Seconds)>,
    /// It was there at our first look.
    found: bool,
}

impl Member {
    fn new(instance: &Instance, now: Seconds, wall: i64, found: bool) -> Self {
        // A launch in the future is the group's clock or ours; it began now.
        let age = instance.launched_at.map_or(0, |at| (wall - at).max(0));
        let served = if found && age as f64 > YOUNG { Served::Unknown } else { Served::No };
        Self {
            id: instance.id.clone(),
            life: instance.life,
            launched_at: now - age as f64,
            launched_wall: wall - age,
            served,
            ready_at: None,
            said: None,
            found,
        }
    }

    /// It serves, or may have before we came.
    #[must_use]
    pub fn may_have_served(&self) -> bool {
        self.served != Served::No
    }

    /// The phase it is in, from what it last said and the order beside it.
    #[must_use]
    pub fn phase(&self, record: Option<&NodeRecord>, wall: i64) -> Phase {
        let Some(record) = record else { return Phase::Booting };
        let (report, answer) = (&record.report, record.answer);
        let ordered = answer.in_force(wall) == OrderKind::Drain;
        match report.state {
            NodeState::Starting | NodeState::Loading => Phase::Booting,
            NodeState::Draining if ordered && self.served == Served::No => Phase::Booting,
            NodeState::Ready | NodeState::Draining if ordered => Phase::Draining,
            NodeState::Ready => Phase::Ready,
            // Not heard yet that it may serve again, or not yet by its own clock.
            NodeState::Draining
                if answer.order == OrderKind::None && report.order_seen < answer.order_seq =>
            {
                Phase::Ready
            }
            NodeState::Draining
                if answer.order == OrderKind::Drain && wall < answer.order_until.saturating_add(LAPSING) =>
            {
                Phase::Ready
            }
            NodeState::Draining => Phase::Leaving,
        }
    }
}

/// There is an order to drain, lapsed or not.
fn ordered(record: &NodeRecord) -> bool {
    record.answer.order == OrderKind::Drain
}

/// All of them.
#[derive(Debug, Default)]
pub struct Members {
    known: ByNode<Member>,
    looked: bool,
}

impl Members {
    /// Takes in a description. Gives the instances that have ended without ever having been ready.
    pub fn meet(&mut self, group: &Description, now: Seconds, wall: i64) -> Vec<Member> {
        let living = group.instances.iter().filter(|one| matches!(one.life, Life::Pending | Life::InService));
        let mut left = std::mem::take(&mut self.known);
        for instance in living {
            let mut member =
                left.remove(&instance.id).unwrap_or_else(|| Member::new(instance, now, wall, !self.looked));
            member.life = instance.life;
            self.known.insert(instance.id.clone(), member);
        }
        self.looked = true;
        left.into_values().filter(|member| member.served == Served::No).collect()
    }

    /// Takes in what the gateways say.
    pub fn listen(&mut self, gateways: &Gateways, now: Seconds) {
        for member in self.known.values_mut() {
            let Some(gateway) = gateways.of(&member.id) else { continue };
            let state = gateway.record.report.state;
            let first_word = member.said.replace((state, gateway.heard_at)).is_none();
            // Who drains had served, unless we ordered it while it booted, which only we can tell.
            let drained = state == NodeState::Draining && (member.found || !ordered(&gateway.record));
            let serves = state == NodeState::Ready || drained;
            if !serves || member.served == Served::Yes || now - gateway.heard_at > LOST {
                continue;
            }
            // One that may have been ready before we came teaches nothing about boots.
            let before_us = member.found && first_word;
            member.served = Served::Yes;
            member.ready_at = (!before_us && state == NodeState::Ready).then_some(now);
        }
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn is_one(&self, id: &NodeId) -> bool {
        self.known.contains_key(id)
    }

    /// By name.
    pub fn all(&self) -> impl Iterator<Item = &Member> {
        self.known.values()
    }
}
