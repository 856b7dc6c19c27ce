//! The names that dashboards and alarms rely on, and what each says.

use std::collections::BTreeMap;

use fleet::report::{Counts, Report, ReportAnswer};

use super::*;
use crate::decide::observation::{Group, Node, NodeId, Orders, Requests, Tokens, Totals};

fn node(id: &str, phase: Phase, active: u32, launched_at: Seconds) -> Node {
    Node {
        id: NodeId::new(id),
        phase,
        launched_at,
        ready_at: None,
        active,
        queued: 0,
        slots: 4,
        drain_confirmed: false,
        report_age: 1.0,
        finished: Tokens::default(),
    }
}

fn seen(now: Seconds, nodes: Vec<Node>, waiting: u64) -> Observation {
    Observation {
        now,
        moment: None,
        group: Group { desired: nodes.len() as u32, ..Group::default() },
        nodes,
        waiting: Requests { count: waiting, prompt_tokens: 0 },
        running_prompt_tokens: 0,
        totals: Totals::default(),
        reports_age: 1.0,
        orders: Orders::default(),
        spending: None,
    }
}

fn record(node: &str, started_at: i64, counts: Counts) -> NodeRecord {
    let report = Report { node: node.to_owned(), started_at, counts, ..Report::default() };
    NodeRecord { report, written_at: started_at, answer: ReportAnswer::default() }
}

fn counts(requests: u64, seconds: &[f64]) -> Counts {
    let mut counts = Counts { requests, errors: requests / 10, refusals: requests / 5, ..Counts::default() };
    seconds.iter().for_each(|seconds| counts.request_seconds.observe(*seconds));
    counts
}

/// What one telling says, by name.
fn tell(teller: &mut Teller, scene: &Scene<'_>) -> BTreeMap<&'static str, Value> {
    let data = teller.tell(scene);
    let names = data.len();
    let told: BTreeMap<_, _> = data.into_iter().map(|datum| (datum.name, datum.value)).collect();
    assert_eq!(told.len(), names, "a name told twice");
    told
}

fn scene<'a>(seen: &'a Observation, decision: &'a Decision, records: &'a [NodeRecord]) -> Scene<'a> {
    let wall = 1_000_000 + seen.now as i64;
    Scene { seen, decision, desired: seen.group.desired, records, boot: 200.0, throughput: 2.0, wall }
}

#[test]
fn a_fleet_asleep_says_its_zeros() {
    let (seen, decision) = (seen(50.0, Vec::new(), 0), Decision::default());
    let told = tell(&mut Teller::default(), &scene(&seen, &decision, &[]));
    for zero in [
        "QueueDepth",
        "QueuedWorkSeconds",
        "BacklogPerNode",
        "PredictedWaitSeconds",
        "InFlight",
        "ReadyNodes",
        "DesiredNodes",
        "NodesShort",
        "IdleSeconds",
        "TokensPerSecond",
        "RequestsPerSecond",
        "Errors",
        "Refused",
    ] {
        assert_eq!(told.get(zero), Some(&Value::One(0.0)), "{zero}");
    }
    assert_eq!(told["ScalerHeartbeat"], Value::One(1.0));
    assert_eq!(told["ColdStartSeconds"], Value::One(200.0));
    assert_eq!(told.len(), 15, "no times where there was no request");
}

#[test]
fn what_waits_is_told_by_count_by_work_and_by_time() {
    let nodes = vec![node("a", Phase::Ready, 4, 0.0), node("b", Phase::Ready, 3, 0.0)];
    let (seen, decision) = (seen(50.0, nodes, 10), Decision::default());
    let mut records = [record("a", 1, Counts::default()), record("front", 1, Counts::default())];
    records[0].report.queued_work_seconds = 8.0;
    records[0].report.tokens_per_second = 70.0;
    records[1].report.queued_work_seconds = 32.0;
    let told = tell(&mut Teller::default(), &scene(&seen, &decision, &records));
    assert_eq!(told["QueueDepth"], Value::One(10.0));
    assert_eq!(told["QueuedWorkSeconds"], Value::One(40.0));
    assert_eq!(told["BacklogPerNode"], Value::One(5.0));
    assert_eq!(told["PredictedWaitSeconds"], Value::One(10.0));
    assert_eq!(told["InFlight"], Value::One(7.0));
    assert_eq!(told["ReadyNodes"], Value::One(2.0));
    assert_eq!(told["TokensPerSecond"], Value::One(70.0));
}

#[test]
fn without_a_ready_node_the_boot_is_waited_for() {
    let decision = Decision::default();
    let mut records = [record("front", 1, Counts::default())];
    records[0].report.queued_work_seconds = 6.0;
    let asleep = seen(50.0, Vec::new(), 2);
    let told = tell(&mut Teller::default(), &scene(&asleep, &decision, &records));
    assert_eq!(told["PredictedWaitSeconds"], Value::One(203.0));
    let waking = seen(50.0, vec![node("a", Phase::Booting, 0, -100.0)], 2);
    let told = tell(&mut Teller::default(), &scene(&waking, &decision, &records));
    assert_eq!(told["PredictedWaitSeconds"], Value::One(53.0));
}

