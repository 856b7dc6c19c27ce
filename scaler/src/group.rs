//! The few things we ever ask of a group of machines: who is there, how many there should be, and that one named
//! machine goes. AWS's Auto Scaling, processes on this machine, and a fake for tests answer to the same trait.

#[cfg(feature = "aws")]
pub mod aws;
pub mod local;

use std::fmt;

use async_trait::async_trait;

use crate::decide::observation::NodeId;

/// The group, as it describes itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The fewest instances it keeps.
    pub min: u32,
    /// The most it takes.
    pub max: u32,
    /// How many it tries to have.
    pub desired: u32,
    /// Its instances, those that start and those that go included; without the warm pool.
    pub instances: Vec<Instance>,
    /// Stopped instances ready in the warm pool; `None` without a pool.
    pub warm: Option<u32>,
    /// An instance refresh runs.
    pub refreshing: bool,
    /// The latest launch that was refused, if one was within the last minutes.
    pub refusal: Option<LaunchRefusal>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its name; its gateway reports under the same one.
    pub id: NodeId,
    /// Where it stands.
    pub life: Life,
    /// When it was launched, in seconds since 1970, where the group knows.
    pub launched_at: Option<i64>,
    /// What the group thinks of its health.
    pub healthy: bool,
    /// Scale-in by the group's own policies does not touch it.
    pub protected: bool,
}

/// Where an instance stands in its life, as far as we act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// On its way in: launched, or waiting in its launch hook. Billed.
    Pending,
    /// In the group. Whether it serves, its gateway says.
    InService,
    /// Out of the group for a while, by an operator's hand (standby, detaching).
    Aside,
    /// On its way out. Billed until it is gone.
    Terminating,
}

/// A launch that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRefusal {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Why, in the group's words (`InsufficientInstanceCapacity`, a quota, a broken template).
    pub why: String,
}

/// Why a call on the group did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// There is no such group or instance (any more).
    #[error("there is no {0}")]
    Gone(String),
    /// The group refuses for now: an activity is in progress, or too many calls. Trying again later may help.
    #[error("the group refuses for now: {0}")]
    Busy(String),
    /// The group refuses, and will again: out of bounds, not allowed.
    #[error("the group refuses: {0}")]
    Refused(String),
    /// It did not answer in time, or could not be reached: it may or may not have been done.
    #[error("the group did not answer: {0}")]
    Unanswered(String),
}

/// A group of machines. Every call is absolute or names its instance, so that doing it twice is harmless; each returns
/// within three seconds and is not tried again by itself.
#[async_trait]
pub trait Group: Send + Sync + fmt::Debug {
    /// Hears before each description whether the caller leads. A group that lives by itself does not care; one that its
    /// scalers keep is kept by the one that leads, or nobody who may change it could.
    async fn keep(&self, leads: bool) {
        let _ = leads;
    }

    /// Who is there.
    ///
    /// # Errors
    /// As in [`GroupError`].
    async fn describe(&self) -> Result<Description, GroupError>;

    /// Sets how many there should be, within its bounds.
    ///
    /// # Errors
    /// As in [`GroupError`].
    async fn set_desired(&self, desired: u32) -> Result<(), GroupError>;

    /// Ends this instance, protected or not, and lowers desired by one.
    ///
    /// # Errors
    /// As in [`GroupError`]; [`GroupError::Gone`] where it has ended already.
    async fn terminate(&self, instance: &NodeId) -> Result<(), GroupError>;

    /// Has the group replace this instance.
    ///
    /// # Errors
    /// As in [`GroupError`].
    async fn mark_unhealthy(&self, instance: &NodeId) -> Result<(), GroupError>;
}
