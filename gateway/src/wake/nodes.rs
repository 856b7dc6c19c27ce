//! The fleet's nodes, from the reports they write: read when somebody asks, at most every two seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::report::{NodeState, Report, Role, STALE_AFTER, Sightings};
use fleet::store::Store;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::CALL;

/// How old the list may be.
const FRESH: Duration = Duration::from_secs(2);

/// What `/fleet` tells of one node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeLine {
    /// Its name; for operators only.
    #[serde(rename = "name", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What it can do.
    pub state: NodeState,
    /// Requests that may be inside its Ollama at once.
    pub slots: u32,
    /// Slots taken.
    pub busy: u32,
    /// Requests that wait there.
    pub queued: u32,
    /// Models in its memory; by whom they may be seen is for the route to say.
    pub models: Vec<String>,
}

impl From<&Report> for NodeLine {
    fn from(report: &Report) -> Self {
        Self {
            node: Some(report.node.clone()),
            state: report.state,
            slots: report.slots,
            busy: report.busy,
            queued: report.queued,
            models: report.models.clone(),
        }
    }
}

/// The list, and the one reader of it.
pub(super) struct Nodes {
    store: Arc<dyn Store>,
    fleet: String,
    reader: tokio::sync::Mutex<Sightings>,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    lines: Vec<NodeLine>,
    read_at: Option<Instant>,
    /// Also where nothing was read: who asks meanwhile does not wait for a store that is down.
    tried_at: Option<Instant>,
}

impl Nodes {
    pub fn new(store: Arc<dyn Store>, fleet: String) -> Self {
        Self { store, fleet, reader: tokio::sync::Mutex::default(), list: Mutex::default() }
    }

    /// Is a node ready, as far as it was read within the time that reports count?
    pub fn is_any_ready(&self) -> bool {
        let list = self.list();
        list.counts() && list.lines.iter().any(|line| line.state == NodeState::Ready)
    }

    /// The nodes that are heard of; the last known ones while the store fails, for as long as reports count.
    pub async fn fresh(&self) -> Vec<NodeLine> {
        let mut sightings = self.reader.lock().await; // one reads, the others get what it read
        if self.list().tried_at.is_none_or(|at| at.elapsed() >= FRESH) {
            let read = timeout(CALL, self.store.reports(&self.fleet, Timestamp::now().as_second())).await;
            let now = Instant::now();
            let mut list = self.list();
            list.tried_at = Some(now);
            if let Ok(Ok(records)) = read {
                let living = sightings.living(records, now);
                let nodes = living.iter().map(|record| &record.report).filter(|r| r.role == Role::Node);
                list.lines = nodes.map(NodeLine::from).collect();
                list.read_at = Some(now);
            }
        }
        let list = self.list();
        if list.counts() { list.lines.clone() } else { Vec::new() }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn counts(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < Duration::from_secs(STALE_AFTER.unsigned_abs()))
    }
}
