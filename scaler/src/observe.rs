//! What one round sees: the group, the gateways' reports and the fleet's state, made into one value to decide on.
//!
//! [`Observer`] remembers what single looks do not say: counts across restarts, who was ever ready, how old each word
//! is by our own clock. It makes no call; `run` hands it what was read. [`tally`] adds up the counts, [`gateway`] says
//! who was heard and how long ago, [`member`] follows each instance from its launch.

pub mod tally;
pub mod gateway;
pub mod member;

use std::collections::BTreeMap;

use fleet::report::{NodeRecord, Role};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Seconds;
use crate::decide::observation::{
    Group, Moment, Node, NodeId, Observation, Orders, Phase, Requests, Spending,
};
use crate::group::{Description, Life};
use gateway::{Gateway, Gateways};
use member::{Member, Members};
use tally::Tally;

/// What was read in one round.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The current reports; `None`: the store did not answer.
    pub reports: Option<Vec<NodeRecord>>,
    /// The group's description; `None`: it was not asked, or did not answer.
    pub group: Option<Description>,
}

/// When a round looks, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// Now, on the clock that never runs backwards.
    pub now: Seconds,
    /// Seconds since 1970.
    pub wall: i64,
    /// Orders in force.
    pub orders: Orders,
    /// Where the budget stands.
    pub spending: Option<Spending>,
}

/// Everything one round knows.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What `decide` sees.
    pub seen: Observation,
    /// Seconds since 1970.
    pub wall: i64,
    /// The group as last described.
    pub group: Description,
    /// Every instance that starts or serves.
    pub members: Vec<Member>,
    /// Instances that ended since the last look without ever having been ready.
    pub stillborn: Vec<Member>,
    /// Every gateway that was heard within the last minute.
    pub gateways: Vec<Gateway>,
    /// How long the store has answered without a failure.
    pub store_steady: Seconds,
}

impl Sight {
    /// The instance of that name.
    #[must_use]
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// Nodes in that phase.
    pub fn in_phase(&self, phase: Phase) -> impl Iterator<Item = &Node> {
        self.seen.nodes.iter().filter(move |node| node.phase == phase)
    }

    /// Instances that start or serve.
    #[must_use]
    pub fn living(&self) -> u32 {
        self.members.len() as u32
    }
}

/// What is remembered from look to look.
#[derive(Debug)]
pub struct Observer {
    zone: TimeZone,
    gateways: Gateways,
    tally: Tally,
    members: Members,
    group: Option<(Description, Seconds)>,
    /// When the store last answered, and since when it has without a failure.
    store: Option<(Seconds, Seconds)>,
    /// The refusal last seen, by the group's clock and by ours.
    refusal: Option<(i64, Seconds)>,
}

