//! The group in AWS: one Auto Scaling group, by its name.
//!
//! It never asks for a cooldown to be honoured, never retries a call that changes something, and ends an instance only
//! by name and with the decrement, since protection from scale-in is never removed.

mod activities;
mod life;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::config::{Builder, Config};
use aws_sdk_autoscaling::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_autoscaling::types::{
    Activity, AutoScalingGroup, InstanceRefresh, InstanceRefreshStatus as Refresh, LifecycleState,
};
use fleet::aws::{CALL, Fault, once, twice};
use futures_util::future::try_join3;

use super::{Description, Group, GroupError, Instance};
use crate::decide::observation::NodeId;

/// Activities looked at for refusals and launch times, newest first; as many as one answer holds. A launch, a failure or
/// an end is one, so that they reach back at least through the fifty latest changes.
const ACTIVITIES: i32 = 100;

/// One that runs is the newest; a few more cost nothing.
const REFRESHES: i32 = 5;

/// An Auto Scaling group.
pub struct AutoScaling {
    client: Client,
    name: String,
    /// When each living instance was launched: the activity that tells it falls out of the list one day.
    launched: Mutex<HashMap<NodeId, i64>>,
}

impl fmt::Debug for AutoScaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoScaling").field("name", &self.name).finish_non_exhaustive()
    }
}

impl AutoScaling {
    /// The group of this name where `shared` leads ([`fleet::aws::here`]). Makes no call.
    pub fn new(shared: &SdkConfig, name: &str) -> Self {
        let (retries, timeouts) = twice();
        let config = Builder::from(shared).retry_config(retries).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), name: name.to_owned(), launched: Mutex::default() }
    }

    async fn look(&self) -> Result<Description, GroupError> {
        let (group, activities, refreshes) =
            try_join3(self.group(), self.activities(), self.refreshes()).await?;
        let warm = match group.warm_pool_configuration() {
            Some(_) => Some(self.warm().await?),
            None => None,
        };
        let instances = group.instances().iter().filter_map(living).collect();
        Ok(Description {
            min: count(group.min_size()),
            max: count(group.max_size()),
            desired: count(group.desired_capacity()),
            instances: self.dated(instances, &activities),
            warm,
            refreshing: refreshes.iter().any(runs),
            refusal: activities::refusal(&activities, now()),
        })
    }

    async fn group(&self) -> Result<AutoScalingGroup, GroupError> {
        let answer =
            self.client.describe_auto_scaling_groups().auto_scaling_group_names(&self.name).send().await;
        let found = answer.map_err(fault)?.auto_scaling_groups.unwrap_or_default().into_iter().next();
        found.ok_or_else(|| GroupError::Gone(format!("Auto Scaling group `{}`", self.name)))
    }

    async fn activities(&self) -> Result<Vec<Activity>, GroupError> {
        let ask = self.client.describe_scaling_activities().auto_scaling_group_name(&self.name);
        Ok(ask.max_records(ACTIVITIES).send().await.map_err(fault)?.activities.unwrap_or_default())
    }

    async fn refreshes(&self) -> Result<Vec<InstanceRefresh>, GroupError> {
        let ask = self.client.describe_instance_refreshes().auto_scaling_group_name(&self.name);
        Ok(ask.max_records(REFRESHES).send().await.map_err(fault)?.instance_refreshes.unwrap_or_default())
    }

    /// Instances of the warm pool that could start now.
    async fn warm(&self) -> Result<u32, GroupError> {
        let ask = self.client.describe_warm_pool().auto_scaling_group_name(&self.name);
        let mut ready = 0;
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(fault)?;
            ready += page
                .instances()
                .iter()
                .filter(|one| one.lifecycle_state().is_some_and(life::is_warm))
                .count();
        }
        Ok(ready.try_into().unwrap_or(u32::MAX))
    }

    /// Adds to the instances when they were launched, as far as it was ever told, and forgets those that are gone.
    fn dated(&self, mut instances: Vec<Instance>, activities: &[Activity]) -> Vec<Instance> {
        let mut launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        // Newest last: an instance that came back from the warm pool is as old as its last launch.
        launched.extend(activities.iter().rev().filter_map(activities::launch));
        launched.retain(|id, _| instances.iter().any(|instance| instance.id == *id));
        for instance in &mut instances {
            instance.launched_at = launched.get(&instance.id).copied();
        }
        instances
    }
}

