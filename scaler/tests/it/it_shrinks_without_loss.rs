//! Slowly, the emptiest first, never one with work, to zero only after the idle time.

use scaler::decide::observation::Phase::{Booting, Draining, Ready};
use scaler::decide::observation::{Node, Requests};
use scaler::decide::policy::Policy;

use crate::support::Bench;

type Change = fn(&mut Node);

#[test]
fn a_restarted_leader_keeps_the_fleet_it_finds_for_one_hold_time() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 0), (Ready, 0), (Ready, 0)]);
    assert!(bench.pass(200.0).cordon.is_empty());
    assert_eq!(bench.pass(110.0).cordon.len(), 2, "a boot and a margin later the surplus goes");
}

#[test]
fn the_last_node_stays_for_the_idle_time() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 0)]);
    assert!(bench.pass(595.0).cordon.is_empty());
    assert_eq!(bench.pass(20.0).cordon.len(), 1);
}

#[test]
fn the_emptiest_nodes_are_cordoned_first() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 2), (Ready, 0), (Ready, 1)]);
    let decision = bench.pass(320.0);
    let names: Vec<_> = decision.cordon.iter().map(ToString::to_string).collect();
    assert_eq!(names.first().map(String::as_str), Some("i-1"), "{names:?}");
    assert!(!names.contains(&"i-0".to_owned()));
}

#[test]
fn nothing_is_cordoned_while_a_node_boots_or_the_group_refreshes() {
    let mut boots = Bench::new(Policy::default()).with(&[(Ready, 0), (Ready, 0), (Booting, 0)]);
    boots.seen.nodes[2].launched_at = 1000.0;
    assert!(boots.pass(400.0).cordon.is_empty());
    let mut refresh = Bench::new(Policy::default()).with(&[(Ready, 0), (Ready, 0)]);
    refresh.seen.group.refreshing = true;
    assert!(refresh.pass(400.0).cordon.is_empty());
}

#[test]
fn only_a_drained_node_that_said_so_is_terminated() {
    let rows: [(&str, Change, bool); 5] = [
        ("drained", |_| {}, true),
        ("a stream runs", |node| node.active = 1, false),
        ("one waits there", |node| node.queued = 1, false),
        ("not confirmed", |node| node.drain_confirmed = false, false),
        ("silent for 16 s", |node| node.report_age = 16.0, false),
    ];
    for (name, change, leaves) in rows {
        let mut bench = Bench::new(Policy::default()).with(&[(Ready, 1), (Draining, 0)]);
        change(&mut bench.seen.nodes[1]);
        assert_eq!(bench.decide().terminate.len(), usize::from(leaves), "{name}");
    }
}

#[test]
fn desired_is_never_written_to_take_a_node_away() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 0), (Ready, 0)]);
    for _ in 0..300 {
        assert_eq!(bench.pass(5.0).desired, None);
    }
}

/// The surplus of the same burst goes after 700 s where what it saved does not count.
#[test]
fn nodes_that_saved_much_waiting_are_held_longer_and_not_for_ever() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 4); 4]);
    let _ = bench.pass(60.0);
    bench.arrive(300);
    let _ = bench.pass(10.0);
    bench.seen.waiting = Requests::default();
    bench.seen.nodes.iter_mut().for_each(|node| node.active = 0);
    let burst = bench.seen.now;
    let mut first = None;
    while first.is_none() && bench.seen.now < burst + 2000.0 {
        // Somebody asks now and then, so that the idle time is not what ends it.
        bench.seen.totals.arrived.count += 1;
        bench.seen.totals.arrived.prompt_tokens += 100;
        first = (!bench.pass(100.0).cordon.is_empty()).then_some(bench.seen.now - burst);
    }
    assert!(first.is_some_and(|after| (800.0..2000.0).contains(&after)), "700 s without: {first:?}");
}

#[test]
fn after_the_idle_time_nobody_is_held_for_what_he_once_saved() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 4); 4]);
    let _ = bench.pass(60.0);
    bench.arrive(300);
    let _ = bench.pass(10.0);
    bench.seen.waiting = Requests::default();
    bench.seen.nodes.iter_mut().for_each(|node| node.active = 0);
    assert_eq!(bench.pass(615.0).cordon.len(), 4);
}
