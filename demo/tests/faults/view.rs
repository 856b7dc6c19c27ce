//! The fleet from outside at one moment: the table, and what the scaler noted of its nodes.

use fleet::report::{NodeRecord, NodeState, Role};
use fleet::store::{FleetState, LeaseRecord};

use crate::machines::Note;

/// What can be seen.
#[derive(Debug)]
pub struct View {
    pub state: FleetState,
    pub nodes: Vec<NodeRecord>,
    /// Nodes whose processes the scaler keeps.
    pub notes: Vec<Note>,
    /// How many there should be.
    pub desired: u32,
    /// How many were ever launched.
    pub launched: usize,
    pub lease: Option<LeaseRecord>,
}

impl View {
    pub fn new(records: Vec<NodeRecord>, state: FleetState, lease: Option<LeaseRecord>) -> Self {
        let nodes = records.into_iter().filter(|record| record.report.role == Role::Node).collect();
        Self { state, nodes, notes: Vec::new(), desired: 0, launched: 0, lease }
    }

    /// Nodes that report, serve, and whose process is there.
    pub fn ready(&self) -> usize {
        let noted = |record: &&NodeRecord| self.notes.iter().any(|note| note.id == record.report.node);
        let serving = self.nodes.iter().filter(|record| record.report.state == NodeState::Ready);
        serving.filter(noted).count()
    }

    /// Does this one report and serve?
    pub fn serves(&self, node: &str) -> bool {
        self.nodes.iter().any(|record| record.report.node == node && record.report.state == NodeState::Ready)
    }

    /// What a node last said.
    pub fn node(&self, id: &str) -> Option<&NodeRecord> {
        self.nodes.iter().find(|record| record.report.node == id)
    }

    /// The process that leads, as the lease names it: `host/pid/digits`.
    pub fn leader(&self) -> Option<u32> {
        self.lease.as_ref()?.owner.split('/').nth(1)?.parse().ok()
    }
}
