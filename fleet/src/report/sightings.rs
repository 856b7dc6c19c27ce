//! Who has fallen silent, told without comparing two machines' clocks.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{NodeRecord, STALE_AFTER};

/// Remembers when each node's report last changed, by the reader's own monotonic clock. A node whose clock runs ahead
/// looks current to [`Store::reports`](crate::store::Store::reports) long after it died; not so here.
#[derive(Debug, Default)]
pub struct Sightings {
    last: HashMap<String, (i64, u64, Instant)>,
}

impl Sightings {
    /// The records whose nodes are still heard of. Call it with each read of the reports, at `now`.
    pub fn living(&mut self, records: Vec<NodeRecord>, now: Instant) -> Vec<NodeRecord> {
        let silence = Duration::from_secs(STALE_AFTER.unsigned_abs());
        let mut seen = HashMap::with_capacity(records.len());
        let mut living = Vec::with_capacity(records.len());
        for record in records {
            let report = &record.report;
            let at = match self.last.get(&report.node) {
                Some((start, sequence, at))
                    if (*start, *sequence) == (report.started_at, report.sequence) =>
                {
                    *at
                }
                _ => now,
            };
            seen.insert(report.node.clone(), (report.started_at, report.sequence, at));
            if now.saturating_duration_since(at) < silence {
                living.push(record);
            }
        }
        self.last = seen;
        living
    }
}
