//! The program itself: its words, its exit codes, orders through a real store, and real processes that outlive a scaler
//! that is killed.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Enough for a lease to change hands on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// A fleet of `sleep`s: they never report, and so never serve.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new(more: &str) -> Self {
        let place = Self { dir: TempDir::new().unwrap() };
        let path = |name: &str| format!("{:?}", place.dir.path().join(name));
        let text = format!(
            "[fleet]\nname = \"f\"\n[store]\nkind = \"sqlite\"\npath = {store}\n\
             [group]\nmax = 3\n[group.local]\ncommand = [\"sleep\", \"600\"]\n\
             environment = {{ NODE = \"{{id}}\", PLACE = {nodes} }}\ndirectory = {nodes}\nstop_seconds = 5\n{more}",
            store = path("fleet.db"),
            nodes = path("nodes"),
        );
        std::fs::write(place.config(), text).unwrap();
        place
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("scaler.toml")
    }

    fn nodes(&self) -> PathBuf {
        self.dir.path().join("nodes")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scaler"));
        command.arg("--config").arg(self.config()).args(words);
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What a command that must succeed writes.
    fn say(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it in the background; its log goes to a file.
    fn start(&self, words: &[&str]) -> Process {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let out = std::fs::File::create(self.dir.path().join("out")).unwrap();
        Process(self.command(words).stdin(Stdio::null()).stdout(out).stderr(log).spawn().unwrap())
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

/// Killed when it drops.
struct Process(Child);

impl Process {
    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    fn ends(&mut self) -> i32 {
        until("it ends", || self.0.try_wait().unwrap().is_some());
        self.0.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The living processes that were started for this directory, by the variable they carry. The scaler's own environment
/// has it not.
fn children(nodes: &Path) -> Vec<u32> {
    let mark = format!("PLACE={}", nodes.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|one| one == mark.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// Whatever a failed test leaves behind ends with it.
struct Swept<'a>(&'a Path);

impl Drop for Swept<'_> {
    fn drop(&mut self) {
        for pid in children(self.0) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

#[test]
fn a_configuration_is_judged_and_64_means_that_it_is_wrong() {
    let place = Place::new("");
    assert_eq!(place.say(&["check-config"]), "the configuration is right\n");
    let wrong = Place::new("[policy]\nidle_minutes = -1\nspeed = 3\n");
    for words in [&["check-config"][..], &[], &["status"], &["--dry-run"]] {
        let output = wrong.run(words);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {told}");
        assert!(told.contains("policy.idle_minutes") && told.contains("policy.speed"), "{told}");
    }
    let nowhere = Command::new(env!("CARGO_BIN_EXE_scaler")).args(["--config", "/nowhere"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(64));
    let nonsense = place.run(&["dance"]);
    assert_eq!(nonsense.status.code(), Some(64));
    let by_environment = place.command(&["check-config"]).env("SCALER__GROUP__MAX", "0").output().unwrap();
    let told = String::from_utf8(by_environment.stderr).unwrap();
    assert!(by_environment.status.code() == Some(64) && told.contains("group.max"), "{told}");
}

#[test]
fn its_help_teaches() {
    let help = Place::new("").say(&["--help"]);
    for word in [
        "status",
        "wake",
        "sleep",
        "hold",
        "release",
        "simulate",
        "--dry-run",
        "check-config",
        "SCALER__",
        "64",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    let hold = Place::new("").say(&["hold", "--help"]);
    assert!(hold.contains("--for") && hold.contains("2h"), "{hold}");
}

#[test]
fn orders_are_written_shown_and_put_on_record() {
    let place = Place::new("");
    let asleep = place.say(&["status"]);
    assert!(asleep.contains("f: asleep") && asleep.contains("nobody: start a scaler"), "{asleep}");
    let output = place.command(&["hold", "2", "--for", "2h"]).env("USER", "erika").output().unwrap();
    let (shown, record) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(shown.contains("f: waking") && shown.contains("at least 2 for"), "{shown}");
    assert!(record.contains("an operator's order") && record.contains("\"hold\""), "{record}");
    assert!(!place.say(&["release"]).contains("at least"), "and the phase is the leader's to change");
    assert!(place.say(&["sleep"]).contains("falling asleep"));
    assert!(place.say(&["wake"]).contains("f: waking"));
    let json: serde_json::Value = serde_json::from_str(&place.say(&["status", "--json"])).unwrap();
    assert_eq!((json["state"].as_str(), json["hold"].is_null()), (Some("waking"), true));
    for (words, why) in [
        (&["hold", "9", "--for", "1h"][..], "above group.max"),
        (&["hold", "0", "--for", "1h"], "scaler release"),
        (&["hold", "1", "--for", "8d"], "between 1s and 7d"),
    ] {
        let refused = place.run(words);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && told.contains(why), "{words:?}: {told}");
    }
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let place = Place::new("");
    let _swept = Swept(&place.nodes());
    place.say(&["wake"]);
    let mut dry = place.start(&["--dry-run"]);
    until("it says something", || place.read("out").contains("would have a first instance"));
    dry.signal("-TERM");
    assert_eq!(dry.ends(), 0);
    assert_eq!(children(&place.nodes()), [0u32; 0]);
    let status = place.say(&["status"]);
    assert!(status.contains("f: waking") && status.contains("nobody: start a scaler"), "no lease: {status}");
}

#[test]
fn a_scaler_that_is_killed_loses_no_node_and_its_successor_starts_no_second_one() {
    let place = Place::new("");
    let nodes = place.nodes();
    let _swept = Swept(&nodes);
    place.say(&["wake"]);
    let first = place.start(&[]);
    until("a node is started", || children(&nodes).len() == 1);
    let node = children(&nodes);
    first.signal("-KILL");
    drop(first);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(children(&nodes), node, "it lives on");
    let seen = place.say(&["status"]);
    assert!(seen.contains("desired 1") && seen.contains("in service"), "{seen}");

    let mut second = place.start(&[]);
    until("the next one leads", || place.read("log").contains("\"leads\":true"));
    until("it has taken the node over", || place.read("log").contains("found a node that still runs"));
    // Two rounds more.
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(children(&nodes), node, "the same one, and no other");
    second.signal("-TERM");
    assert_eq!(second.ends(), 0, "{}", place.read("log"));
    assert_eq!(children(&nodes), [0u32; 0], "who ends in order ends what it started");
}