impl Observer {
    /// Has seen nothing. The schedule is meant in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            gateways: Gateways::default(),
            tally: Tally::default(),
            members: Members::default(),
            group: None,
            store: None,
            refusal: None,
        }
    }

    /// Takes in what was read, and says what is known now.
    pub fn look(&mut self, facts: Facts, at: Moments) -> Sight {
        let now = at.now;
        let answered = facts.reports.is_some();
        self.note_store(answered, now);
        if let Some(records) = facts.reports {
            self.gateways.hear(records, now);
            self.tally.add(self.gateways.all());
        }
        let mut stillborn = Vec::new();
        if let Some(group) = facts.group {
            stillborn = self.members.meet(&group, now, at.wall);
            self.group = Some((group, now));
        }
        self.members.listen(&self.gateways, now);
        self.note_refusal(now);
        let seen = self.observation(at);
        Sight {
            seen,
            wall: at.wall,
            group: self.group.as_ref().map(|(group, _)| group.clone()).unwrap_or_default(),
            members: self.members.all().cloned().collect(),
            stillborn,
            gateways: self.gateways.lately(now).cloned().collect(),
            store_steady: self.store.map_or(0.0, |(_, since)| now - since),
        }
    }

    /// Its line in the table is gone: what was remembered of it goes too.
    pub fn forget(&mut self, id: &NodeId) {
        self.gateways.forget(id);
    }

    fn note_store(&mut self, answered: bool, now: Seconds) {
        self.store = match self.store {
            Some((_, since)) if answered => Some((now, since)),
            None if answered => Some((now, now)),
            // It will have been steady only since it answers again.
            Some((last, _)) => Some((last, now)),
            None => None,
        };
    }

    fn note_refusal(&mut self, now: Seconds) {
        let refusal = self.group.as_ref().and_then(|(group, _)| group.refusal.as_ref());
        self.refusal = match (refusal, self.refusal) {
            (Some(refusal), Some((at, seen))) if refusal.at == at => Some((at, seen)),
            (Some(refusal), _) => Some((refusal.at, now)),
            (None, _) => None,
        };
    }

    fn observation(&self, at: Moments) -> Observation {
        let nodes: Vec<Node> = self.members.all().map(|member| self.node(member, at)).collect();
        let sum = |of: fn(&Gateway) -> u64| self.counted(at.now).map(of).sum::<u64>();
        Observation {
            now: at.now,
            moment: moment(at.wall, &self.zone),
            group: self.described(at.now),
            waiting: Requests {
                count: sum(|gateway| u64::from(gateway.record.report.queued)),
                prompt_tokens: sum(|gateway| gateway.record.report.load.waiting_prompt_tokens),
            },
            running_prompt_tokens: sum(|gateway| gateway.record.report.load.running_prompt_tokens),
            totals: self.tally.totals(),
            reports_age: self.reports_age(at.now),
            nodes,
            orders: at.orders,
            spending: at.spending,
        }
    }

    fn described(&self, now: Seconds) -> Group {
        let Some((group, at)) = &self.group else { return Group { age: f64::INFINITY, ..Group::default() } };
        Group {
            desired: group.desired,
            age: now - at,
            warm: group.warm,
            refreshing: group.refreshing,
            launch_failed_at: self.refusal.map(|(_, seen)| seen),
        }
    }

    fn node(&self, member: &Member, at: Moments) -> Node {
        let gateway = self.gateways.of(&member.id);
        let report = gateway.map(|gateway| &gateway.record.report);
        Node {
            id: member.id.clone(),
            phase: member.phase(gateway.map(|gateway| &gateway.record), at.wall),
            launched_at: member.launched_at,
            ready_at: member.ready_at,
            active: report.map_or(0, |report| report.busy),
            queued: report.map_or(0, |report| report.queued),
            slots: report.map_or(0, |report| report.slots),
            drain_confirmed: gateway.is_some_and(|gateway| gateway.has_drained_by_order(at.wall)),
            report_age: gateway.map_or(f64::INFINITY, |gateway| at.now - gateway.heard_at),
            finished: self.tally.finished(&member.id),
        }
    }

    /// Whose words count: fronts, and the instances of the group. One that has been silent for a minute, or has ended,
    /// is no longer counted on.
    fn counted(&self, now: Seconds) -> impl Iterator<Item = &Gateway> {
        self.gateways.lately(now).filter(|gateway| {
            let report = &gateway.record.report;
            report.role == Role::Front || self.members.is_one(&NodeId::new(&report.node))
        })
    }

    /// The oldest word of those who count. Infinite where nodes may be serving and nobody says anything at all.
    fn reports_age(&self, now: Seconds) -> Seconds {
        let Some((answered, _)) = self.store else { return f64::INFINITY };
        let ages: Vec<_> = self.counted(now).map(|gateway| now - gateway.heard_at).collect();
        let may_serve = |member: &Member| member.life == Life::InService && member.may_have_served();
        if ages.is_empty() && self.members.all().any(may_serve) {
            return f64::INFINITY;
        }
        ages.into_iter().fold(now - answered, f64::max)
    }
}

/// The point of the week in that zone.
pub(crate) fn moment(wall: i64, zone: &TimeZone) -> Option<Moment> {
    let here = Timestamp::from_second(wall).ok()?.to_zoned(zone.clone());
    let weekday = u8::try_from(here.weekday().to_monday_zero_offset()).ok()?;
    let minute = u16::try_from(here.hour()).ok()? * 60 + u16::try_from(here.minute()).ok()?;
    Some(Moment { weekday, minute })
}

/// By name.
pub(crate) type ByNode<T> = BTreeMap<NodeId, T>;
