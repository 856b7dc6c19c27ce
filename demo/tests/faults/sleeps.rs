//! A request at any moment of the last node's leaving is served: by that node, or by the one that it wakes.

use std::time::Instant;

use fleet::report::{NodeState, OrderKind};
use fleet::store::Phase;

use crate::ask::{End, Family};
use crate::fleet::{Fleet, Setting};
use crate::table::Row;
use crate::view::View;

type Moment = (&'static str, fn(&View) -> bool);

const MOMENTS: [Moment; 6] = [
    ("at sleep: the fall is told", |view| view.state.phase == Phase::FallingAsleep),
    ("at sleep: the order is written", |view| {
        view.nodes.iter().any(|node| node.answer.order == OrderKind::Drain)
    }),
    ("at sleep: the node drains", |view| {
        view.nodes.iter().any(|node| node.report.state == NodeState::Draining)
    }),
    ("at sleep: the node is terminated", |view| view.launched > 0 && view.desired == 0),
    ("at sleep: its process is gone", |view| view.launched > 0 && view.notes.is_empty()),
    ("at sleep: it is told", |view| view.launched > 0 && view.state.phase == Phase::Asleep),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: scripts/faults.sh runs it"]
async fn a_request_at_any_moment_of_falling_asleep_is_served() {
    let fleet = Fleet::start(Setting { idle_minutes: 0.05, ..Setting::default() }).await;
    for (fault, moment) in MOMENTS {
        let asleep = |view: &View| view.notes.is_empty() && view.state.phase == Phase::Asleep;
        fleet.until("it sleeps", |view| asleep(view).then_some(())).await;
        assert_eq!(fleet.caller.ask(&fleet.url(0), Family::Native).await.finish().await, End::Whole);
        let awake = |view: &View| view.ready() == 1 && view.state.phase == Phase::Awake;
        fleet.until("it is awake", |view| awake(view).then_some(())).await;
        fleet.until(fault, |view| moment(view).then_some(())).await;
        let begun = Instant::now();
        let end = fleet.caller.ask(&fleet.url(0), Family::Native).await.finish().await;
        assert_eq!(end, End::Whole, "{fault}");
        Row { fault, open: 1, cut: 0, others: 0, recovery: begun.elapsed() }.tell();
    }
}
