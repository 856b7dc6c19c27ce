//! Reports and orders share an item, and neither writer touches the other's part.

use super::{Race, all};
use crate::report::tests::full;
use crate::report::{EXPIRES_AFTER, Order, OrderKind, Report, ReportAnswer, STALE_AFTER, Summary};
use crate::store::Store;

const NOW: i64 = 1_795_000_000;

fn drain(seq: u64) -> Order {
    Order { kind: OrderKind::Drain, seq, until: NOW + 60 }
}

pub(super) async fn a_report_stands_in_the_place_of_the_last<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    assert_eq!(store.reports("reports", NOW).await, Ok(vec![]));
    let mut report = full("i-2");
    report.oldest_wait_seconds = 0.5;
    report.queued_work_seconds = 7.125;
    report.tokens_per_second = 30.0;
    assert_eq!(store.write_report("reports", &report, NOW).await, Ok(ReportAnswer::default()));
    report.sequence += 1;
    store.write_report("reports", &report, NOW + 2).await.unwrap();
    other
        .write_report("reports", &Report { node: "i-1".to_owned(), ..Report::default() }, NOW)
        .await
        .unwrap();
    let seen = other.reports("reports", NOW + 2).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].report.node, "i-1", "by name");
    assert_eq!((&seen[1].report, seen[1].written_at), (&report, NOW + 2));
    assert_eq!(store.reports("another fleet", NOW).await, Ok(vec![]));
}

pub(super) async fn stale_and_forgotten_nodes_are_not_seen<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    store.write_report("stale", &full("quiet"), NOW).await.unwrap();
    store.write_report("stale", &full("loud"), NOW + STALE_AFTER).await.unwrap();
    assert_eq!(store.reports("stale", NOW + STALE_AFTER - 1).await.unwrap().len(), 2);
    let seen = store.reports("stale", NOW + STALE_AFTER).await.unwrap();
    assert_eq!(seen.iter().map(|seen| seen.report.node.as_str()).collect::<Vec<_>>(), ["loud"]);
    assert_eq!(store.reports("stale", NOW + 2 * EXPIRES_AFTER).await, Ok(vec![]));
    other.forget("stale", "loud").await.unwrap();
    other.forget("stale", "loud").await.unwrap();
    assert_eq!(store.reports("stale", NOW + STALE_AFTER).await, Ok(vec![]));
}

pub(super) async fn a_node_hears_its_order_by_its_report<S: Store>(open: &impl Fn() -> S) {
    let (node, leader) = (open(), open());
    assert_eq!(leader.order("orders", "n", &drain(1)).await, Ok(false), "it never reported");
    assert_eq!(leader.reports("orders", NOW).await, Ok(vec![]), "and an order makes no node");
    node.write_report("orders", &full("n"), NOW).await.unwrap();
    assert_eq!(leader.order("orders", "n", &drain(1)).await, Ok(true));
    let heard = ReportAnswer { order: OrderKind::Drain, order_seq: 1, order_until: NOW + 60 };
    assert_eq!(node.write_report("orders", &full("n"), NOW + 2).await, Ok(heard));
    assert_eq!(
        node.write_report("orders", &full("n"), NOW + 4).await,
        Ok(heard),
        "a report leaves the order alone"
    );
    assert_eq!(
        leader.reports("orders", NOW + 4).await.unwrap()[0].answer,
        heard,
        "the next leader sees it too"
    );
}

pub(super) async fn an_order_is_never_overtaken_by_an_older_one<S: Store>(open: &impl Fn() -> S) {
    let store = open();
    store.write_report("seq", &full("n"), NOW).await.unwrap();
    assert_eq!(store.order("seq", "n", &drain(7)).await, Ok(true));
    assert_eq!(store.order("seq", "n", &Order { until: NOW + 120, ..drain(7) }).await, Ok(true), "renewed");
    assert_eq!(store.order("seq", "n", &drain(6)).await, Ok(false), "of a leader that came too late");
    let heard = store.write_report("seq", &full("n"), NOW).await.unwrap();
    assert_eq!((heard.order_seq, heard.order_until), (7, NOW + 120));
    let none = Order { kind: OrderKind::None, seq: 8, until: NOW };
    assert_eq!(store.order("seq", "n", &none).await, Ok(true));
    assert_eq!(store.write_report("seq", &full("n"), NOW).await.unwrap().order, OrderKind::None);
}

pub(super) async fn a_hundred_nodes_report_at_once<S: Store>(open: &impl Fn() -> S, race: Race) {
    let written = all(open, race, 100, async |store, at| {
        store.write_report("hundred", &full(&format!("n{at:03}")), NOW).await
    });
    assert!(written.await.iter().all(Result::is_ok));
    let seen = open().reports("hundred", NOW).await.unwrap();
    assert_eq!(seen.len(), 100);
    assert!(seen.windows(2).all(|pair| pair[0].report.node < pair[1].report.node));
}

pub(super) async fn a_summary_counts_while_it_is_fresh<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    assert_eq!(store.summary("summary", NOW).await, Ok(None));
    store.write_report("summary", &full("n"), NOW).await.unwrap();
    let summary = Summary::of(&store.reports("summary", NOW).await.unwrap(), NOW);
    store.write_summary("summary", &summary).await.unwrap();
    assert_eq!(other.summary("summary", NOW + 1).await, Ok(Some(summary)));
    assert_eq!(other.summary("summary", NOW + STALE_AFTER).await, Ok(None));
    assert_eq!(other.reports("summary", NOW).await.unwrap().len(), 1, "a summary is no node");
}
