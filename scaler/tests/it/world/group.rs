//! The group as a scaler calls it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use scaler::decide::observation::NodeId;
use scaler::group::{Description, Group, GroupError};

use super::Fate;
use super::fate::{Side, Turn, never};
use super::sim::Sim;

/// One scaler's way to the group.
pub struct FakeGroup {
    pub sim: Arc<Mutex<Sim>>,
    pub fate: Arc<Fate>,
    pub name: String,
}

impl fmt::Debug for FakeGroup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FakeGroup of {}", self.name)
    }
}

impl FakeGroup {
    /// A call that changes something.
    async fn change(&self, what: impl Fn(&mut Sim) -> Result<(), GroupError>) -> Result<(), GroupError> {
        let turn = {
            let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
            self.fate.turn(&mut sim.random)
        };
        let done = |sim: &Mutex<Sim>| {
            let mut sim = sim.lock().unwrap_or_else(PoisonError::into_inner);
            sim.actor.clone_from(&self.name);
            what(&mut sim)
        };
        match turn {
            Turn::Done => done(&self.sim),
            Turn::Dies(Side::Before) => never().await,
            Turn::Dies(Side::After) => {
                let _ = done(&self.sim);
                never().await
            }
            Turn::Lost { done: made } => {
                if made {
                    let _ = done(&self.sim);
                }
                Err(GroupError::Unanswered("lost".to_owned()))
            }
        }
    }
}

#[async_trait]
impl Group for FakeGroup {
    async fn describe(&self) -> Result<Description, GroupError> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner).describe()
    }

    async fn set_desired(&self, desired: u32) -> Result<(), GroupError> {
        self.change(|sim| sim.set_desired(desired)).await
    }

    async fn terminate(&self, instance: &NodeId) -> Result<(), GroupError> {
        let id = instance.to_string();
        self.change(|sim| sim.terminate(&id)).await
    }

    async fn mark_unhealthy(&self, instance: &NodeId) -> Result<(), GroupError> {
        let id = instance.to_string();
        self.change(|sim| sim.mark_unhealthy(&id)).await
    }
}
