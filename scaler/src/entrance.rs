//! Whom the load balancer sends clients to: the nodes, or the front that holds requests while there are too few of them.
//!
//! [`Keeper`] is the rule, without a clock or a network; [`tend`] applies it once a tick. The load balancer does not
//! fail over between groups by itself: weight on an empty one is an outage
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html>).

#[cfg(feature = "aws")]
pub mod aws;
mod keeper;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use crate::Seconds;
use crate::decide::observation::NodeId;

pub use keeper::{ENOUGH, Keeper, STEADY};

/// How clients are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// To the nodes.
    pub nodes: u32,
    /// To the front.
    pub front: u32,
}

impl Weights {
    /// Everything to the nodes.
    pub const NODES: Self = Self { nodes: 1, front: 0 };
    /// Everything to the front: the safe state, and the one in the template.
    pub const FRONT: Self = Self { nodes: 0, front: 1 };
}

/// The entrance as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Nodes that pass the load balancer's health check. One that is on its way in or out is not among them.
    pub healthy: BTreeSet<NodeId>,
    /// The weights in force.
    pub weights: Weights,
}

/// Why the entrance could not be seen or set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntranceError {
    /// It is not what the configuration says: no such rule, or one that does not lead to both groups.
    #[error("the entrance is not as configured: {0}")]
    Misplaced(String),
    /// The load balancer refuses: not allowed, too many calls.
    #[error("the load balancer refuses: {0}")]
    Refused(String),
    /// It did not answer in time, or could not be reached: it may or may not have been done.
    #[error("the load balancer did not answer: {0}")]
    Unanswered(String),
}

/// A load balancer's rule. Each call returns within three seconds; the weights are absolute, so that setting them twice
/// is harmless.
#[async_trait]
pub trait Entrance: Send + Sync + fmt::Debug {
    /// Who is healthy, and where clients go.
    ///
    /// # Errors
    /// As in [`EntranceError`].
    async fn look(&self) -> Result<View, EntranceError>;

    /// Sends clients there.
    ///
    /// # Errors
    /// As in [`EntranceError`].
    async fn set(&self, weights: Weights) -> Result<(), EntranceError>;
}

/// One tick: looks, and sets the weights where they are not what they should be. `leaving` are the nodes that were told
/// to drain; `now` is of the caller's monotonic clock; `may_act` is asked right before the change.
///
/// # Errors
/// As in [`EntranceError`]. The next tick tries again.
pub async fn tend(
    entrance: &dyn Entrance,
    keeper: &mut Keeper,
    leaving: &BTreeSet<NodeId>,
    now: Seconds,
    may_act: impl Fn() -> bool + Send,
) -> Result<Option<Weights>, EntranceError> {
    let seen = entrance.look().await?;
    let Some(weights) = keeper.correction(&seen, leaving, now) else { return Ok(None) };
    if !may_act() {
        return Ok(None);
    }
    entrance.set(weights).await?;
    tracing::info!(weights.nodes, weights.front, healthy = seen.healthy.len(), "moved the entrance");
    Ok(Some(weights))
}
