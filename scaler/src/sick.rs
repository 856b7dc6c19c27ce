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

/// Where every node is silent the way to the store is suspected first, for so long. Then one is replaced: it speaks and
/// convicts the others, or is as silent as they.
const ALL_SILENT: Seconds = 600.0;

/// Suspects, and since when.
#[derive(Debug, Default)]
pub struct Sick {
    since: ByNode<Seconds>,
    /// Since when nobody speaks at all.
    hushed: Option<Seconds>,
}

impl Sick {
    /// The node to have replaced, if there is one. At most one a round: what strikes many at once is not the nodes'
    /// fault.
    pub fn look(&mut self, sight: &Sight) -> Option<NodeId> {
        let now = sight.seen.now;
        if sight.store_steady < STEADY || sight.seen.group.age > APART {
            self.since.clear();
            self.hushed = None;
            return None;
        }
        let veterans = || {
            let in_service = |member: &&Member| member.life == Life::InService && member.may_have_served();
            sight.members.iter().filter(in_service)
        };
        let suspects: Vec<_> = veterans().filter(|member| is_suspect(member, now)).collect();
        let silent = veterans().filter(|member| is_silent(member, now)).count();
        let hushed = silent > 1 && silent == veterans().count();
        self.hushed = hushed.then(|| self.hushed.unwrap_or(now));
        if self.hushed.is_some_and(|since| now - since < ALL_SILENT) {
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
        self.hushed = None;
    }
}

/// Silent for long, or starting although it was ready before.
fn is_suspect(member: &Member, now: Seconds) -> bool {
    is_silent(member, now) || member.said.is_some_and(|(state, _)| state == NodeState::Starting)
}

fn is_silent(member: &Member, now: Seconds) -> bool {
    now - member.said.map_or(member.launched_at, |(_, heard)| heard) > SILENCE
}
