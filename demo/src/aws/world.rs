//! All the state there is, moved on a second at a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::alarms::Alarms;
use super::balancer::Balancer;
use super::group::Group;
use super::setup::Setup;
use super::wire::{Call, Failure};

/// Nothing in the fake is finer.
const STEP: Duration = Duration::from_secs(1);

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) began: Duration,
    pub(super) group: Group,
    pub(super) alarms: Alarms,
    pub(super) balancer: Balancer,
    /// At some moment the rule sent clients to a group without targets.
    pub(super) misled: bool,
    pub(super) script: Vec<(String, Failure)>,
    pub(super) calls: Vec<Call>,
}

impl World {
    pub(super) fn new(mut setup: Setup) -> Self {
        let alarms = Alarms::new(std::mem::take(&mut setup.policies));
        let balancer = Balancer::new(&setup);
        let mut group = Group::new(setup);
        group.step(Duration::ZERO);
        Self {
            now: Duration::ZERO,
            began: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            group,
            alarms,
            balancer,
            misled: false,
            script: Vec::new(),
            calls: Vec::new(),
        }
    }

    pub(super) fn run_to(&mut self, now: Duration) {
        while self.now + STEP <= now {
            self.now += STEP;
            let added = self.alarms.step(self.now);
            self.group.desired =
                self.group.desired.saturating_add(added).min(self.group.max.max(self.group.desired));
            self.group.step(self.now);
            self.judge();
        }
    }

    /// Notes whether clients reach nobody now; asked after whatever moves instances or weights.
    pub(super) fn judge(&mut self) {
        self.misled |= self.balancer.reach(&self.group.targets(self.now)).nobody;
    }

    /// A moment of the fake as a time of day, in the form AWS writes it.
    pub(super) fn date(&self, at: Duration) -> String {
        let seconds = (self.began + at).as_secs().try_into().unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
    }
}