#[async_trait]
impl Group for AutoScaling {
    async fn describe(&self) -> Result<Description, GroupError> {
        in_time(Box::pin(self.look())).await
    }

    async fn set_desired(&self, desired: u32) -> Result<(), GroupError> {
        let capacity = i32::try_from(desired).unwrap_or(i32::MAX);
        let call = self.client.set_desired_capacity().auto_scaling_group_name(&self.name);
        let call = call.desired_capacity(capacity).honor_cooldown(false);
        in_time(async { call.customize().config_override(untried()).send().await.map_err(fault).map(drop) })
            .await
    }

    async fn terminate(&self, instance: &NodeId) -> Result<(), GroupError> {
        let call = self.client.terminate_instance_in_auto_scaling_group().instance_id(instance.to_string());
        let call = call.should_decrement_desired_capacity(true);
        in_time(async { call.customize().config_override(untried()).send().await.map_err(fault).map(drop) })
            .await
    }

    async fn mark_unhealthy(&self, instance: &NodeId) -> Result<(), GroupError> {
        let call = self.client.set_instance_health().instance_id(instance.to_string());
        let call = call.health_status("Unhealthy").should_respect_grace_period(false);
        in_time(async { call.customize().config_override(untried()).send().await.map_err(fault).map(drop) })
            .await
    }
}

/// What to change of the configuration for a call that changes something.
fn untried() -> Builder {
    let (retries, timeouts) = once();
    Config::builder().retry_config(retries).timeout_config(timeouts)
}

/// The SDK's own clock covers one call, not the credentials and pages before and after it.
async fn in_time<T>(work: impl Future<Output = Result<T, GroupError>> + Send) -> Result<T, GroupError> {
    let late = |_| Err(GroupError::Unanswered("no answer in time".to_owned()));
    tokio::time::timeout(CALL, work).await.unwrap_or_else(late)
}

/// The instance as we know it; `None` for one that is gone, or asleep in the warm pool.
fn living(seen: &aws_sdk_autoscaling::types::Instance) -> Option<Instance> {
    Some(Instance {
        id: NodeId::new(seen.instance_id()?),
        life: life::of(seen.lifecycle_state().unwrap_or(&LifecycleState::InService))?,
        launched_at: None,
        healthy: seen.health_status().is_none_or(|status| status.eq_ignore_ascii_case("healthy")),
        protected: seen.protected_from_scale_in().unwrap_or(false),
    })
}

/// It replaces instances, or may yet take that back.
fn runs(refresh: &InstanceRefresh) -> bool {
    let status = refresh.status();
    let running = [
        Refresh::Pending,
        Refresh::InProgress,
        Refresh::Cancelling,
        Refresh::RollbackInProgress,
        Refresh::Baking,
    ];
    status.is_some_and(|status| running.contains(status))
}

fn count(number: Option<i32>) -> u32 {
    number.and_then(|number| number.try_into().ok()).unwrap_or(0)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}

/// Codes that pass by themselves: an activity in progress, too many calls, a name being changed elsewhere.
const PASSING: [&str; 6] = [
    "ScalingActivityInProgress",
    "ResourceContention",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InstanceRefreshInProgress",
];

fn fault<E: ProvideErrorMetadata + std::error::Error>(error: SdkError<E>) -> GroupError {
    sorted(Fault::of(&error))
}

fn sorted(fault: Fault) -> GroupError {
    let words = fault.to_string();
    match fault {
        Fault::Unanswered(_) => GroupError::Unanswered(words),
        // Both codes end in `Fault` in the model and come without it on the wire.
        Fault::Refused { code, .. } if PASSING.contains(&code.trim_end_matches("Fault")) => {
            GroupError::Busy(words)
        }
        // One code serves for everything wrong with a request; only its words tell what is not there.
        Fault::Refused { code, message } if code == "ValidationError" && message.contains("not found") => {
            GroupError::Gone(message)
        }
        Fault::Refused { .. } => GroupError::Refused(words),
    }
}

#[cfg(test)]
mod tests;
