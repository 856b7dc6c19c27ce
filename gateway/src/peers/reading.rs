//! One look at the load reports, and what is remembered between two.

use std::collections::HashMap;
use std::sync::Arc;

use fleet::report::{NodeRecord, PeerView, Report, Sightings, Summary};
use fleet::store::{Store, StoreError};
use jiff::Timestamp;
use tokio::time::Instant;

use super::roster::Peer;
use crate::request::queue::UpstreamId;

/// Above so many nodes the leader's summary is read: N readers of N reports cost N² reads.
const FEW: usize = 24;

/// A process of the fleet: its name, and the key it made at its start.
type Incarnation = (String, String);

/// Reads reports and remembers what tells the next reading from this one.
#[derive(Default)]
pub(super) struct Reading {
    sightings: Sightings,
    /// The number of each living process. A node that was started anew is another upstream.
    ids: HashMap<Incarnation, UpstreamId>,
    last_id: u32,
    many: bool,
}

impl Reading {
    /// Reads what is there now: the reports, or in a large fleet the summary, unless there is none.
    pub async fn read(&self, store: &dyn Store, fleet: &str) -> Result<Vec<NodeRecord>, StoreError> {
        let now = Timestamp::now().as_second();
        if self.many
            && let Some(summary) = store.summary(fleet, now).await?
        {
            return Ok(records(summary));
        }
        store.reports(fleet, now).await
    }

    /// The living gateways but `own`, by name.
    pub fn peers(&mut self, records: Vec<NodeRecord>, own: &str, now: Instant) -> Vec<Arc<Peer>> {
        let living = self.sightings.living(records, now);
        self.many = living.len() > FEW;
        let before = std::mem::take(&mut self.ids);
        let others = living.iter().filter(|record| record.report.node != own);
        let mut peers: Vec<_> = others
            .map(|record| {
                let view = PeerView::from(&record.report);
                let incarnation = (view.node.clone(), view.public_key.clone());
                let id = before.get(&incarnation).copied().unwrap_or_else(|| self.next_id());
                self.ids.insert(incarnation, id);
                Arc::new(Peer::new(id, view))
            })
            .collect();
        peers.sort_by(|a, b| a.view.node.cmp(&b.view.node));
        peers
    }

    fn next_id(&mut self) -> UpstreamId {
        self.last_id += 1; // 0 is the local Ollama
        UpstreamId(self.last_id)
    }
}

/// A summary in the form of the reports it was made of, as far as it goes.
fn records(summary: Summary) -> Vec<NodeRecord> {
    let written_at = summary.written_at;
    let record = |view: PeerView| {
        let PeerView {
            node,
            address,
            role,
            state,
            slots,
            busy,
            queued,
            queued_work_seconds,
            tokens_per_second,
            models,
            sequence,
            certificate_sha256,
            public_key,
        } = view;
        let report = Report {
            node,
            address,
            role,
            state,
            slots,
            busy,
            queued,
            queued_work_seconds,
            tokens_per_second,
            models,
            sequence,
            certificate_sha256,
            public_key,
            ..Report::default()
        };
        NodeRecord { report, written_at, answer: fleet::report::ReportAnswer::default() }
    };
    summary.nodes.into_iter().map(record).collect()
}
