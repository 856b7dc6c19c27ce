//! The fleet's last hours, for the operators' charts: a point every half minute from all load reports, kept in the memory of
//! this process. A front lives long and has them all; who has just begun has few.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::report::{Counts, NodeState, Report, Role, Sightings};
use fleet::store::Store;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, timeout};

use crate::catalogue::room::Room;

/// Time between two points, in seconds.
const EVERY: u64 = 30;
/// Points kept: six hours.
const POINTS: usize = 6 * 3600 / EVERY as usize;
/// Longest wait for the store.
const STORE_WAIT: Duration = Duration::from_secs(3);
/// Nodes of a fleet in which every node keeps points too. In larger ones only fronts do: a hundred nodes that read a
/// hundred reports each would cost more than all they tell.
const SMALL_FLEET: usize = 8;

/// The fleet at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Point {
    /// Seconds since 1970.
    at: i64,
    nodes: usize,
    ready: usize,
    busy: u32,
    slots: u32,
    /// Everywhere, fronts included.
    queued: u32,
    /// The longest that anybody waits.
    wait_seconds: f64,
    requests_per_second: f64,
    tokens_per_second: f64,
    /// Since the point before.
    errors: u64,
}

/// What was counted at the point before, by gateway and its start.
type Before = HashMap<String, (i64, Counts)>;

/// The points of this process.
#[derive(Default)]
pub struct History {
    points: Mutex<VecDeque<Point>>,
}

impl History {
    /// Looks for ever. `front`: keeps points however large the fleet is. `room` takes note of what nodes say of theirs.
    pub async fn run(&self, store: &Arc<dyn Store>, fleet: &str, front: bool, room: &Room) {
        let (mut sightings, mut before) = (Sightings::default(), Before::new());
        let mut ticks = interval(Duration::from_secs(EVERY));
        let mut small = true;
        loop {
            ticks.tick().await;
            if !front && !small {
                return;
            }
            let now = Timestamp::now().as_second();
            // While the store fails there is a gap, which is the truth.
            let Ok(Ok(records)) = timeout(STORE_WAIT, store.reports(fleet, now)).await else { continue };
            let reports: Vec<Report> =
                sightings.living(records, Instant::now()).into_iter().map(|record| record.report).collect();
            room.note(reports.iter(), now);
            let point = point(now, &reports, &mut before);
            small = point.nodes <= SMALL_FLEET;
            self.keep(point);
        }
    }

    fn keep(&self, point: Point) {
        let mut points = self.points();
        points.push_back(point);
        while points.len() > POINTS {
            points.pop_front();
        }
    }

    /// As the page reads it, the oldest first.
    pub fn as_json(&self) -> Value {
        json!({ "every_seconds": EVERY, "points": self.points().iter().collect::<Vec<_>>() })
    }

    fn points(&self) -> MutexGuard<'_, VecDeque<Point>> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sum of all reports. Rates are those since the point before; a gateway seen for the first time adds none.
fn point(at: i64, reports: &[Report], before: &mut Before) -> Point {
    let mut grown = Counts::default();
    for report in reports {
        if let Some((_, earlier)) = before.get(&report.node).filter(|(start, _)| *start == report.started_at)
        {
            grown.add(&report.counts.since(earlier));
        }
    }
    *before =
        reports.iter().map(|report| (report.node.clone(), (report.started_at, report.counts))).collect();
    let nodes: Vec<_> = reports.iter().filter(|report| report.role == Role::Node).collect();
    Point {
        at,
        nodes: nodes.len(),
        ready: nodes.iter().filter(|report| report.state == NodeState::Ready).count(),
        busy: nodes.iter().map(|report| report.busy).sum(),
        slots: nodes.iter().map(|report| report.slots).sum(),
        queued: reports.iter().map(|report| report.queued).sum(),
        wait_seconds: reports.iter().map(|report| report.oldest_wait_seconds).fold(0.0, f64::max),
        requests_per_second: grown.requests as f64 / EVERY as f64,
        tokens_per_second: nodes
            .iter()
            .map(|report| report.tokens_per_second)
            .fold(0.0, |sum, rate| sum + rate),
        errors: grown.errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(node: &str, started_at: i64, requests: u64) -> Report {
        let counts = Counts { requests, errors: requests / 10, ..Counts::default() };
        let (state, slots, busy, queued) = (NodeState::Ready, 4, 1, 2);
        let node = node.to_owned();
        let (oldest_wait_seconds, tokens_per_second) = (1.5, 10.0);
        Report {
            node,
            started_at,
            state,
            slots,
            busy,
            queued,
            oldest_wait_seconds,
            tokens_per_second,
            counts,
            ..Report::default()
        }
    }

    #[test]
    fn a_point_sums_the_fleet_and_counts_since_the_last() {
        let mut before = Before::new();
        let front = Report { role: Role::Front, queued: 5, ..Report::default() };
        let first = point(1000, &[report("a", 1, 300), front.clone()], &mut before);
        assert_eq!((first.nodes, first.ready, first.slots, first.busy, first.queued), (1, 1, 4, 1, 7));
        assert_eq!((first.requests_per_second, first.errors), (0.0, 0), "what was before is nobody's rate");
        let second = point(1030, &[report("a", 1, 600), report("b", 9, 900)], &mut before);
        assert_eq!((second.nodes, second.tokens_per_second, second.wait_seconds), (2, 20.0, 1.5));
        assert_eq!((second.requests_per_second, second.errors), (10.0, 30), "only what was seen before");
        let again = point(1060, &[report("a", 50, 30)], &mut before);
        assert_eq!(again.requests_per_second, 0.0, "another process of that name");
    }

    #[test]
    fn six_hours_are_kept() {
        let history = History::default();
        for at in 0..1000 {
            history.keep(point(at, &[], &mut Before::new()));
        }
        let told = history.as_json();
        let points = told["points"].as_array().unwrap();
        assert!(
            points[0]["tokens_per_second"].as_f64().unwrap().is_sign_positive(),
            "no -0.0 for people to read"
        );
        assert_eq!((points.len(), &points[0]["at"], &told["every_seconds"]), (720, &json!(280), &json!(30)));
    }
}
