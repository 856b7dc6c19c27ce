//! `scaler simulate` from the command line: the table, the CSV, the picture, a made trace, and bad orders.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn simulate(line: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_scaler")).arg("simulate").args(line).output()
}

fn burst() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/burst.csv.gz")
}

#[test]
fn the_table_and_the_csv_say_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, csv) = (burst(), folder.path().join("out.csv"));
    let (trace, csv) = (trace.to_str().expect("a path"), csv.to_str().expect("a path"));
    let out =
        simulate(&["--trace", trace, "--drive", "both", "--policy", "les", "--policy", "keda", "--csv", csv])
            .expect("the program runs");
    assert!(out.status.success(), "{out:?}");
    assert!(out.stderr.is_empty(), "no progress where nobody looks: {out:?}");
    let printed = String::from_utf8(out.stdout).expect("text");
    let mut reader = csv::Reader::from_path(csv).expect("a CSV file");
    let head = reader.headers().expect("a head").clone();
    let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("rows of one width");
    let policies: Vec<_> = rows.iter().map(|row| row[1].to_owned()).collect();
    assert_eq!(policies, ["les", "les by metrics", "keda"]);
    for (name, row) in rows.iter().flat_map(|row| head.iter().zip(row).skip(2)) {
        let number: f64 = row.parse().unwrap_or_else(|_| panic!("{name} is {row}"));
        assert!(number.is_finite() && number >= 0.0, "{name}: {number}");
    }
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    for (line, row) in lines[1..].iter().zip(&rows) {
        let cells = row.iter().flat_map(str::split_whitespace).collect::<Vec<_>>();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), cells);
    }
    let column = |name: &str| head.iter().position(|one| one == name).expect("a column");
    assert!(rows.iter().all(|row| &row[column("lost")] == "0" && &row[column("requests")] == "959"));
}

#[test]
fn the_picture_is_well_formed_and_stays_inside_its_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, svg) = (burst(), folder.path().join("out.svg"));
    let out = simulate(&["--trace", trace.to_str().expect("a path"), "--svg", svg.to_str().expect("a path")])
        .expect("the program runs");
    assert!(out.status.success(), "{out:?}");
    let text = std::fs::read_to_string(svg).expect("a picture");
    let elements = elements(&text).expect("tags that end");
    let (width, height) = (1000.0, 638.0);
    assert!(text.starts_with("<svg ") && text.contains(&format!("viewBox=\"0 0 {width} {height}\"")));
    for class in ["demand", "living", "ready", "wait"] {
        let drawn = elements.iter().find(|one| attribute(one, "class") == Some(class));
        let path = drawn.and_then(|one| attribute(one, "d")).unwrap_or_else(|| panic!("no {class}"));
        let numbers: Vec<f64> = path
            .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().expect("a number"))
            .collect();
        assert!(numbers.len() > 100, "{class} has {} numbers", numbers.len());
        for pair in numbers.chunks(2) {
            assert!(
                (0.0..=width).contains(&pair[0]) && (0.0..=height).contains(&pair[1]),
                "{class}: {pair:?}"
            );
        }
        assert!(path.starts_with('M'), "{class}: {path:.20}");
    }
    assert!(text.contains("prefers-color-scheme:dark"), "it reads in the dark");
}

/// The opening tags of an XML text; fails where they are not closed in order.
fn elements(text: &str) -> Option<Vec<&str>> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for part in text.split('<').skip(1) {
        let (tag, content) = part.split_once('>')?;
        assert!(!content.contains('>') || open.contains(&"style"), "{content:.40}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next()?;
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag:.40}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        all.push(tag);
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} left open");
    Some(all)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

#[test]
fn a_made_trace_can_be_replayed_and_is_the_same_for_the_same_seed() {
    let made = |seed: &str| {
        let out = simulate(&["--make-trace", "burst", "--seed", seed]).expect("the program runs");
        assert!(out.status.success(), "{out:?}");
        out.stdout
    };
    assert_eq!(made("7"), made("7"));
    assert_ne!(made("7"), made("8"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made.csv");
    std::fs::write(&path, made("7")).expect("written");
    let out = simulate(&[
        "--trace",
        path.to_str().expect("a path"),
        "--faults",
        "all",
        "--price",
        "whole",
        "--warm-pool",
        "2",
    ])
    .expect("the program runs");
    assert!(out.status.success(), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("made"), "{out:?}");
}

#[test]
fn a_bad_order_says_what_is_wrong() {
    let trace = burst();
    let trace = trace.to_str().expect("a path");
    let rows: [(&[&str], &str); 8] = [
        (&[], "--trace"),
        (&["--trace", "no-such.csv"], "cannot open no-such.csv"),
        (&["--trace", trace, "--policy", "magic"], "one of: all, les"),
        (&["--trace", trace, "--boot", "0"], "boot times must be above zero"),
        (&["--trace", trace, "--value=-1"], "--value must not be negative"),
        (&["--trace", trace, "--belief", "0"], "--belief must be above zero"),
        (&["--trace", trace, "--csv", "/no/such/folder/out.csv"], "writing /no/such/folder/out.csv"),
        (&["--aims", "/no/such/folder"], "cannot open /no/such/folder"),
    ];
    for (line, expected) in rows {
        let out = simulate(line).expect("the program runs");
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && told.contains(expected), "{line:?}: {told}");
    }
}
