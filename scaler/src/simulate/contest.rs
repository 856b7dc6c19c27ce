//! Who can be replayed, by name, and the replay itself.

use crate::decide::policy::Drive;

use super::baselines::{Backlog, Buildkite, Keda, Knative, RayServe, Tracking, Utilization};
use super::clairvoyant::clairvoyant;
use super::replay::{Controller, Replayed, replay};
use super::scaler::Scaler;
use super::setting::Setting;
use super::statistics::Summary;

/// A controller that can be named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Contestant {
    /// Ours.
    Les,
    /// Knows the future; no wait above 10 s.
    Clairvoyant,
    /// AWS target tracking, utilization 70 %.
    AwsUtilization,
    /// AWS target tracking, concurrency 70 % of the slots.
    AwsConcurrency,
    /// AWS backlog per instance with a step from zero.
    AwsBacklog,
    /// KEDA's SQS scaler, defaults.
    Keda,
    /// Knative's pod autoscaler.
    Knative,
    /// Ray Serve.
    RayServe,
    /// Like Buildkite's agent scaler, idle 600 s.
    Buildkite,
}

impl Contestant {
    /// All of them, ours first.
    pub const ALL: [Self; 9] = [
        Self::Les,
        Self::Clairvoyant,
        Self::AwsUtilization,
        Self::AwsConcurrency,
        Self::AwsBacklog,
        Self::Keda,
        Self::Knative,
        Self::RayServe,
        Self::Buildkite,
    ];

    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Les => "les",
            Self::Clairvoyant => "clairvoyant",
            Self::AwsUtilization => "aws-utilization",
            Self::AwsConcurrency => "aws-concurrency",
            Self::AwsBacklog => "aws-backlog",
            Self::Keda => "keda",
            Self::Knative => "knative",
            Self::RayServe => "ray-serve",
            Self::Buildkite => "buildkite",
        }
    }
}

/// How ours is set for a replay.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    /// `v`.
    pub value_of_waiting: f64,
    /// Who raises desired.
    pub drive: Drive,
    /// The throughput it believes at first, relative to the true one.
    pub belief: f64,
    /// Whether launches that nobody will need are withdrawn.
    pub withdraw: bool,
}

impl Default for Ours {
    fn default() -> Self {
        Self { value_of_waiting: 1.0, drive: Drive::Calls, belief: 1.0, withdraw: true }
    }
}

/// Replays one contestant.
pub fn run(
    who: Contestant,
    setting: &Setting,
    ours: Ours,
    progress: &mut dyn FnMut(f64),
) -> (Replayed, Summary) {
    let mut controller: Box<dyn Controller> = match who {
        Contestant::Les => {
            let mut policy = setting.policy(ours.value_of_waiting);
            policy.drive = ours.drive;
            policy.benchmark.throughput *= ours.belief;
            Box::new(Scaler::new(policy).withdrawing(ours.withdraw))
        }
        Contestant::Clairvoyant => {
            let done = clairvoyant(setting, 10.0, progress);
            let summary = Summary::of(&done, &setting.requests, setting.beginning.skip);
            return (done, summary);
        }
        Contestant::AwsUtilization => Box::new(Tracking::on(Utilization::Busy)),
        Contestant::AwsConcurrency => Box::new(Tracking::on(Utilization::Slots)),
        Contestant::AwsBacklog => Box::new(Backlog::new()),
        Contestant::Keda => Box::new(Keda::default()),
        Contestant::Knative => Box::new(Knative::default()),
        Contestant::RayServe => Box::new(RayServe::default()),
        Contestant::Buildkite => Box::new(Buildkite),
    };
    let done =
        replay(&setting.requests, setting.machines(), setting.beginning, controller.as_mut(), progress);
    let summary = Summary::of(&done, &setting.requests, setting.beginning.skip);
    (done, summary)
}
