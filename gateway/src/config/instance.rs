//! `[instance]` and `[metrics]`: what the gateway has to do with the machine it runs on, and with whoever watches the fleet.

use std::time::Duration;

use fleet::config::seconds;
use serde::Deserialize;

/// `[instance]`: the machine, where it belongs to a group that launches and ends it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// `none` or `ec2`. Default `none`. With `ec2`, a `fleet.node` that is not set becomes the instance's id.
    pub kind: InstanceKind,
    /// ec2: the Auto Scaling group.
    pub group: String,
    /// ec2: the hook that holds a launched instance until it serves. Default none: it is in service at once.
    pub launch_hook: Option<String>,
    /// ec2: the hook that holds an instance that goes until its streams have ended. Default none.
    pub terminate_hook: Option<String>,
    /// How long a launched node may take until it is ready; then it is given up, and the group launches another.
    /// Default 900 s.
    #[serde(deserialize_with = "seconds")]
    pub boot_seconds: Duration,
    /// How long the local Ollama may be gone, after it was ready once, until the node is reported unhealthy and
    /// replaced. Default 300 s: a restart takes seconds, a crash loop does not end by itself.
    #[serde(deserialize_with = "seconds")]
    pub sick_seconds: Duration,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            kind: InstanceKind::None,
            group: String::new(),
            launch_hook: None,
            terminate_hook: None,
            boot_seconds: Duration::from_secs(900),
            sick_seconds: Duration::from_secs(300),
        }
    }
}

/// What kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceKind {
    /// Nobody launches or ends it but by signals.
    None,
    /// An instance of an Auto Scaling group of AWS.
    Ec2,
}

impl InstanceKind {
    /// Does this build know it?
    pub fn is_built_in(self) -> bool {
        self == Self::None || cfg!(feature = "aws")
    }
}

/// `[metrics]`: what is published while no scaler does.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Whether `QueueDepth` goes to CloudWatch while no scaler publishes it. Default false.
    pub on: bool,
    /// The namespace: the scaler's. Default `OllamaFleet`.
    pub namespace: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { on: false, namespace: "OllamaFleet".to_owned() }
    }
}

/// Every broken rule of the two sections.
pub(super) fn mistakes(instance: &Instance, metrics: &Metrics) -> Vec<String> {
    let advice = "this build has no AWS; build the gateway with `--features aws`";
    let hooks = [("launch_hook", &instance.launch_hook), ("terminate_hook", &instance.terminate_hook)];
    let mut found = Vec::new();
    if !instance.kind.is_built_in() {
        found.push(format!("instance.kind: {advice}"));
    }
    if metrics.on && !cfg!(feature = "aws") {
        found.push(format!("metrics.on: {advice}"));
    }
    if metrics.namespace.is_empty() || metrics.namespace.starts_with("AWS/") {
        found.push(format!("metrics.namespace: `{}` is empty or one of AWS's own", metrics.namespace));
    }
    if instance.kind == InstanceKind::Ec2 && instance.group.is_empty() {
        found.push("instance.group: empty; name the Auto Scaling group of this instance".to_owned());
    }
    found.extend(hooks.iter().filter(|(_, hook)| hook.as_deref() == Some("")).map(|(key, _)| {
        format!("instance.{key}: empty; name the hook, or leave the key out where there is none")
    }));
    for (key, time) in [("boot_seconds", instance.boot_seconds), ("sick_seconds", instance.sick_seconds)] {
        if time.is_zero() {
            found.push(format!("instance.{key}: 0 s gives every node up at once"));
        }
    }
    found
}
