//! The doing. Each call is made only while this process leads, and lasts three seconds at most.

use std::future::Future;
use std::time::Duration;

use fleet::lease::Lease;
use fleet::report::NodeState;
use fleet::store::{Change, FleetState, Phase, Store, StoreError};
use tokio::time::timeout;

use super::{Act, Why};
use crate::decide::observation::NodeId;
use crate::group::{Description, Group, GroupError, Life};
use crate::observe::gateway::CLOCKS;

/// Longest call. What a leader began at its last moment has ended when another may lead ([`fleet::lease`]).
const CALL: Duration = Duration::from_secs(3);

/// What acts reach.
#[derive(Debug)]
pub struct Hands<'a> {
    /// The shared table.
    pub store: &'a dyn Store,
    /// The machines.
    pub group: &'a dyn Group,
    /// Whose table.
    pub fleet: &'a str,
    /// By what right.
    pub lease: &'a Lease,
    /// Seconds since 1970.
    pub wall: i64,
}

/// What came of a round's acts.
#[derive(Debug, Default)]
pub struct Done {
    /// The state that was written.
    pub state: Option<FleetState>,
    /// Somebody else wrote the state in between.
    pub overtaken: bool,
    /// What desired was set to last.
    pub desired: Option<u32>,
    /// Instances that ended by our hand, and those of which some do: no failed boots.
    pub ended: Vec<NodeId>,
    /// Nodes whose line in the table is gone.
    pub forgotten: Vec<NodeId>,
    /// Instances that the group was told to replace.
    pub replaced: Vec<NodeId>,
    /// The group as it is after our calls, where it was asked.
    pub group: Option<Description>,
}

/// Why an act was not done, or not to its end.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("this process does not lead any more")]
    NotLeading,
    #[error("no answer in time")]
    Late,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Group(#[from] GroupError),
}

