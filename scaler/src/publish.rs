//! What the leader says of the fleet every ten seconds: the metrics by which its group grows, alarms ring and people
//! judge. Zeros are said too, since a metric that falls silent at zero breaks the step from zero.
//!
//! [`Teller`] makes the data and reads no clock; [`fleet::publish`] delivers them.

mod ledger;
mod values;

use fleet::publish::{Datum, Unit, Value};
use fleet::report::{Histogram, NodeRecord};

use crate::decide::Decision;
use crate::decide::observation::{Observation, Phase};
use crate::{Seconds, Work};
use ledger::Ledger;

/// How often to tell.
pub const EVERY: Seconds = 10.0;

/// What there is to tell of.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What was seen last.
    pub seen: &'a Observation,
    /// What was decided on it.
    pub decision: &'a Decision,
    /// The group's desired count after this round's calls: as decided where the call was done, else as described.
    pub desired: u32,
    /// The living gateways' reports, fronts too.
    pub records: &'a [NodeRecord],
    /// How long a launch takes until it serves, as learned (`forecast.boots.mean()`).
    pub boot: Seconds,
    /// Work a full node does in a second, as learned (`forecast.throughput.full()`).
    pub throughput: f64,
    /// Now, in seconds since 1970.
    pub wall: i64,
}

/// What is remembered from one telling to the next.
#[derive(Debug, Default)]
pub struct Teller {
    ledger: Ledger,
    told_at: Option<Seconds>,
    active_at: Option<i64>,
}

impl Teller {
    /// The metrics of this moment. A new leader's first telling has no counts: what was counted before it was told.
    pub fn tell(&mut self, scene: &Scene<'_>) -> Vec<Datum> {
        let added = self.ledger.added(scene.records, scene.wall);
        let passed = self.told_at.map_or(EVERY, |at| scene.seen.now - at).max(1.0);
        self.told_at = Some(scene.seen.now);
        let mut data = Vec::from(load(scene));
        data.extend(size(scene));
        data.extend([
            one("IdleSeconds", self.idle(scene), Unit::Seconds),
            one("RequestsPerSecond", added.requests as f64 / passed, Unit::CountPerSecond),
            one("Errors", added.errors as f64, Unit::Count),
            one("Refused", added.refusals as f64, Unit::Count),
            counted("RequestSeconds", &added.request_seconds),
            counted("FirstTokenSeconds", &added.first_token_seconds),
            counted("InferenceSeconds", &added.inference_seconds),
        ]);
        data.retain(|datum| datum.value != Value::Counted(Vec::new()));
        data
    }

    /// Since the last request that counts as activity: 0 while one runs or waits; since this leader began, if there
    /// was none. A report that has gone takes its time along, so the latest is kept here.
    fn idle(&mut self, scene: &Scene<'_>) -> f64 {
        let latest = scene.records.iter().filter_map(|record| record.report.last_request_at).max();
        let active = if busy(scene.seen) { Some(scene.wall) } else { latest };
        self.active_at = self.active_at.max(active).or(Some(scene.wall));
        self.active_at.map_or(0.0, |at| (scene.wall - at).max(0) as f64)
    }
}

fn busy(seen: &Observation) -> bool {
    seen.waiting.count > 0 || seen.nodes.iter().any(|node| node.active > 0)
}

/// What waits and what runs.
fn load(scene: &Scene<'_>) -> [Datum; 6] {
    let waiting = scene.seen.waiting.count as f64;
    let in_flight: u64 = scene.seen.nodes.iter().map(|node| u64::from(node.active)).sum();
    let reports = || scene.records.iter().map(|record| &record.report);
    let work: Work = reports().map(|report| report.queued_work_seconds).sum();
    let tokens: f64 = reports().map(|report| report.tokens_per_second).sum();
    [
        one("QueueDepth", waiting, Unit::Count),
        one("QueuedWorkSeconds", work, Unit::Seconds),
        one("BacklogPerNode", waiting / f64::from(ready(scene.seen).max(1)), Unit::Count),
        one("PredictedWaitSeconds", predicted_wait(scene, work), Unit::Seconds),
        one("InFlight", in_flight as f64, Unit::Count),
        one("TokensPerSecond", tokens, Unit::CountPerSecond),
    ]
}

/// How many there are, and should be.
fn size(scene: &Scene<'_>) -> [Datum; 5] {
    // What a call did not get is short too, beside what no call was made for.
    let refused = scene.decision.desired.map_or(0, |wanted| wanted.saturating_sub(scene.desired));
    let short = scene.decision.nodes_short.saturating_add(refused);
    [
        one("ReadyNodes", ready(scene.seen).into(), Unit::Count),
        one("DesiredNodes", scene.desired.into(), Unit::Count),
        one("NodesShort", short.into(), Unit::Count),
        one("ColdStartSeconds", scene.boot, Unit::Seconds),
        one("ScalerHeartbeat", 1.0, Unit::Count),
    ]
}

/// How long the last request in the queue has still to wait: until a node serves, and then until the work before it is
/// done. 0 with an empty queue, asleep or not.
fn predicted_wait(scene: &Scene<'_>, work: Work) -> Seconds {
    if scene.seen.waiting.count == 0 {
        return 0.0;
    }
    let ready = ready(scene.seen);
    let coming = scene.seen.nodes.iter().filter(|node| node.phase == Phase::Booting);
    let next = coming.map(|node| (node.launched_at + scene.boot - scene.seen.now).max(0.0));
    let until_ready = if ready > 0 { 0.0 } else { next.fold(scene.boot, f64::min) };
    until_ready + work / (f64::from(ready.max(1)) * scene.throughput.max(f64::MIN_POSITIVE))
}

fn ready(seen: &Observation) -> u32 {
    let ready = seen.nodes.iter().filter(|node| node.phase == Phase::Ready).count();
    ready.try_into().unwrap_or(u32::MAX)
}

fn one(name: &'static str, value: f64, unit: Unit) -> Datum {
    Datum { name, value: Value::One(value), unit }
}

fn counted(name: &'static str, histogram: &Histogram) -> Datum {
    Datum { name, value: Value::Counted(values::of(histogram)), unit: Unit::Seconds }
}

#[cfg(test)]
mod tests;
