//! The scaler's side of AWS, by the real SDK: on our own fake, which has behaviour, and on an emulator, which has another
//! author.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper of tests fails its test by panicking"
)]

mod hooks;
mod it_drives_a_group;
mod it_names_what_went_wrong;
mod it_keeps_the_entrance;
mod on_an_emulator;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::{Credentials, SharedCredentialsProvider};
use demo::aws::{FRONT_GROUP, FakeAws, NODE_GROUP, RULE, Setup};
use scaler::entrance::aws::{LoadBalancer, Parts};
use scaler::group::aws::AutoScaling;

/// Leads to `endpoint` with credentials that mean nothing.
pub fn shared(endpoint: &str) -> SdkConfig {
    let nobody = Credentials::builder()
        .access_key_id("nobody")
        .secret_access_key("none")
        .provider_name("test")
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(nobody))
        .endpoint_url(endpoint)
        .build()
}

/// The fake, with both adapters in front of it.
pub struct Bench {
    pub aws: FakeAws,
    pub group: AutoScaling,
    pub entrance: LoadBalancer,
}

impl Bench {
    pub async fn new(setup: Setup) -> Self {
        let aws = FakeAws::start(setup).await.unwrap();
        let shared = shared(&aws.url());
        let parts =
            Parts { rule: RULE.to_owned(), nodes: NODE_GROUP.to_owned(), front: FRONT_GROUP.to_owned() };
        Self { group: AutoScaling::new(&shared, "nodes"), entrance: LoadBalancer::new(&shared, parts), aws }
    }

    pub fn pass(&self, seconds: u64) {
        self.aws.advance(Duration::from_secs(seconds));
    }

    /// The id of the group's n-th instance.
    pub fn id(&self, at: usize) -> String {
        self.aws.instances()[at].id.clone()
    }

    /// How often this action was called.
    pub fn calls(&self, action: &str) -> usize {
        self.aws.calls().iter().filter(|call| call.action == action).count()
    }
}