impl Hands<'_> {
    /// Does them in order. One that fails is left to the next round, which sees what there is; once the right to act
    /// has gone, so is the rest.
    pub async fn perform(&self, acts: &[Act], state: &FleetState) -> Done {
        let mut done = Done::default();
        for act in acts {
            let takes_away = matches!(act, Act::Drain(..) | Act::End(..) | Act::CallOff | Act::Withdraw(_));
            if takes_away && done.overtaken {
                continue;
            }
            match self.one(act, state, &mut done).await {
                Ok(true) => tracing::info!(fleet = self.fleet, "{act}"),
                Ok(false) => tracing::debug!(fleet = self.fleet, "no need to {act}"),
                Err(Fault::NotLeading) => {
                    tracing::warn!(fleet = self.fleet, "not leading any more: stopped before it would {act}");
                    break;
                }
                Err(error) => {
                    done.overtaken |= matches!(act, Act::Tell(_));
                    done.group = None;
                    tracing::warn!(fleet = self.fleet, %error, "could not {act}");
                }
            }
        }
        done
    }

    /// Whether anything had to be changed.
    async fn one(&self, act: &Act, state: &FleetState, done: &mut Done) -> Result<bool, Fault> {
        match act {
            Act::Tell(new) => self.tell(state, new, done).await,
            Act::TakeBack(node, order) | Act::Drain(node, order) => {
                let (node, store) = (node.to_string(), self.store);
                self.call(async { Ok(store.order(self.fleet, &node, order).await?) }).await
            }
            Act::Wake => self.wake(done).await,
            Act::Raise(to) => self.raise(*to, done).await,
            Act::End(node, why) => self.end(node, *why, state, done).await,
            Act::CallOff => self.call_off(done).await,
            Act::Withdraw(to) => self.withdraw(*to, done).await,
            Act::Replace(node) => {
                self.call(async { Ok(self.group.mark_unhealthy(node).await?) }).await?;
                done.replaced.push(node.clone());
                Ok(true)
            }
            Act::Forget(id) => {
                let node = id.to_string();
                self.call(async { Ok(self.store.forget(self.fleet, &node).await?) }).await?;
                done.forgotten.push(id.clone());
                Ok(true)
            }
        }
    }

    /// One call, with the right to make it, and for no longer than it lasts.
    async fn call<T>(&self, work: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
        if !self.lease.may_act() {
            return Err(Fault::NotLeading);
        }
        timeout(CALL, work).await.unwrap_or(Err(Fault::Late))
    }

    async fn tell(&self, old: &FleetState, new: &FleetState, done: &mut Done) -> Result<bool, Fault> {
        let change = self.call(async { Ok(self.store.change_state(self.fleet, old, new).await?) }).await?;
        match change {
            Change::Made(made) => done.state = Some(made),
            Change::Refused(_) => done.overtaken = true,
        }
        Ok(!done.overtaken)
    }

    /// The group as it is at this moment: no count is written over one that was not just read.
    async fn look(&self, done: &mut Done) -> Result<Description, Fault> {
        if done.group.is_none() {
            done.group = Some(self.call(async { Ok(self.group.describe().await?) }).await?);
        }
        Ok(done.group.clone().unwrap_or_default())
    }

    async fn set(&self, to: u32, done: &mut Done) -> Result<bool, Fault> {
        self.call(async { Ok(self.group.set_desired(to).await?) }).await?;
        done.desired = Some(to);
        if let Some(group) = &mut done.group {
            group.desired = to;
        }
        Ok(true)
    }

    async fn wake(&self, done: &mut Done) -> Result<bool, Fault> {
        let group = self.look(done).await?;
        if living(&group) > 0 {
            return Ok(false);
        }
        self.set(group.desired.max(1), done).await
    }

    async fn raise(&self, to: u32, done: &mut Done) -> Result<bool, Fault> {
        let group = self.look(done).await?;
        let to = to.min(group.max);
        if group.desired >= to { Ok(false) } else { self.set(to, done).await }
    }

    /// Desired falls to what lives: no instance is touched by it.
    async fn call_off(&self, done: &mut Done) -> Result<bool, Fault> {
        let group = self.look(done).await?;
        let to = living(&group).max(group.min);
        if group.desired <= to { Ok(false) } else { self.set(to, done).await }
    }

    /// Desired falls below what lives, but never below what is in service: those are protected, and the group can only
    /// end what is still on its way in.
    async fn withdraw(&self, to: u32, done: &mut Done) -> Result<bool, Fault> {
        let group = self.look(done).await?;
        let pending: Vec<_> = group.instances.iter().filter(|one| one.life == Life::Pending).collect();
        let to = to.max(living(&group) - pending.len() as u32).max(group.min);
        if group.desired <= to {
            return Ok(false);
        }
        done.ended.extend(pending.iter().map(|one| one.id.clone()));
        self.set(to, done).await
    }

    async fn end(&self, node: &NodeId, why: Why, state: &FleetState, done: &mut Done) -> Result<bool, Fault> {
        let group = self.look(done).await?;
        let lives = group.instances.iter().any(|one| one.id == *node && is_living(one.life));
        let kept = match why {
            _ if group.refreshing => true,
            Why::Drained => self.is_wanted(&group, state, done).await?,
            Why::NeverServed => self.serves(node).await?,
        };
        if !lives || kept {
            return Ok(false);
        }
        if group.desired.max(living(&group)) <= group.min {
            // The group refuses to have fewer. What drained stays; what never served it replaces.
            if why == Why::Drained {
                return Ok(false);
            }
            self.call(async { Ok(self.group.mark_unhealthy(node).await?) }).await?;
            done.replaced.push(node.clone());
            return Ok(true);
        }
        // Terminating lowers desired by one: below the living, the group would pick others to end.
        if group.desired < living(&group) {
            self.set(living(&group).min(group.max), done).await?;
        }
        match self.call(async { Ok(self.group.terminate(node).await?) }).await {
            Ok(()) | Err(Fault::Group(GroupError::Gone(_))) => {}
            Err(error) => return Err(error),
        }
        if let Some(group) = &mut done.group {
            group.instances.retain(|one| one.id != *node);
            group.desired = group.desired.saturating_sub(1);
            done.desired = Some(group.desired);
        }
        done.ended.push(node.clone());
        Ok(true)
    }

    /// Before the last instance goes: the fall has been told, and no front has written since that somebody waits.
    async fn is_wanted(&self, group: &Description, state: &FleetState, done: &Done) -> Result<bool, Fault> {
        let told = done.state.as_ref().unwrap_or(state);
        if living(group) > 1 {
            return Ok(false);
        }
        match told.phase {
            Phase::Awake => Ok(true),
            Phase::FallingAsleep => {
                let now = self.call(async { Ok(self.store.state(self.fleet).await?) }).await?;
                Ok(now.phase != Phase::FallingAsleep)
            }
            // A run that is over ends, whoever waits for the next one.
            Phase::Asleep | Phase::Waking | Phase::Broken => Ok(false),
        }
    }

    /// It may have come up at last while this round thought about it.
    async fn serves(&self, node: &NodeId) -> Result<bool, Fault> {
        let reports =
            self.call(async { Ok(self.store.reports(self.fleet, self.wall - CLOCKS).await?) }).await?;
        let name = node.to_string();
        let its = reports.iter().map(|record| &record.report).find(|report| report.node == name);
        Ok(its.is_some_and(|report| report.state == NodeState::Ready || report.busy + report.queued > 0))
    }
}

fn is_living(life: Life) -> bool {
    matches!(life, Life::Pending | Life::InService)
}

fn living(group: &Description) -> u32 {
    group.instances.iter().filter(|one| is_living(one.life)).count() as u32
}
