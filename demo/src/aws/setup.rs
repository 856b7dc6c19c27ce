//! What the fake is to be: the group's bounds and hooks, and how long each step takes.

use std::time::Duration;

use super::balancer::{FRONT_GROUP, NODE_GROUP, RULE};

/// How to set it up. Times are spans of the fake's clock.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The group's name.
    pub group: String,
    /// The fewest instances.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// How many at first.
    pub desired: u32,
    /// New instances are protected from scale-in once they are in service.
    pub protect: bool,
    /// Holds an instance in `Pending:Wait`.
    pub launch_hook: Option<Hook>,
    /// Holds an instance in `Terminating:Wait`.
    pub terminate_hook: Option<Hook>,
    /// From the launch to the launch hook, or into service without one.
    pub launches_in: Duration,
    /// The same out of the warm pool.
    pub warm_launches_in: Duration,
    /// Stopped instances that the warm pool keeps; `None` without a pool.
    pub warm_pool: Option<u32>,
    /// How long a warm instance takes to be made.
    pub warms_in: Duration,
    /// From registration to the first health check passed.
    pub checked_in: Duration,
    /// How long a target drains.
    pub drains_in: Duration,
    /// From the end of the terminate hook to the instance's end.
    pub ends_in: Duration,
    /// Between a refused launch and the group's next try.
    pub retries_in: Duration,
    /// What alarms do.
    pub policies: Vec<StepPolicy>,
    /// The ARN of the rule that carries the weights.
    pub rule: String,
    /// The ARN of the nodes' target group.
    pub node_group: String,
    /// The ARN of the front's target group.
    pub front_group: String,
    /// Seconds of the fake that pass in one of ours; 0: only [`super::FakeAws::advance`] moves its clock.
    pub speed: f64,
}

impl Default for Setup {
    /// An empty group of up to four protected instances without hooks, and a clock that stands.
    fn default() -> Self {
        Self {
            group: "nodes".to_owned(),
            min: 0,
            max: 4,
            desired: 0,
            protect: true,
            launch_hook: None,
            terminate_hook: None,
            launches_in: Duration::from_secs(30),
            warm_launches_in: Duration::from_secs(10),
            warm_pool: None,
            warms_in: Duration::from_secs(60),
            checked_in: Duration::from_secs(10),
            drains_in: Duration::from_secs(5),
            ends_in: Duration::from_secs(5),
            retries_in: Duration::from_secs(30),
            policies: Vec::new(),
            rule: RULE.to_owned(),
            node_group: NODE_GROUP.to_owned(),
            front_group: FRONT_GROUP.to_owned(),
            speed: 0.0,
        }
    }
}

/// A lifecycle hook.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// How long it waits for a heartbeat.
    pub heartbeat: Duration,
    /// What happens when none comes.
    pub default: HookDefault,
}

/// What a hook does when nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookDefault {
    /// Goes on.
    Continue,
    /// Gives the instance up.
    Abandon,
}

/// A step policy with its alarm: one period of ten seconds, missing data not breaching, repeated while in alarm.
#[derive(Debug, Clone)]
pub struct StepPolicy {
    /// The metric, by its largest value in the period.
    pub metric: String,
    /// From this value on, so many instances more; rising. The first value is the alarm's threshold.
    pub steps: Vec<(f64, u32)>,
}

impl StepPolicy {
    /// The fleet's own: adds what is short, in steps.
    #[must_use]
    pub fn on_nodes_short() -> Self {
        Self { metric: "NodesShort".to_owned(), steps: vec![(1.0, 1), (2.0, 2), (4.0, 4), (8.0, 8)] }
    }
}
