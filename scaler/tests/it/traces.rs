//! The controller on traces: our own small ones always, recorded ones where they are at hand.

use std::path::{Path, PathBuf};

use scaler::decide::policy::Drive;
use scaler::simulate::aims::AIMS;
use scaler::simulate::contest::{Contestant, Ours, run};
use scaler::simulate::generate::{Shape, generate};
use scaler::simulate::setting::Setting;
use scaler::simulate::statistics::Summary;
use scaler::simulate::trace;

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name)
}

fn play(setting: &Setting, who: Contestant, ours: Ours) -> Summary {
    let (_, summary) = run(who, setting, ours, &mut |_| {});
    assert_eq!(summary.lost, 0, "{} lost requests on {}", who.name(), setting.name);
    summary
}

#[test]
fn the_traces_in_the_repository_are_what_the_generator_makes() {
    for (shape, file) in [(Shape::Office, "office.csv.gz"), (Shape::Burst, "burst.csv.gz")] {
        let (made, kept) = (generate(shape, 1), trace::read(&own(file)).expect("a trace"));
        assert_eq!(made.len(), kept.len(), "{file}");
        assert!(made.iter().zip(&kept).all(|(a, b)| {
            (a.arrival - b.arrival).abs() < 0.006 && (a.prompt, a.output) == (b.prompt, b.output)
        }));
    }
}

/// Bounds a tenth or so above what was measured when they were written: a change that costs more must say why.
#[test]
fn our_own_traces_cost_and_wait_no_more_than_they_did() {
    let rows = [
        ("office.csv.gz", Drive::Calls, 7.3, 0.95),
        ("office.csv.gz", Drive::Metrics, 7.0, 1.4),
        ("burst.csv.gz", Drive::Calls, 7.6, 21.0),
        ("burst.csv.gz", Drive::Metrics, 7.4, 22.0),
    ];
    for (file, drive, hours, mean) in rows {
        let setting = Setting::read(&own(file), 240.0, false).expect("a trace");
        let got = play(&setting, Contestant::Les, Ours { drive, ..Ours::default() });
        assert!(got.hours <= hours, "{file} {drive:?}: {:.2} hours, at most {hours}", got.hours);
        assert!(got.mean <= mean, "{file} {drive:?}: {:.2} s mean wait, at most {mean}", got.mean);
    }
}

#[test]
fn no_baseline_is_better_in_hours_and_in_waiting_on_our_own_day() {
    let setting = Setting::read(&own("office.csv.gz"), 240.0, false).expect("a trace");
    let ours = play(&setting, Contestant::Les, Ours::default());
    for who in Contestant::ALL.into_iter().skip(2) {
        let other = run(who, &setting, Ours::default(), &mut |_| {}).1;
        assert!(
            other.hours > ours.hours || other.mean > ours.mean,
            "{}: {other:?}, ours {ours:?}",
            who.name()
        );
    }
}

#[test]
fn the_same_seed_replays_the_same() {
    let setting = Setting::read(&own("burst.csv.gz"), 240.0, false).expect("a trace");
    let once = play(&setting, Contestant::Les, Ours::default());
    let twice = play(&setting, Contestant::Les, Ours::default());
    assert_eq!(format!("{once:?}"), format!("{twice:?}"));
}

/// The rows of the one-hour recordings, which a debug build replays in seconds. The others: `scaler simulate --aims`.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "EXTERNAL_DATA is how tests are told of data beside the repository"
)]
fn recorded_hours_reach_their_rows() {
    let Some(data) = std::env::var("EXTERNAL_DATA").ok().map(PathBuf::from) else {
        println!("skipped: recorded_hours_reach_their_rows, EXTERNAL_DATA is not set");
        return;
    };
    for aim in AIMS.iter().filter(|aim| aim.trace.starts_with("azure23_")) {
        let setting = aim.setting(&data.join("traces")).expect("a trace");
        let got = play(&setting, Contestant::Les, Ours::default());
        assert!(aim.missed(&got).is_empty(), "{}: {:?} missed, {got:?}", setting.name, aim.missed(&got));
    }
}
