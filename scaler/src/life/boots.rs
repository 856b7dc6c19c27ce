//! Which launches came up, and which never will.

use std::collections::BTreeSet;

use fleet::store::Boot;

use crate::Seconds;
use crate::decide::FAILED_BOOT;
use crate::decide::observation::NodeId;
use crate::observe::Sight;
use crate::observe::member::{Member, Served};

/// A boot may take so many times what is expected of it.
const PATIENCE: f64 = 3.0;

/// And never less than ten minutes, whatever was expected.
const LEAST: Seconds = 600.0;

/// What one round found out.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Boots that ended, well or not.
    pub(super) boots: Vec<Boot>,
    /// Instances whose boot is given up.
    pub(super) lost: Vec<NodeId>,
    /// Instances that are no longer counted on, and not given up yet.
    pub(super) overdue: u32,
}

/// Instances whose boot has been told.
#[derive(Debug, Default)]
pub(super) struct Boots {
    told: BTreeSet<NodeId>,
}

impl Boots {
    /// What is new, if a launch is expected to take `boot` seconds.
    pub(super) fn news(&mut self, sight: &Sight, boot: Seconds) -> News {
        let mut news = News::default();
        let deadline = (PATIENCE * boot).max(LEAST);
        for member in &sight.members {
            let age = sight.seen.now - member.launched_at;
            if let Some(ready_at) = member.ready_at
                && self.told.insert(member.id.clone())
            {
                news.boots.push(ended(member, Some(ready_at - member.launched_at)));
            } else if member.served == Served::No && age > deadline {
                news.lost.push(member.id.clone());
                if self.told.insert(member.id.clone()) {
                    news.boots.push(ended(member, None));
                }
            } else if member.served == Served::No && age > FAILED_BOOT * boot {
                news.overdue += 1;
            }
        }
        for member in &sight.stillborn {
            // A refresh replaces what boots, too; that says nothing about the boot.
            if self.told.insert(member.id.clone()) && !sight.group.refreshing {
                news.boots.push(ended(member, None));
            }
        }
        self.told.retain(|id| sight.member(id).is_some());
        news
    }

    /// Whoever ended it knows.
    pub(super) fn ended(&mut self, id: &NodeId) {
        self.told.insert(id.clone());
    }
}

fn ended(member: &Member, seconds: Option<Seconds>) -> Boot {
    Boot { at: member.launched_wall, seconds }
}
