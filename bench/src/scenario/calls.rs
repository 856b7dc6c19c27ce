//! System calls per request and per token, counted by strace under a light load.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::{Bench, Sample};
use crate::fake::Scene;
use crate::figure::Figure;
use crate::load::lane::Lane;
use crate::load::prompt::Prompt;
use crate::load::run::{Faults, Rhythm, Run};
use crate::load::tls::Protocol;
use crate::proxy::Target;

/// How long strace is given to attach to all threads.
const ATTACH: Duration = Duration::from_millis(700);
/// Few lanes: under strace a proxy is slow, and what queues up in front of it would be read at once.
const LANES: usize = 8;
/// A lane's requests are so far apart.
const BETWEEN: Duration = Duration::from_millis(40);

/// Counts for short requests, then for paced streams.
pub async fn count(bench: &Bench, target: &Arc<Target>) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    let mut notes = Vec::new();
    for (scene, figure) in [(Scene::Short, Figure::CallsRequest), (Scene::Paced, Figure::CallsToken)] {
        let lanes = match Lane::open(target, Protocol::One, LANES).await {
            Ok(lanes) => lanes,
            Err(fault) => {
                sample.faults.add(fault);
                continue;
            }
        };
        let prompt = Prompt::usual(scene, &target.token);
        let running = Run::start(target, lanes, &prompt, Rhythm::Every(BETWEEN), false);
        sleep(ATTACH).await;
        let tracing = Trace::start(&target.pids())?;
        sleep(ATTACH).await;
        let window = running.window(&[], bench.profile.window).await;
        let calls = tracing.stop().await?;
        merge(&mut sample.faults, running.stop().await);
        let units = if scene == Scene::Short { window.requests } else { window.tokens };
        // Rates rather than counts: strace counts a little longer than the window.
        let per_second = units / window.seconds;
        sample.figures.push((figure, calls.total / calls.seconds / per_second));
        notes.push(calls.note(calls.seconds * per_second));
    }
    sample.note = Some(notes.join("; per token: "));
    Ok(sample)
}

fn merge(into: &mut Faults, from: Faults) {
    into.errors += from.errors;
    into.short += from.short;
    into.example = into.example.take().or(from.example);
}

struct Trace {
    strace: Child,
    report: tempfile::NamedTempFile,
    began: std::time::Instant,
}

struct Calls {
    total: f64,
    seconds: f64,
    by_name: Vec<(String, f64)>,
}

impl Trace {
    fn start(pids: &[u32]) -> anyhow::Result<Self> {
        let report = tempfile::NamedTempFile::new()?;
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-q", "-o"]).arg(report.path());
        pids.iter().for_each(|pid| {
            command.args(["-p", &pid.to_string()]);
        });
        command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null()).kill_on_drop(true);
        let strace = command.spawn().context("strace; scripts/bench.sh installs what is missing")?;
        Ok(Self { strace, report, began: std::time::Instant::now() })
    }

    async fn stop(mut self) -> anyhow::Result<Calls> {
        let seconds = self.began.elapsed().as_secs_f64();
        if let Some(pid) = self.strace.id() {
            Command::new("kill").args(["-INT", &pid.to_string()]).status().await?;
        }
        self.strace.wait().await?;
        let text = std::fs::read_to_string(self.report.path())?;
        // Columns: % time, seconds, usecs/call, calls, [errors], name.
        let by_name: Vec<(String, f64)> = text
            .lines()
            .filter_map(|line| {
                let columns: Vec<&str> = line.split_whitespace().collect();
                Some(((*columns.last()?).to_owned(), columns.get(3)?.parse().ok()?))
            })
            .filter(|(name, _)| name != "total")
            .collect();
        Ok(Calls { total: by_name.iter().map(|(_, calls)| calls).sum(), seconds, by_name })
    }
}

impl Calls {
    /// The most frequent, per unit.
    fn note(&self, units: f64) -> String {
        let mut sorted = self.by_name.clone();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shown = sorted.iter().take(8).map(|(name, calls)| format!("{name} {:.2}", calls / units));
        shown.collect::<Vec<_>>().join(", ")
    }
}
