//! From a configuration to what a scaler is made of.

use std::sync::Arc;

use anyhow::Context;
use jiff::tz::TimeZone;
use scaler::Seconds;
use scaler::clock::Clock;
use scaler::config::Config;
use scaler::config::settings::{self, GroupKind};
use scaler::group::Group;
use scaler::group::local::{LocalGroup, Settings};
use scaler::round::Parts;

/// How often AWS is asked who is there: descriptions are a few calls each, and older than 30 s they are not used.
const DESCRIBE_EVERY: Seconds = 10.0;

/// What is to be done with the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Its nodes are kept by this process.
    Keep,
    /// It is only looked at.
    Look,
}

/// The machines, and where they are processes of ours, that too.
pub struct Machines {
    /// The group.
    pub group: Arc<dyn Group>,
    /// The same where it is a local one.
    pub local: Option<Arc<LocalGroup>>,
}

/// The schedule's time zone.
pub fn zone(config: &Config) -> anyhow::Result<TimeZone> {
    TimeZone::get(&config.schedule.timezone).context("schedule.timezone")
}

/// Opens the group. Makes no call.
pub async fn machines(config: &Config, to: Use) -> anyhow::Result<Machines> {
    match config.group.kind {
        GroupKind::Local => local(&config.group, to),
        GroupKind::Aws => remote(config).await,
    }
}

fn local(group: &settings::Group, to: Use) -> anyhow::Result<Machines> {
    let local = group.local.clone().context("group.local is missing")?;
    let settings = Settings { name: group.name.clone(), min: group.min, max: group.max, local };
    let open = if to == Use::Keep { LocalGroup::open } else { LocalGroup::watch };
    let local = Arc::new(open(settings)?);
    Ok(Machines { group: local.clone(), local: Some(local) })
}

#[cfg(feature = "aws")]
async fn remote(config: &Config) -> anyhow::Result<Machines> {
    let shared = fleet::aws::here().await;
    let group = scaler::group::aws::AutoScaling::new(&shared, &config.group.name);
    Ok(Machines { group: Arc::new(group), local: None })
}

#[cfg(not(feature = "aws"))]
async fn remote(_: &Config) -> anyhow::Result<Machines> {
    anyhow::bail!("this build has no AWS; build the scaler with `--features aws`")
}

/// Everything a scaler is made of.
pub async fn parts(config: &Config, machines: &Machines) -> anyhow::Result<Parts> {
    let mut parts = Parts {
        fleet: config.fleet.name.clone(),
        policy: config.policy(),
        zone: zone(config)?,
        store: config.store.open().await.context("[store]")?,
        group: machines.group.clone(),
        describe_every: if machines.local.is_some() { 0.0 } else { DESCRIBE_EVERY },
        publish: None,
        entrance: None,
        clock: Clock::system(),
    };
    connect(config, &mut parts).await;
    Ok(parts)
}

/// Metrics and entrance.
#[cfg(feature = "aws")]
async fn connect(config: &Config, parts: &mut Parts) {
    use fleet::publish::CloudWatch;
    use scaler::entrance::aws::{LoadBalancer, Parts as Arns};

    if !config.metrics.on && config.entrance.is_none() {
        return; // nobody is asked for credentials that are not needed: without AWS that takes seconds
    }
    let shared = fleet::aws::here().await;
    if config.metrics.on {
        let publish = CloudWatch::new(&shared, &config.metrics.namespace, &config.fleet.name);
        parts.publish = Some(Arc::new(publish));
    }
    if let Some(entrance) = &config.entrance {
        let arns = Arns {
            rule: entrance.rule.clone(),
            nodes: entrance.gpu_target_group.clone(),
            front: entrance.front_target_group.clone(),
        };
        parts.entrance = Some(Arc::new(LoadBalancer::new(&shared, arns)));
    }
}

#[cfg(not(feature = "aws"))]
async fn connect(_: &Config, _: &mut Parts) {}
