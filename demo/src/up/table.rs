//! The fleet as it breathes: a table in the terminal, or a line for each change where there is none.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fleet::report::{NodeRecord, NodeState, Role};
use fleet::store::{FleetState, Phase, SqliteStore, Store};
use jiff::Timestamp;

use super::child::{Child, any_end};
use crate::keep::say;

/// The name of the demo's fleet.
const FLEET: &str = "demo";

/// Stays until a child ends, which is an error. Whoever stops us drops this future.
pub(super) async fn watch(store: &Path, children: &mut [Child]) -> anyhow::Result<()> {
    let store = SqliteStore::open(store).context("opening the demo's store")?;
    tokio::select! {
        ended = any_end(children) => Err(ended),
        shown = show(&store) => shown,
    }
}

async fn show(store: &SqliteStore) -> anyhow::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let mut before = String::new();
    let mut lines = 0;
    loop {
        let now = Timestamp::now().as_second();
        // A store that is busy for a moment is asked again in the next.
        if let (Ok(state), Ok(nodes)) = (store.state(FLEET).await, store.reports(FLEET, now).await) {
            if terminal {
                let table = table(&state, &nodes, now);
                redraw(&table, lines);
                lines = table.lines().count();
            } else {
                let change = change(&state, &nodes);
                if change != before {
                    say(&change)?;
                    before = change;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Draws over what was drawn before.
fn redraw(table: &str, lines: usize) {
    let back = if lines > 0 { format!("\x1b[{lines}A\x1b[J") } else { String::new() };
    // A terminal that went away is no reason to stop.
    let _ = write!(std::io::stdout(), "{back}{table}").and_then(|()| std::io::stdout().flush());
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Asleep => "asleep",
        Phase::Waking => "waking",
        Phase::Awake => "awake",
        Phase::FallingAsleep => "falling asleep",
        Phase::Broken => "broken",
    }
}

fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Loading => "loading",
        NodeState::Ready => "ready",
        NodeState::Draining => "draining",
    }
}

fn is_machine(record: &&NodeRecord) -> bool {
    record.report.role == Role::Node
}

/// At most 78 columns a line: a narrow terminal must not wrap, or the next drawing would miss its lines.
fn table(state: &FleetState, nodes: &[NodeRecord], now: i64) -> String {
    let queued: u32 = nodes.iter().map(|node| node.report.queued).sum();
    let oldest = nodes.iter().map(|node| node.report.oldest_wait_seconds).fold(0.0, f64::max);
    let tokens: f64 = nodes.iter().filter(is_machine).map(|node| node.report.tokens_per_second).sum();
    let mut text = format!(
        "{} for {} s   {queued} waiting, the oldest for {oldest:.0} s   {tokens:.0} tokens/s\n",
        word(state.phase),
        (now - state.since).clamp(0, 99_999),
    );
    if let Some(reason) = &state.reason {
        text += &format!("  {reason:.76}\n");
    }
    for node in nodes.iter().filter(is_machine) {
        let report = &node.report;
        text += &format!(
            "  {:<18.18} {:<9} {:>2}/{} busy {:>3} queued  {:.24}\n",
            report.node,
            state_word(report.state),
            report.busy,
            report.slots,
            report.queued,
            report.models.join(" "),
        );
    }
    text
}

/// What a log should have a line for.
fn change(state: &FleetState, nodes: &[NodeRecord]) -> String {
    let machines: Vec<String> = nodes
        .iter()
        .filter(is_machine)
        .map(|node| format!("{} {}", node.report.node, state_word(node.report.state)))
        .collect();
    let machines = if machines.is_empty() { "no machine".to_owned() } else { machines.join(", ") };
    format!("{}: {machines}", word(state.phase))
}

#[cfg(test)]
mod tests {
    use fleet::report::Report;

    use super::*;

    fn machine(name: &str, state: NodeState) -> NodeRecord {
        let report =
            Report { node: name.to_owned(), state, slots: 4, busy: 3, queued: 2, ..Report::default() };
        NodeRecord { report, written_at: 0, answer: Default::default() }
    }

    #[test]
    fn the_table_fits_and_says_who_is_there() {
        let state = FleetState::default().moved_to(Phase::Awake, 100);
        let mut front = machine("front", NodeState::Ready);
        front.report.role = Role::Front;
        let mut long = machine(&"n".repeat(60), NodeState::Draining);
        long.report.models = vec!["m".repeat(80)];
        let shown = table(&state, &[front.clone(), machine("node-1", NodeState::Ready), long], 160);
        assert!(shown.starts_with("awake for 60 s   6 waiting"), "{shown}");
        assert!(
            shown.contains("node-1") && shown.contains("draining") && !shown.contains("front"),
            "{shown}"
        );
        assert!(shown.lines().all(|line| line.chars().count() <= 78), "{shown}");
        assert_eq!(change(&state, &[front]), "awake: no machine");
    }
}
