//! The simulated world does what it says: speeds, queue, bill, faults, numbers. Worked out by hand where that is possible.

use std::fs;

use scaler::decide::observation::Phase;
use scaler::simulate::aims::AIMS;
use scaler::simulate::clairvoyant::clairvoyant;
use scaler::simulate::contest::{Contestant, Ours, run};
use scaler::simulate::faults::Faults;
use scaler::simulate::generate::{Shape, generate};
use scaler::simulate::node::speed;
use scaler::simulate::replay::{Beginning, Controller, replay};
use scaler::simulate::setting::Setting;
use scaler::simulate::statistics::Summary;
use scaler::simulate::trace::{Request, read};
use scaler::simulate::world::{World, uniform};

/// Does nothing.
struct Idle;

impl Controller for Idle {
    fn every(&self) -> f64 {
        5.0
    }

    fn round(&mut self, _: &mut World) {}
}

/// A second of prompt and `seconds - 1` of answer at the speeds of an idle node.
fn request(arrival: f64, seconds: u32) -> Request {
    Request { arrival, prompt: 1000, output: 40 * (seconds - 1) }
}

fn on_one_node(requests: Vec<Request>) -> (Setting, Vec<f32>) {
    let setting = Setting::of("made", requests, 240.0, false, false);
    let beginning = Beginning { ready: 1, skip: 0.0 };
    let done = replay(&setting.requests, setting.machines(), beginning, &mut Idle, &mut |_| {});
    (setting, done.waits)
}

#[test]
fn four_streams_do_twice_the_work_of_one() {
    assert!((speed(0) - 1.0).abs() < 1e-9 && (speed(1) - 1.0).abs() < 1e-9);
    assert!((4.0 * speed(4) - 4.0 / 1.9).abs() < 1e-9);
}

#[test]
fn the_fifth_waits_until_one_of_four_has_ended() {
    // Four of ten seconds share a node: each runs at 1 / 1.9 of its speed, so a place is free after 19 s.
    let (_, waits) = on_one_node((0..6).map(|_| request(0.0, 10)).collect());
    assert_eq!(waits[..4], [0.0; 4]);
    assert!((waits[4] - 19.0).abs() < 0.01 && (waits[5] - 19.0).abs() < 0.01, "{waits:?}");
}

#[test]
fn who_came_first_goes_first() {
    let (_, waits) = on_one_node((0..40).map(|i| request(f64::from(i), 10)).collect());
    let starts: Vec<_> = waits.iter().enumerate().map(|(i, wait)| i as f32 + wait).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    assert!(waits[39] > 60.0);
}

#[test]
fn the_bill_runs_from_launch_to_the_end_of_the_replay() {
    let setting = Setting::of("made", vec![request(0.0, 10)], 240.0, false, false);
    let beginning = Beginning { ready: 2, skip: 0.0 };
    let done = replay(&setting.requests, setting.machines(), beginning, &mut Idle, &mut |_| {});
    assert!(
        (done.hours - 2.0 * 0.5).abs() < 1e-9,
        "two nodes for the half hour after the last arrival: {}",
        done.hours
    );
    assert_eq!(done.launches, 2);
}

#[test]
fn a_summary_counts_what_it_says() {
    let (setting, _) = on_one_node((0..101).map(|i| request(f64::from(i), 2)).collect());
    let beginning = Beginning { ready: 1, skip: 0.0 };
    let mut done = replay(&setting.requests, setting.machines(), beginning, &mut Idle, &mut |_| {});
    done.waits = (0..101).map(|i| i as f32).collect();
    let sum = Summary::of(&done, &setting.requests, 0.0);
    assert_eq!((sum.mean, sum.p50, sum.p95, sum.p99), (50.0, 50.0, 95.0, 99.0));
    assert_eq!((sum.within_10, sum.within_60, sum.lost), (11.0 / 101.0, 61.0 / 101.0, 0));
    done.waits[100] = f32::NAN;
    let sum = Summary::of(&done, &setting.requests, 50.0);
    assert_eq!((sum.requests, sum.lost), (50, 1), "the first fifty are skipped, the last never began");
}

#[test]
fn faults_come_as_often_as_they_are_set_and_again_with_the_same_seed() {
    let faults = Faults::HARSH;
    let share = |of: &dyn Fn(u32) -> bool| (0..20_000).filter(|i| of(*i)).count() as f64 / 20_000.0;
    assert!((share(&|i| faults.fails(3, i)) - 0.1).abs() < 0.01);
    assert!((share(&|i| faults.refuses(3, 600.0 * f64::from(i))) - 0.1).abs() < 0.01);
    assert!((share(&|i| faults.silences(3, 1, 20.0 * f64::from(i))) - 0.01).abs() < 0.004);
    // A notice every five hours on the mean.
    let mean = (0..20_000).map(|i| faults.notice_at(3, i, 0.0)).sum::<f64>() / 20_000.0;
    assert!((mean / 18_000.0 - 1.0).abs() < 0.05, "{mean}");
    assert_eq!(Faults::default().notice_at(3, 1, 0.0), f64::INFINITY);
    assert_eq!(uniform(1, 2).to_bits(), uniform(1, 2).to_bits());
    assert_ne!(uniform(1, 2).to_bits(), uniform(2, 2).to_bits());
}

