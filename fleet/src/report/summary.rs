//! All nodes in one item: above 24 nodes, a hundred readers of a hundred reports would cost more than the reports say.

use serde::{Deserialize, Serialize};

use super::{NodeRecord, NodeState, Report, Role, is_current, thousandths};

/// What peers and fronts need to choose a node and to trust it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerView {
    /// As in the report.
    pub node: String,
    /// As in the report.
    pub address: String,
    /// As in the report.
    pub role: Role,
    /// As in the report.
    pub state: NodeState,
    /// As in the report.
    pub slots: u32,
    /// As in the report.
    pub busy: u32,
    /// As in the report.
    pub queued: u32,
    /// As in the report.
    #[serde(serialize_with = "thousandths")]
    pub queued_work_seconds: f64,
    /// As in the report.
    #[serde(serialize_with = "thousandths")]
    pub tokens_per_second: f64,
    /// As in the report.
    pub models: Vec<String>,
    /// As in the report.
    pub sequence: u64,
    /// As in the report.
    pub certificate_sha256: String,
    /// As in the report.
    pub public_key: String,
}

impl From<&Report> for PeerView {
    fn from(report: &Report) -> Self {
        Self {
            node: report.node.clone(),
            address: report.address.clone(),
            role: report.role,
            state: report.state,
            slots: report.slots,
            busy: report.busy,
            queued: report.queued,
            queued_work_seconds: report.queued_work_seconds,
            tokens_per_second: report.tokens_per_second,
            models: report.models.clone(),
            sequence: report.sequence,
            certificate_sha256: report.certificate_sha256.clone(),
            public_key: report.public_key.clone(),
        }
    }
}

/// The fleet as the leader saw it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// When it was written, by the leader's clock.
    pub written_at: i64,
    /// The nodes and fronts.
    pub nodes: Vec<PeerView>,
}

impl Summary {
    /// What `records` say, in short.
    pub fn of(records: &[NodeRecord], now: i64) -> Self {
        Self { written_at: now, nodes: records.iter().map(|record| PeerView::from(&record.report)).collect() }
    }

    /// Does it still count?
    pub(crate) fn is_current(&self, now: i64) -> bool {
        is_current(self.written_at, now)
    }
}
