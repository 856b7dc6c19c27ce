//! Floors, ceilings, rate of launches, refusals, money, calendar.

use scaler::decide::Reason;
use scaler::decide::observation::Phase::Ready;
use scaler::decide::observation::{Moment, Spending};
use scaler::decide::policy::{Budget, Policy, Window};

use crate::support::{Bench, node};

#[test]
fn floors_launch_without_any_request() {
    let monday_at_eight = Moment { weekday: 0, minute: 480 };
    let office = Window { weekdays: 0b001_1111, from: 450, until: 1080, nodes: 3 };
    let mut minimum = Bench::new(Policy { min: 2, ..Policy::default() });
    assert_eq!(minimum.decide().desired, Some(2));
    let mut order = Bench::new(Policy::default());
    order.seen.orders.at_least = 4;
    assert_eq!(order.decide().desired, Some(4));
    let mut schedule = Bench::new(Policy { schedule: vec![office], ..Policy::default() });
    schedule.seen.moment = Some(monday_at_eight);
    assert_eq!(schedule.decide().desired, Some(3));
    schedule.seen.nodes = (0..3).map(|i| node(i, Ready, 0)).collect();
    schedule.seen.group.desired = 3;
    assert!(schedule.pass(2000.0).cordon.is_empty(), "the schedule holds them");
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_it_begins() {
    let night = Window { weekdays: 0b100_0000, from: 1320, until: 120, nodes: 1 };
    let covers = |weekday, minute| night.covers(Moment { weekday, minute });
    assert!(covers(6, 1400) && covers(0, 60));
    assert!(!covers(6, 60) && !covers(0, 1400) && !covers(0, 120));
}

#[test]
fn never_more_than_the_ceiling() {
    let mut bench =
        Bench::new(Policy { max: 3, ..Policy::default() }).with(&[(Ready, 4), (Ready, 4)]).waiting(900);
    let decision = bench.decide();
    assert_eq!(decision.desired, Some(3));
    assert!(decision.reasons.contains(&Reason::Ceiling));
}

#[test]
fn at_most_four_or_as_many_as_there_are_in_thirty_seconds() {
    let mut bench = Bench::new(Policy::default()).with(&[(Ready, 4)]).waiting(900);
    assert_eq!(bench.decide().desired, Some(5));
    bench.seen.group.desired = 5;
    bench.seen.now += 25.0;
    assert_eq!(bench.decide().desired, None);
    bench.seen.now += 10.0;
    assert_eq!(bench.decide().desired, Some(10));
}

#[test]
fn desired_is_written_at_most_every_five_seconds() {
    let mut bench = Bench::new(Policy { min: 1, ..Policy::default() });
    assert_eq!(bench.decide().desired, Some(1));
    bench.seen.now += 2.0;
    let again = bench.decide();
    assert_eq!(again.desired, None);
    assert!(again.reasons.contains(&Reason::JustWritten));
    bench.seen.now += 5.0;
    assert_eq!(bench.decide().desired, Some(1), "the group did not take it: said again");
}

#[test]
fn refused_launches_back_off_from_half_a_minute_to_five() {
    let mut bench = Bench::new(Policy { min: 1, ..Policy::default() });
    for wait in [30.0, 60.0, 120.0, 240.0, 300.0, 300.0] {
        bench.seen.group.launch_failed_at = Some(bench.seen.now);
        let decision = bench.decide();
        assert_eq!(decision.desired, None);
        assert!(decision.reasons.contains(&Reason::BackingOff));
        assert_eq!(decision.nodes_short, 1, "shown, not hidden");
        bench.seen.now += wait - 1.0;
        assert_eq!(bench.decide().desired, None, "still within {wait} s");
        bench.seen.now += 2.0;
        assert_eq!(bench.decide().desired, Some(1), "after {wait} s");
    }
}

#[test]
fn money_tightens_gradually_and_then_stops_launches() {
    let launches = |used_hours: f64| {
        let policy = Policy { budget: Some(Budget { hours: 100.0 }), ..Policy::default() };
        let mut bench = Bench::new(policy).with(&[(Ready, 4)]).waiting(300);
        bench.seen.spending = Some(Spending { used_hours, period_left: 0.5 });
        bench.decide().desired.map_or(0, |desired| desired - 1)
    };
    assert!(launches(50.0) > 0, "within the plan");
    assert!(launches(96.0) < launches(50.0), "short of money");
    assert_eq!(launches(99.95), 0, "not a boot's worth left");
}

#[test]
fn without_money_only_the_minimum_remains() {
    let policy = Policy { budget: Some(Budget { hours: 10.0 }), ..Policy::default() };
    let mut bench = Bench::new(policy);
    bench.seen.orders.at_least = 5;
    bench.seen.spending = Some(Spending { used_hours: 10.0, period_left: 0.5 });
    assert_eq!(bench.decide().desired, None);
}

#[test]
fn the_hard_limit_and_the_order_to_sleep_drain_everything() {
    let mut limit = Bench::new(Policy { hard_limit: Some(1200.0), ..Policy::default() }).with(&[(Ready, 2)]);
    assert!(limit.pass(800.0).cordon.is_empty());
    assert_eq!(limit.pass(200.0).cordon.len(), 1);
    let mut sleep = Bench::new(Policy::default()).with(&[(Ready, 2), (Ready, 0)]);
    sleep.seen.orders.sleep = true;
    assert_eq!(sleep.decide().cordon.len(), 2);
}
