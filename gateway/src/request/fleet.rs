//! The fleet's own routes: what it is doing, and what operators tell it. None of them wakes it but by that word.

use std::time::Duration;

use fleet::report::NodeState;
use fleet::store::{FleetState, Phase};
use http::Response;
use serde_json::{Value, json};

use super::Journey;
use super::local::json;
use super::route::Action;
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::{Caller, Rights};
use crate::ollama::names::ModelName;
use crate::wake::{NodeLine, OrderError};

/// When to try again what the store did not take: it is tried on every second.
const STORE_RETRY: Duration = Duration::from_secs(2);

impl Journey {
    /// Answers `GET /fleet`, `POST /fleet/wake` and `POST /fleet/sleep`.
    pub(super) async fn fleet(&self, action: Action, caller: &Caller) -> Result<Response<Body>, Refusal> {
        let wake = &self.shared.wake;
        match action {
            Action::Fleet => {
                let nodes = wake.nodes().await;
                Ok(json(&self.seen_by(caller, nodes)))
            }
            Action::Wake => self.told(wake.wake_by(&caller.principal).await),
            Action::Sleep => self.told(wake.sleep_by(&caller.principal).await),
            _ => Err(Refusal::Bug),
        }
    }

    /// The state after an operator's word.
    pub(super) fn told(&self, told: Result<FleetState, OrderError>) -> Result<Response<Body>, Refusal> {
        let state = told.map_err(|error| {
            tracing::warn!(%error, "an operator's word did not reach the fleet");
            unreachable_store()
        })?;
        Ok(json(&json!({
            "fleet": self.shared.config.fleet.name,
            "state": state.phase,
            "since": state.since,
            "reason": state.reason,
        })))
    }

    /// The fleet as this caller may see it.
    fn seen_by(&self, caller: &Caller, nodes: Vec<NodeLine>) -> Value {
        let (queue, wake) = (&self.shared.queue, &self.shared.wake);
        let (load, state) = (queue.load(), wake.state());
        let drain = queue.longest_wait(&caller.principal, caller.rights.priority);
        let wait = wake.until_ready().saturating_add(drain);
        json!({
            "fleet": self.shared.config.fleet.name,
            "version": env!("CARGO_PKG_VERSION"),
            "state": shown(state.phase, wake.is_ready()),
            "since": state.since,
            "reason": state.reason,
            "expected_wait_seconds": wait.as_secs_f64().ceil(),
            "node_counts": counts(&nodes),
            "nodes": nodes.into_iter().map(|node| shown_to(&caller.rights, node)).collect::<Vec<_>>(),
            "slots": load.slots,
            "busy": load.busy,
            "queued": load.queued,
            "queued_work_seconds": load.queued_work_seconds,
            "oldest_wait_seconds": load.oldest_wait_seconds,
        })
    }
}

/// What a caller is told whose word the store did not take.
pub(super) fn unreachable_store() -> Refusal {
    Refusal::Overloaded {
        what: "the fleet's state cannot be read or changed at this moment",
        retry_after: STORE_RETRY,
    }
}

/// A node that is ready serves, also where no scaler writes the state, or has not written it yet.
fn shown(phase: Phase, ready: bool) -> Phase {
    match phase {
        Phase::Asleep | Phase::Waking if ready => Phase::Awake,
        _ => phase,
    }
}

fn counts(nodes: &[NodeLine]) -> Value {
    let count = |state| nodes.iter().filter(|node| node.state == state).count();
    json!({
        "starting": count(NodeState::Starting),
        "loading": count(NodeState::Loading),
        "ready": count(NodeState::Ready),
        "draining": count(NodeState::Draining),
    })
}

/// Names tell of machines, which are the operators'; a model that a caller may not use does not exist for them.
fn shown_to(rights: &Rights, mut node: NodeLine) -> NodeLine {
    if !rights.operate {
        node.node = None;
        node.models.retain(|model| ModelName::parse(model).is_ok_and(|model| rights.may_use(&model)));
    }
    node
}