#[test]
fn harsh_days_lose_no_request_and_cut_only_what_was_taken_away() {
    let mut setting = Setting::of("office", generate(Shape::Office, 1), 240.0, false, false);
    let calm = run(Contestant::Les, &setting, Ours::default(), &mut |_| {}).1;
    assert_eq!((calm.lost, calm.cut), (0, 0));
    setting.faults = Faults::HARSH;
    let harsh = run(Contestant::Les, &setting, Ours::default(), &mut |_| {}).1;
    assert_eq!(harsh.lost, 0);
    assert!(harsh.mean > calm.mean && harsh.launches > calm.launches, "{harsh:?} {calm:?}");
}

#[test]
fn who_knows_the_future_keeps_to_ten_seconds_for_fewer_hours() {
    let setting = Setting::of("office", generate(Shape::Office, 1), 240.0, false, false);
    let mut shares = Vec::new();
    let done = clairvoyant(&setting, 10.0, &mut |share| shares.push(share));
    let best = Summary::of(&done, &setting.requests, 0.0);
    let ours = run(Contestant::Les, &setting, Ours::default(), &mut |_| {}).1;
    assert_eq!((best.within_10, best.lost), (1.0, 0), "{best:?}");
    assert!(best.hours < ours.hours, "{} hours, ours {}", best.hours, ours.hours);
    assert!(shares.is_sorted() && shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
}

#[test]
fn progress_only_rises() {
    let setting = Setting::of("burst", generate(Shape::Burst, 1), 240.0, false, false);
    let mut shares = Vec::new();
    let _ = run(Contestant::Les, &setting, Ours::default(), &mut |share| shares.push(share));
    assert!(shares.len() > 100 && shares.is_sorted(), "{}", shares.len());
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)) && shares.last() > Some(&0.9));
}

#[test]
fn a_drained_node_serves_nobody_new_and_comes_back_when_asked() {
    let setting = Setting::of("made", vec![request(0.0, 10)], 240.0, false, false);
    let mut world = World::new(setting.machines(), 3);
    world.launch_ready_in(0.0);
    world.step(0.0);
    world.arrive(0, &request(1.0, 10));
    world.cordon(0, false);
    world.arrive(1, &request(2.0, 10));
    assert_eq!((world.nodes[0].phase, world.nodes[0].active(), world.waiting.count), (Phase::Draining, 1, 1));
    let id = world.nodes[0].id.clone();
    world.uncordon(&id);
    assert_eq!((world.nodes[0].active(), world.waiting.count), (2, 0));
}

#[test]
fn aims_name_the_columns_they_miss() {
    let setting = Setting::of("made", vec![request(0.0, 10)], 240.0, false, false);
    let (_, good) = run(Contestant::Les, &setting, Ours::default(), &mut |_| {});
    let reached = Summary { hours: 1.0, mean: 0.0, p95: 0.0, within_10: 1.0, ..good };
    let late = Summary { mean: 99.0, within_10: 0.1, ..reached.clone() };
    let dear = Summary { hours: 1e6, p95: 1e6, ..reached.clone() };
    for aim in &AIMS {
        assert!(aim.missed(&reached).is_empty());
        assert_eq!(aim.missed(&late), ["mean", "<=10 s"]);
        assert_eq!(aim.missed(&dear), ["GPU-h", "p95"]);
    }
}

#[test]
fn a_file_that_is_no_trace_is_told_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = [
        ("nothing.csv", "", "no requests"),
        ("head.csv", "arrival_s,input_tokens,output_tokens\n", "no requests"),
        ("columns.csv", "time,in\n1,2\n", "expected the columns arrival_s,input_tokens,output_tokens"),
        ("word.csv", "arrival_s,input_tokens,output_tokens\n1,two,3\n", "expected the columns"),
        ("back.csv", "arrival_s,input_tokens,output_tokens\n2,1,1\n1,1,1\n", "row 2: arrivals must ascend"),
        ("nan.csv", "arrival_s,input_tokens,output_tokens\nNaN,1,1\n", "row 1: arrivals must ascend"),
        ("plain.csv.gz", "arrival_s,input_tokens,output_tokens\n1,1,1\n", "plain.csv.gz"),
    ];
    for (name, text, expected) in rows {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        let error = read(&path).expect_err(name).to_string();
        assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
    }
    let error = read(&folder.path().join("absent.csv")).expect_err("absent").to_string();
    assert!(error.contains("cannot open"), "{error}");
}
