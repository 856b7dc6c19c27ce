//! An instance of EC2 in an Auto Scaling group: what its metadata service tells, and the few calls it makes for itself.
//!
//! Metadata: version 2 with its session token, which the SDK's client keeps. 404 is the normal answer before there is
//! anything to tell (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>).

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::imds::client::Client as Metadata;
use aws_config::imds::client::error::ImdsError;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::config::Builder;
use fleet::aws::{Fault, once};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::{Act, Cloud, MachineError, Notices, Target};
use crate::config::instance::Instance;

/// The metadata service is on the machine: what takes longer is broken.
const METADATA_WITHIN: Duration = Duration::from_secs(1);
/// Of the whole of one question; a new session token is two.
const QUESTION_WITHIN: Duration = Duration::from_millis(2500);

/// This instance.
pub struct Ec2 {
    metadata: Metadata,
    client: Client,
    id: OnceCell<String>,
    group: String,
    launch_hook: String,
    terminate_hook: String,
}

impl Ec2 {
    /// The instance this process runs on. Makes no call.
    pub async fn here(settings: &Instance) -> Self {
        Self::with(settings, &fleet::aws::here().await, metadata())
    }

    /// The same, with a configuration and a metadata service of the caller's.
    pub fn with(settings: &Instance, shared: &SdkConfig, metadata: Metadata) -> Self {
        let (retries, timeouts) = once(); // who calls has a clock of its own
        let config = Builder::from(shared).retry_config(retries).timeout_config(timeouts).build();
        Self {
            metadata,
            client: Client::from_conf(config),
            id: OnceCell::new(),
            group: settings.group.clone(),
            launch_hook: settings.launch_hook.clone().unwrap_or_default(),
            terminate_hook: settings.terminate_hook.clone().unwrap_or_default(),
        }
    }

    async fn id(&self) -> Result<&str, MachineError> {
        let ask = async || {
            let id = about(&self.metadata, "instance-id").await?;
            id.ok_or_else(|| MachineError::Unanswered("the metadata has no instance id".to_owned()))
        };
        self.id.get_or_try_init(ask).await.map(String::as_str)
    }

    async fn complete(&self, hook: &str, result: &str) -> Result<(), MachineError> {
        let call = self.client.complete_lifecycle_action().auto_scaling_group_name(&self.group);
        let call =
            call.lifecycle_hook_name(hook).instance_id(self.id().await?).lifecycle_action_result(result);
        call.send().await.map(|_| ()).map_err(|error| told(Fault::of(&error)))
    }

    async fn heartbeat(&self, hook: &str) -> Result<(), MachineError> {
        let call = self.client.record_lifecycle_action_heartbeat().auto_scaling_group_name(&self.group);
        let call = call.lifecycle_hook_name(hook).instance_id(self.id().await?);
        call.send().await.map(|_| ()).map_err(|error| told(Fault::of(&error)))
    }

    async fn unhealthy(&self) -> Result<(), MachineError> {
        let call = self.client.set_instance_health().instance_id(self.id().await?);
        let call = call.health_status("Unhealthy").should_respect_grace_period(false);
        call.send().await.map(|_| ()).map_err(|error| told(Fault::of(&error)))
    }
}

#[async_trait]
impl Cloud for Ec2 {
    async fn notices(&self) -> Result<Notices, MachineError> {
        let target = about(&self.metadata, "autoscaling/target-lifecycle-state");
        let spot = about(&self.metadata, "spot/instance-action");
        let (target, spot) = tokio::join!(target, spot);
        Ok(Notices {
            target: target?.as_deref().map(target_of),
            taken_at: spot?.as_deref().and_then(taken_at),
        })
    }

    async fn act(&self, act: Act) -> Result<(), MachineError> {
        match act {
            Act::Launched => self.complete(&self.launch_hook, "CONTINUE").await,
            Act::Abandon => self.complete(&self.launch_hook, "ABANDON").await,
            Act::Booting => self.heartbeat(&self.launch_hook).await,
            Act::Draining => self.heartbeat(&self.terminate_hook).await,
            Act::Drained => self.complete(&self.terminate_hook, "CONTINUE").await,
            Act::Unhealthy => self.unhealthy().await,
            Act::Leave | Act::LeaveBy(_) => Ok(()), // the process's own business
        }
    }
}

/// The id of the instance this process runs on.
pub(super) async fn instance_id() -> anyhow::Result<String> {
    let id = about(&metadata(), "instance-id").await;
    let why = "instance.kind: ec2, and the metadata service does not tell the instance's id";
    id.context(why)?.context(why)
}

/// The machine's metadata service; its address can be set by `AWS_EC2_METADATA_SERVICE_ENDPOINT`, as for every SDK.
fn metadata() -> Metadata {
    timely(Metadata::builder()).build()
}

/// A question is not repeated: the next look is five seconds away.
pub(super) fn timely(builder: aws_config::imds::client::Builder) -> aws_config::imds::client::Builder {
    builder
        .max_attempts(1)
        .connect_timeout(METADATA_WITHIN)
        .read_timeout(METADATA_WITHIN)
        .operation_attempt_timeout(METADATA_WITHIN)
        .operation_timeout(QUESTION_WITHIN)
}

/// What the metadata says under this path; `None`: nothing.
async fn about(metadata: &Metadata, path: &str) -> Result<Option<String>, MachineError> {
    match metadata.get(format!("/latest/meta-data/{path}")).await {
        Ok(text) => Ok(Some(text.as_ref().trim().to_owned())),
        Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => Ok(None),
        Err(ImdsError::ErrorResponse(answer)) => {
            Err(MachineError::Unanswered(format!("{path}: status {}", answer.response().status().as_u16())))
        }
        Err(error) => Err(MachineError::Unanswered(format!("{path}: {error}"))),
    }
}

fn target_of(state: &str) -> Target {
    match state {
        "InService" => Target::InService,
        "Terminated" | "Warmed:Terminated" => Target::Terminated,
        _ if state.starts_with("Warmed:") => Target::Warmed,
        _ => Target::Other,
    }
}

/// When a Spot instance is taken back, whatever becomes of it then: `{"action":"terminate","time":"…"}`.
fn taken_at(notice: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Notice {
        time: String,
    }
    let time = serde_json::from_str::<Notice>(notice).ok().and_then(|notice| notice.time.parse().ok());
    if time.is_none() {
        tracing::warn!("the instance's Spot notice cannot be read");
    }
    time
}

fn told(fault: Fault) -> MachineError {
    match fault {
        Fault::Unanswered(why) => MachineError::Unanswered(why),
        // Throttled is not "no": the same may well be done next time.
        Fault::Refused { code, message } if code.starts_with("Throttling") => {
            MachineError::Unanswered(format!("{code}: {message}"))
        }
        refused @ Fault::Refused { .. } => MachineError::Refused(refused.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_words_are_understood() {
        for (state, expected) in [
            ("InService", Target::InService),
            ("Terminated", Target::Terminated),
            ("Warmed:Stopped", Target::Warmed),
            ("Warmed:Running", Target::Warmed),
            ("Warmed:Terminated", Target::Terminated),
            ("Standby", Target::Other),
        ] {
            assert_eq!(target_of(state), expected, "{state}");
        }
        let time = taken_at(r#"{"action":"stop","time":"2026-09-18T08:22:00Z"}"#).unwrap();
        assert_eq!(time.to_string(), "2026-09-18T08:22:00Z");
        assert_eq!(taken_at("soon"), None);
    }
}
