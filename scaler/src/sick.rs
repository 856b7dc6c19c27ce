//! Nodes that are in service and serve nobody: silent, or their Ollama gone and not coming back. Two looks half a minute
//! apart, and never on the word of a store that fails.

use fleet::report::NodeState;

use crate::Seconds;
use crate::decide::observation::NodeId;
use crate::group::Life;
use crate::observe::member::Member;
use crate::observe::{ByNode, Sight};

/// Between the first look that finds a node sick and the one that has it replaced.
const APART: Seconds = 30.0;

/// A silence this long is a symptom: fifteen reports in a row.
const SILENCE: Seconds = 30.0;

/// The store must have answered without a failure for so long before anyone is blamed for silence.
const STEADY: Seconds = 60.0;

/// Suspects, and since when.
#[derive(Debug, Default)]
pub struct Sick {
    since: ByNode<Seconds>,
}

impl Sick {
    /// The node to have replaced, if there is one. At most one a round: what strikes many at once is not the nodes'
    /// fault.
    pub fn look(&mut self, sight: &Sight) -> Option<NodeId> {
        let now = sight.seen.now;
        if sight.store_steady < STEADY || sight.seen.group.age > APART {
            self.since.clear();
            return None;
        }
        let veterans = || {
            let in_service = |member: &&Member| member.life == Life::InService && member.may_have_served();
            sight.members.iter().filter(in_service)
        };
        let suspects: Vec<_> = veterans().filter(|member| is_suspect(member, now)).collect();
        // Nobody speaks at all: the way to the store is broken, not every node at once.
        if suspects.len() > 1 && suspects.len() == veterans().count() {
            self.since.clear();
            return None;
        }
        self.since.retain(|id, _| suspects.iter().any(|member| member.id == *id));
        for member in suspects {
            self.since.entry(member.id.clone()).or_insert(now);
        }
        self.since.iter().find(|(_, since)| now - **since >= APART).map(|(id, _)| id.clone())
    }

    /// It was told to the group; it is looked at afresh if it stays.
    pub fn told(&mut self, id: &NodeId) {
        self.since.remove(id);
    }
}

/// Silent for long, or starting although it was ready before.
fn is_suspect(member: &Member, now: Seconds) -> bool {
    match member.said {
        None => now - member.launched_at > SILENCE,
        Some((state, heard)) => now - heard > SILENCE || state == NodeState::Starting,
    }
}
