//! Alarms of ten seconds on metrics, and the steps their policies take.

use std::collections::BTreeMap;
use std::time::Duration;

use super::setup::StepPolicy;

/// The period of every alarm.
const PERIOD: Duration = Duration::from_secs(10);

pub(super) struct Alarms {
    policies: Vec<StepPolicy>,
    points: BTreeMap<String, f64>,
    due: Duration,
}

impl Alarms {
    pub(super) fn new(policies: Vec<StepPolicy>) -> Self {
        Self { policies, points: BTreeMap::new(), due: PERIOD }
    }

    pub(super) fn point(&mut self, metric: &str, value: f64) {
        let largest = self.points.entry(metric.to_owned()).or_insert(value);
        *largest = largest.max(value);
    }

    /// How many instances the policies add at this moment: the largest step of any, at the end of a period.
    pub(super) fn step(&mut self, now: Duration) -> u32 {
        if now < self.due {
            return 0;
        }
        self.due += PERIOD;
        let points = std::mem::take(&mut self.points);
        let steps = self.policies.iter().filter_map(|policy| {
            let value = points.get(&policy.metric)?;
            policy.steps.iter().rev().find(|(from, _)| value >= from).map(|(_, add)| *add)
        });
        steps.max().unwrap_or(0)
    }
}
