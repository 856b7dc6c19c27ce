//! The load balancer: one rule that shares clients out between the nodes' target group and the front's.

use super::setup::Setup;

/// The rule's ARN, where the setup names no other.
pub const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/fake/1/2/3";

/// The ARN of the nodes' target group, where the setup names no other.
pub const NODE_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/nodes/1";

/// The same of the front's target group. Its one target is always healthy.
pub const FRONT_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/front/2";

/// What the load balancer thinks of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Registered, not yet checked.
    Initial,
    /// Passes its check.
    Healthy,
    /// Fails its check.
    Unhealthy,
    /// On its way out; gets no new requests.
    Draining,
}

impl Health {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
        }
    }
}

/// Whom clients reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Some reach the front.
    pub front: bool,
    /// Some reach one of these nodes.
    pub nodes: Vec<String>,
    /// Some reach nobody: the load balancer's own 503.
    pub nobody: bool,
}

pub(super) struct Balancer {
    pub(super) rule: String,
    pub(super) node_group: String,
    pub(super) front_group: String,
    /// Each group of the rule's forward action with its weight.
    pub(super) groups: Vec<(String, u32)>,
    pub(super) sticky_seconds: Option<u32>,
}

impl Balancer {
    /// The template's safe weights: everything to the front.
    pub(super) fn new(setup: &Setup) -> Self {
        let (node_group, front_group) = (setup.node_group.clone(), setup.front_group.clone());
        let groups = vec![(node_group.clone(), 0), (front_group.clone(), 1)];
        Self { rule: setup.rule.clone(), node_group, front_group, groups, sticky_seconds: Some(60) }
    }

    fn weight(&self, arn: &str) -> u32 {
        self.groups.iter().find(|(group, _)| group == arn).map_or(0, |(_, weight)| *weight)
    }

    pub(super) fn weights(&self) -> (u32, u32) {
        (self.weight(&self.node_group), self.weight(&self.front_group))
    }

    pub(super) fn set_weights(&mut self, nodes: u32, front: u32) {
        self.groups = vec![(self.node_group.clone(), nodes), (self.front_group.clone(), front)];
    }

    /// Weights decide, health does not. Where no target of a group is healthy, all that are registered get requests.
    pub(super) fn reach(&self, targets: &[(String, Health)]) -> Reach {
        let (nodes, front) = self.weights();
        let mut reach = Reach { front: front > 0, nobody: nodes + front == 0, ..Reach::default() };
        if nodes > 0 {
            let of = |wanted: fn(Health) -> bool| {
                let those = targets.iter().filter(|(_, health)| wanted(*health));
                those.map(|(id, _)| id.clone()).collect::<Vec<_>>()
            };
            reach.nodes = of(|health| health == Health::Healthy);
            if reach.nodes.is_empty() {
                reach.nodes = of(|health| health != Health::Draining);
            }
            reach.nobody |= reach.nodes.is_empty();
        }
        reach
    }
}
