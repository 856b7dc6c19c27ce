//! The entrance in AWS: one rule of an Application Load Balancer's listener, with a weight for each of two target groups.

use std::fmt;
use std::future::Future;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::{Builder, Config};
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticloadbalancingv2::types::{Action, TargetGroupTuple, TargetHealthStateEnum};
use fleet::aws::{CALL, Fault, once, twice};
use futures_util::future::try_join;

use super::{Entrance, EntranceError, View, Weights};
use crate::decide::observation::NodeId;

/// What the entrance is made of, by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The rule whose action forwards to both groups.
    pub rule: String,
    /// The target group of the nodes; its targets are instances.
    pub nodes: String,
    /// The target group of the front.
    pub front: String,
}

/// A rule of a listener.
pub struct LoadBalancer {
    client: Client,
    parts: Parts,
}

impl fmt::Debug for LoadBalancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadBalancer").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl LoadBalancer {
    /// The rule where `shared` leads ([`fleet::aws::here`]). Makes no call.
    pub fn new(shared: &SdkConfig, parts: Parts) -> Self {
        let (retries, timeouts) = twice();
        let config = Builder::from(shared).retry_config(retries).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), parts }
    }

    async fn healthy(&self) -> Result<Vec<NodeId>, EntranceError> {
        let answer = self.client.describe_target_health().target_group_arn(&self.parts.nodes).send().await;
        let targets = answer.map_err(fault)?.target_health_descriptions.unwrap_or_default();
        let healthy = targets.iter().filter(|target| {
            let state = target.target_health().and_then(|health| health.state());
            state == Some(&TargetHealthStateEnum::Healthy)
        });
        Ok(healthy.filter_map(|target| target.target()?.id()).map(NodeId::new).collect())
    }

    /// The rule's actions, all of them: a change replaces the whole list.
    async fn actions(&self) -> Result<Vec<Action>, EntranceError> {
        let answer = self.client.describe_rules().rule_arns(&self.parts.rule).send().await;
        let rule = answer.map_err(fault)?.rules.unwrap_or_default().into_iter().next();
        let rule =
            rule.ok_or_else(|| EntranceError::Misplaced(format!("there is no rule {}", self.parts.rule)))?;
        Ok(rule.actions.unwrap_or_default())
    }

    async fn change(&self, weights: Weights) -> Result<(), EntranceError> {
        let mut actions = self.actions().await?;
        self.read(&actions)?;
        for group in actions.iter_mut().flat_map(groups_mut) {
            match group.target_group_arn.as_deref() {
                Some(arn) if arn == self.parts.nodes => group.weight = Some(weight(weights.nodes)),
                Some(arn) if arn == self.parts.front => group.weight = Some(weight(weights.front)),
                _ => {}
            }
        }
        let (retries, timeouts) = once();
        let once = Config::builder().retry_config(retries).timeout_config(timeouts);
        let call = self.client.modify_rule().rule_arn(&self.parts.rule).set_actions(Some(actions));
        call.customize().config_override(once).send().await.map_err(fault).map(drop)
    }

    fn read(&self, actions: &[Action]) -> Result<Weights, EntranceError> {
        let weight = |arn: &str| {
            let group = actions.iter().flat_map(groups).find(|group| group.target_group_arn() == Some(arn));
            let group = group.ok_or_else(|| {
                EntranceError::Misplaced(format!("rule {} does not forward to {arn}", self.parts.rule))
            })?;
            // Without a number it is 1, AWS's default.
            Ok(group.weight().map_or(1, |weight| weight.try_into().unwrap_or(0)))
        };
        Ok(Weights { nodes: weight(&self.parts.nodes)?, front: weight(&self.parts.front)? })
    }
}

#[async_trait]
impl Entrance for LoadBalancer {
    async fn look(&self) -> Result<View, EntranceError> {
        let (healthy, actions) =
            in_time(try_join(Box::pin(self.healthy()), Box::pin(self.actions()))).await?;
        Ok(View { healthy: healthy.into_iter().collect(), weights: self.read(&actions)? })
    }

    async fn set(&self, weights: Weights) -> Result<(), EntranceError> {
        in_time(self.change(weights)).await
    }
}

/// The groups of a forward action. A single group may come without this list: then the rule is not ours.
fn groups(action: &Action) -> &[TargetGroupTuple] {
    action.forward_config().map_or(&[], |forward| forward.target_groups())
}

fn groups_mut(action: &mut Action) -> &mut [TargetGroupTuple] {
    action
        .forward_config
        .as_mut()
        .and_then(|forward| forward.target_groups.as_deref_mut())
        .unwrap_or_default()
}

/// AWS's weights end at 999.
fn weight(weight: u32) -> i32 {
    weight.min(999) as i32
}

async fn in_time<T>(work: impl Future<Output = Result<T, EntranceError>> + Send) -> Result<T, EntranceError> {
    let late = |_| Err(EntranceError::Unanswered("no answer in time".to_owned()));
    tokio::time::timeout(CALL, work).await.unwrap_or_else(late)
}

fn fault<E: ProvideErrorMetadata + std::error::Error>(error: SdkError<E>) -> EntranceError {
    let fault = Fault::of(&error);
    let words = fault.to_string();
    match fault {
        Fault::Unanswered(_) => EntranceError::Unanswered(words),
        Fault::Refused { code, .. } if code.ends_with("NotFound") => EntranceError::Misplaced(words),
        Fault::Refused { .. } => EntranceError::Refused(words),
    }
}
