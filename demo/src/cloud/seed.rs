//! What the fake is to be: the values of a deployed group, its hooks and policies, its rule and target groups.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use crate::aws::{Hook, HookDefault, Setup, StepPolicy};

/// The seed, as the file has it. Times are in seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seed {
    group: String,
    min: u32,
    max: u32,
    protect: bool,
    launch_hook: Option<SeededHook>,
    terminate_hook: Option<SeededHook>,
    warm_pool: Option<u32>,
    policies: Vec<SeededPolicy>,
    rule: String,
    node_group: String,
    front_group: String,
    pub(super) health: Health,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeededHook {
    name: String,
    heartbeat: u64,
    default: SeededDefault,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum SeededDefault {
    Continue,
    Abandon,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeededPolicy {
    metric: String,
    steps: Vec<(f64, u32)>,
}

/// How a target is checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    pub(super) path: String,
    pub(super) interval: u64,
    pub(super) timeout: u64,
    pub(super) healthy: u32,
    pub(super) unhealthy: u32,
}

impl Seed {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading the seed {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("the seed {}", file.display()))
    }

    /// The fake's setup. What no template says is how long AWS takes: here a few seconds each, and a target is as
    /// healthy as its check says.
    pub(super) fn setup(&self) -> Setup {
        Setup {
            group: self.group.clone(),
            min: self.min,
            max: self.max,
            desired: self.min,
            protect: self.protect,
            launch_hook: self.launch_hook.as_ref().map(SeededHook::hook),
            terminate_hook: self.terminate_hook.as_ref().map(SeededHook::hook),
            launches_in: Duration::from_secs(4),
            warm_launches_in: Duration::from_secs(2),
            warm_pool: self.warm_pool,
            checked_in: Duration::ZERO,
            drains_in: Duration::from_secs(3),
            ends_in: Duration::from_secs(2),
            policies: self.policies.iter().map(SeededPolicy::policy).collect(),
            rule: self.rule.clone(),
            node_group: self.node_group.clone(),
            front_group: self.front_group.clone(),
            speed: 1.0,
            ..Setup::default()
        }
    }
}

impl SeededHook {
    fn hook(&self) -> Hook {
        let default = match self.default {
            SeededDefault::Continue => HookDefault::Continue,
            SeededDefault::Abandon => HookDefault::Abandon,
        };
        Hook { name: self.name.clone(), heartbeat: Duration::from_secs(self.heartbeat), default }
    }
}

impl SeededPolicy {
    fn policy(&self) -> StepPolicy {
        StepPolicy { metric: self.metric.clone(), steps: self.steps.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = r#"{
        "group": "main-nodes", "min": 0, "max": 4, "protect": true,
        "launch_hook": {"name": "ready", "heartbeat": 600, "default": "ABANDON"},
        "terminate_hook": {"name": "drain", "heartbeat": 60, "default": "CONTINUE"},
        "warm_pool": 1, "policies": [{"metric": "NodesShort", "steps": [[1, 1], [2, 2], [4, 4], [8, 8]]}],
        "rule": "arn:rule", "node_group": "arn:nodes", "front_group": "arn:fronts",
        "health": {"path": "/readyz", "interval": 5, "timeout": 4, "healthy": 2, "unhealthy": 3}
    }"#;

    #[test]
    fn a_seed_is_taken_whole() {
        let setup = serde_json::from_str::<Seed>(SEED).unwrap().setup();
        assert_eq!((setup.group.as_str(), setup.min, setup.max, setup.desired), ("main-nodes", 0, 4, 0));
        let hook = setup.launch_hook.unwrap();
        assert_eq!(
            (hook.name.as_str(), hook.heartbeat, hook.default),
            ("ready", Duration::from_secs(600), HookDefault::Abandon)
        );
        assert_eq!(setup.terminate_hook.unwrap().default, HookDefault::Continue);
        assert_eq!(setup.policies[0].steps, StepPolicy::on_nodes_short().steps);
        assert_eq!((setup.rule.as_str(), setup.warm_pool), ("arn:rule", Some(1)));
        assert_eq!((setup.node_group.as_str(), setup.front_group.as_str()), ("arn:nodes", "arn:fronts"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let mistyped = SEED.replace("\"protect\"", "\"protects\"");
        assert!(serde_json::from_str::<Seed>(&mistyped).unwrap_err().to_string().contains("protects"));
    }
}
