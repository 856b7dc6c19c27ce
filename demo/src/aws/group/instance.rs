//! One instance: its stage, its hook's clock, its target.

use std::time::Duration;

use crate::aws::balancer::Health;
use crate::aws::setup::Hook;

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Launched.
    Pending,
    /// Held by the launch hook.
    PendingWait,
    /// Let go by it.
    PendingProceed,
    /// A member.
    InService,
    /// On its way out: its target drains.
    Terminating,
    /// Held by the terminate hook.
    TerminatingWait,
    /// Let go by it.
    TerminatingProceed,
    /// No more.
    Gone,
}

impl Stage {
    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::PendingWait => "Pending:Wait",
            Self::PendingProceed => "Pending:Proceed",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
            Self::Gone => "Terminated",
        }
    }

    pub(in crate::aws) fn is_coming(self) -> bool {
        matches!(self, Self::Pending | Self::PendingWait | Self::PendingProceed)
    }

    pub(in crate::aws) fn is_ending(self) -> bool {
        !self.is_coming() && self != Self::InService
    }
}

/// An instance as the fake's owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInstance {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub stage: Stage,
    /// Protected from scale-in.
    pub protected: bool,
    /// What the group thinks of its health.
    pub healthy: bool,
    /// What the load balancer thinks of it; `None` while it is not registered.
    pub target: Option<Health>,
}

pub(in crate::aws) struct Instance {
    pub(in crate::aws) id: String,
    pub(in crate::aws) stage: Stage,
    pub(in crate::aws) protected: bool,
    pub(in crate::aws) healthy: bool,
    /// Passes the load balancer's check.
    pub(in crate::aws) serving: bool,
    /// Registered with the target group.
    pub(in crate::aws) target: bool,
    /// When the stage is over by itself.
    pub(super) until: Duration,
    /// No heartbeat reaches beyond.
    hook_ends: Duration,
    since: Duration,
    pub(in crate::aws) interrupted_at: Option<Duration>,
}

/// Heartbeats keep an instance waiting for so many timeouts, and never longer than two days.
const HEARTBEATS: u32 = 100;
const LONGEST_HOOK: Duration = Duration::from_secs(48 * 3600);

impl Instance {
    pub(super) fn new(id: String, now: Duration, takes: Duration) -> Self {
        Self {
            id,
            stage: Stage::Pending,
            protected: false,
            healthy: true,
            serving: true,
            target: false,
            until: now + takes,
            hook_ends: Duration::ZERO,
            since: now,
            interrupted_at: None,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage, until: Duration) {
        (self.stage, self.until) = (stage, until);
    }

    pub(super) fn wait(&mut self, stage: Stage, hook: Option<&Hook>, now: Duration) {
        let heartbeat = hook.map_or(Duration::ZERO, |hook| hook.heartbeat);
        self.enter(stage, now + heartbeat);
        self.hook_ends = now + (heartbeat * HEARTBEATS).min(LONGEST_HOOK);
    }

    /// In service: registered with the load balancer only now, protected only now.
    pub(super) fn arrive(&mut self, protect: bool, now: Duration) {
        self.enter(Stage::InService, Duration::MAX);
        (self.protected, self.target, self.since) = (protect, true, now);
    }

    pub(in crate::aws) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::PendingWait | Stage::TerminatingWait)
    }

    /// The hook lets it go.
    pub(in crate::aws) fn go_on(&mut self, now: Duration) {
        match self.stage {
            Stage::PendingWait => self.enter(Stage::PendingProceed, now),
            Stage::TerminatingWait => self.until = now,
            _ => {}
        }
    }

    /// The hook waits on.
    pub(in crate::aws) fn heartbeat(&mut self, heartbeat: Duration, now: Duration) {
        self.until = (now + heartbeat).min(self.hook_ends);
    }

    pub(super) fn seen(&self, checked_in: Duration, now: Duration) -> GroupInstance {
        let health = match self.stage {
            Stage::Terminating => Health::Draining,
            _ if now < self.since + checked_in => Health::Initial,
            _ if self.serving => Health::Healthy,
            _ => Health::Unhealthy,
        };
        GroupInstance {
            id: self.id.clone(),
            stage: self.stage,
            protected: self.protected,
            healthy: self.healthy,
            target: self.target.then_some(health),
        }
    }
}