#[test]
fn what_a_call_did_not_get_is_short() {
    let seen = seen(50.0, vec![node("a", Phase::Ready, 0, 0.0)], 0);
    let decision = Decision { desired: Some(4), nodes_short: 2, ..Decision::default() };
    let done = Scene { desired: 4, ..scene(&seen, &decision, &[]) };
    assert_eq!(tell(&mut Teller::default(), &done)["NodesShort"], Value::One(2.0));
    let refused = Scene { desired: 1, ..done };
    let told = tell(&mut Teller::default(), &refused);
    assert_eq!((&told["NodesShort"], &told["DesiredNodes"]), (&Value::One(5.0), &Value::One(1.0)));
}

#[test]
fn idleness_outlives_the_report_that_told_it() {
    let mut teller = Teller::default();
    let decision = Decision::default();
    let mut records = [record("a", 1, Counts::default())];
    records[0].report.last_request_at = Some(1_000_050);
    let first = seen(60.0, vec![node("a", Phase::Ready, 0, 0.0)], 0);
    assert_eq!(tell(&mut teller, &scene(&first, &decision, &records))["IdleSeconds"], Value::One(10.0));
    let gone = seen(80.0, Vec::new(), 0);
    assert_eq!(tell(&mut teller, &scene(&gone, &decision, &[]))["IdleSeconds"], Value::One(30.0));
    let busy = seen(90.0, vec![node("b", Phase::Ready, 1, 0.0)], 0);
    assert_eq!(tell(&mut teller, &scene(&busy, &decision, &[]))["IdleSeconds"], Value::One(0.0));
    let after = seen(95.0, Vec::new(), 0);
    assert_eq!(tell(&mut teller, &scene(&after, &decision, &[]))["IdleSeconds"], Value::One(5.0));
}

#[test]
fn counts_are_told_once_each() {
    let mut teller = Teller::default();
    let decision = Decision::default();
    let mut told = |now: f64, records: &[NodeRecord]| {
        tell(&mut teller, &scene(&seen(now, Vec::new(), 0), &decision, records))
    };
    let wall = |now: i64| 1_000_000 + now;
    // A leader before this one told these.
    let before = [record("a", wall(-900), counts(1000, &[1.0])), record("d", wall(20), counts(50, &[1.0]))];
    let first = told(50.0, &before);
    assert_eq!((&first["RequestsPerSecond"], first.get("RequestSeconds")), (&Value::One(0.0), None));
    let second = told(
        60.0,
        &[
            record("a", wall(-900), counts(1040, &[1.0, 0.7])),
            // New since then, and one that was cut off for long.
            record("b", wall(51), counts(10, &[])),
            record("c", wall(-900), counts(5000, &[])),
        ],
    );
    assert_eq!(second["RequestsPerSecond"], Value::One(5.0));
    assert_eq!((&second["Errors"], &second["Refused"]), (&Value::One(5.0), &Value::One(10.0)));
    assert_eq!(second["RequestSeconds"], Value::Counted(vec![(0.75, 1)]));
    // Restarted under the same name, with more counts than it had told before.
    let third = told(70.0, &[record("b", wall(62), counts(20, &[]))]);
    assert_eq!(third["RequestsPerSecond"], Value::One(2.0));
}

#[test]
fn a_histogram_keeps_its_counts_and_its_percentiles() {
    let mut histogram = Histogram::default();
    (0..93).for_each(|_| histogram.observe(0.3));
    (0..6).for_each(|_| histogram.observe(7.0));
    histogram.observe(1e9);
    let values = values::of(&histogram);
    assert_eq!(values.iter().map(|(_, count)| count).sum::<u64>(), 100);
    assert!(values.len() <= 150 && values.is_sorted_by(|a, b| a.0 < b.0));
    let percentile = |share: u64| {
        let mut left = share;
        let at = values.iter().find(|(_, count)| {
            left = left.saturating_sub(*count);
            left == 0
        });
        at.unwrap().0
    };
    assert!((0.25..0.5).contains(&percentile(50)), "{}", percentile(50));
    assert!((5.0..10.0).contains(&percentile(95)), "{}", percentile(95));
    assert_eq!(percentile(100), 600.0);
    // As full as can be: still one datum.
    for bound in [0.05, 0.2, 0.4, 0.8, 2.0, 4.0, 8.0, 20.0, 40.0, 90.0, 200.0, 400.0] {
        (0..50).for_each(|_| histogram.observe(bound));
    }
    assert!(values::of(&histogram).len() <= 150);
}
