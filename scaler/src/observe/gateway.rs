//! Who was heard, and how long ago by our own clock: a gateway whose clock runs ahead looks alive in the table long
//! after it died.

use fleet::report::{NodeRecord, NodeState, OrderKind};

use super::ByNode;
use crate::Seconds;
use crate::decide::observation::NodeId;

/// After so long a silence a gateway's numbers count for nothing.
pub const LOST: Seconds = 60.0;

/// Records are read that are older by so many seconds than a current one: our clock may be ahead of the gateways', and who
/// still speaks is told by what changes.
pub const CLOCKS: i64 = 120;

/// Its last word is kept for so long, so that it is not taken for a new one when it speaks again.
const REMEMBERED: Seconds = 3600.0;

/// One gateway's last word.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What it said, and the order that stands beside it.
    pub record: NodeRecord,
    /// When that was new to us.
    pub heard_at: Seconds,
    /// It was there at our first look: its counts are older than we.
    pub found: bool,
}

impl Gateway {
    /// It drains because the leader said so, and says so itself: it stays empty once it is.
    #[must_use]
    pub fn has_drained_by_order(&self, wall: i64) -> bool {
        let (report, answer) = (&self.record.report, self.record.answer);
        answer.in_force(wall) == OrderKind::Drain
            && report.state == NodeState::Draining
            && report.order_seen == answer.order_seq
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Gateways {
    known: ByNode<Gateway>,
    looked: bool,
}

impl Gateways {
    /// Takes in one read of the table.
    pub fn hear(&mut self, records: Vec<NodeRecord>, now: Seconds) {
        for record in records {
            let id = NodeId::new(&record.report.node);
            let spoke = |known: &Gateway| {
                let (new, old) = (&record.report, &known.record.report);
                (new.started_at, new.sequence) != (old.started_at, old.sequence)
            };
            let (heard_at, found) = match self.known.get(&id) {
                Some(known) if !spoke(known) => (known.heard_at, known.found),
                Some(known) => (now, known.found),
                None => (now, !self.looked),
            };
            self.known.insert(id, Gateway { record, heard_at, found });
        }
        self.looked = true;
        self.known.retain(|_, gateway| now - gateway.heard_at < REMEMBERED);
    }

    /// Remembers one no longer.
    pub fn forget(&mut self, id: &NodeId) {
        self.known.remove(id);
    }

    /// Everyone remembered.
    pub fn all(&self) -> impl Iterator<Item = (&NodeId, &Gateway)> {
        self.known.iter()
    }

    /// Those heard within the last minute.
    pub fn lately(&self, now: Seconds) -> impl Iterator<Item = &Gateway> {
        self.known.values().filter(move |gateway| now - gateway.heard_at <= LOST)
    }

    /// The last word of one.
    #[must_use]
    pub fn of(&self, id: &NodeId) -> Option<&Gateway> {
        self.known.get(id)
    }
}
