//! What an operator must be able to see, is there.

use fleet::report::{Report, ReportAnswer};
use fleet::store::{Hold, Phase, Spent};

use super::*;
use crate::decide::observation::NodeId;
use crate::group::LaunchRefusal;

/// A Monday, 08:00 UTC.
const NOW: i64 = 1_794_816_000;

fn config() -> Config {
    crate::config::from_toml(
        "[group.local]\ncommand = [\"gateway\", \"{id}\"]\n[policy]\nbudget = 200\n\
         [[schedule.windows]]\ndays = [\"mon\"]\nfrom = \"07:00\"\nuntil = \"18:00\"\nnodes = 2\n",
    )
    .unwrap()
}

fn record(node: &str, role: Role, state: NodeState) -> NodeRecord {
    let report = Report {
        node: node.to_owned(),
        role,
        state,
        slots: 4,
        busy: 3,
        queued: 7,
        queued_work_seconds: 21.5,
        oldest_wait_seconds: 4.25,
        models: vec!["gemma3n:e4b".to_owned()],
        started_at: NOW - 600,
        ..Report::default()
    };
    NodeRecord { report, written_at: NOW, answer: ReportAnswer::default() }
}

fn instance(id: &str, life: Life) -> Instance {
    Instance { id: NodeId::new(id), life, launched_at: Some(NOW - 60), healthy: true, protected: true }
}

#[test]
fn everything_an_operator_asks_for_is_in_the_picture() {
    let config = config();
    let mut state = FleetState { version: 3, ..FleetState::default() }.moved_to(Phase::Awake, NOW - 300);
    state.hold = Some(Hold { nodes: 3, until: NOW + 3600 });
    state.spent = Some(Spent { period: 202_611, gpu_seconds: 360_000.0 });
    state = state.booted(Boot { at: 1, seconds: Some(80.0) }).booted(Boot { at: 2, seconds: None });
    let mut draining = record("i-1", Role::Node, NodeState::Draining);
    draining.answer = ReportAnswer { order: OrderKind::Drain, order_seq: 4, order_until: NOW + 42 };
    let records = [draining, record("f-1", Role::Front, NodeState::Ready)];
    let group = Description {
        min: 0,
        max: 4,
        desired: 2,
        instances: vec![instance("i-1", Life::InService), instance("i-2", Life::Pending)],
        warm: Some(1),
        refreshing: true,
        refusal: Some(LaunchRefusal { at: NOW - 5, why: "InsufficientInstanceCapacity".to_owned() }),
    };
    let lease = Some(LeaseRecord { owner: "host/1".to_owned(), version: 9 });
    let read = Read {
        config: &config,
        state: &state,
        records: &records,
        group: Ok(group),
        lease,
        renewed_after: Some(1.25),
        wall: NOW,
    };
    let view = View::of(read);
    let text = view.to_string();
    for part in [
        "default: awake for 5 min",
        "desired 2, 0 to 4, 1 warm, an instance refresh runs",
        "InsufficientInstanceCapacity",
        "14 waiting, 43.0 s of work, the oldest for 4.2 s",
        "hold       at least 3 for 60 min",
        "schedule   at least 2 now",
        "100.0 of 200 GPU-hours this month, 50 %",
        "failed, 80 s (newest first), 1 failed since",
        "host/1, alive (renewed within 1.2 s)",
        "[ordered to drain, 42 s left]",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let silent = text.lines().find(|line| line.starts_with("i-2")).unwrap();
    assert!(silent.contains("pending") && silent.contains("silent") && silent.contains("60 s"), "{silent}");
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(
        (json["nodes"][1]["place"].as_str(), json["hold"]["nodes"].as_u64()),
        (Some("front"), Some(3))
    );
}

#[test]
fn what_is_missing_is_said() {
    let (config, state) = (config(), FleetState::default());
    let read = |lease| Read {
        config: &config,
        state: &state,
        records: &[],
        group: Err("no credentials".to_owned()),
        lease,
        renewed_after: None,
        wall: NOW,
    };
    let text = View::of(read(None)).to_string();
    assert!(text.contains("no credentials") && text.contains("nobody: start a scaler"), "{text}");
    let lease = LeaseRecord { owner: "gone/1".to_owned(), version: 1 };
    assert!(View::of(read(Some(lease))).to_string().contains("gone/1, SILENT"));
}
