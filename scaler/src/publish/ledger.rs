//! What the gateways have counted since the last telling, from counts that only grow.

use std::collections::BTreeMap;

use fleet::report::{Counts, EXPIRES_AFTER, NodeRecord};

/// A process that nobody told of yet and that began within so many seconds has counted nothing that another leader
/// told: its first report comes within seconds of its start.
const NEW: i64 = 60;

/// The counts last told of each gateway.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: BTreeMap<String, Entry>,
    begun: bool,
}

#[derive(Debug)]
struct Entry {
    started_at: i64,
    counts: Counts,
    seen_at: i64,
}

impl Ledger {
    /// What was added, all gateways together. `now` in seconds since 1970.
    pub(super) fn added(&mut self, records: &[NodeRecord], now: i64) -> Counts {
        let mut sum = Counts::default();
        for record in records {
            let report = &record.report;
            let entry = Entry { started_at: report.started_at, counts: report.counts, seen_at: now };
            match self.told.insert(report.node.clone(), entry) {
                Some(before) if before.started_at == report.started_at => {
                    sum.add(&report.counts.since(&before.counts));
                }
                Some(_) => sum.add(&report.counts),
                None if self.begun && now - report.started_at < NEW => sum.add(&report.counts),
                None => {}
            }
        }
        self.begun = true;
        self.told.retain(|_, entry| now - entry.seen_at < EXPIRES_AFTER);
        sum
    }
}
