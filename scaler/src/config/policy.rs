//! From what the file says to what `decide` wants.

use crate::decide::policy as decide;

use super::settings::{Config, Drive, Window};

impl Config {
    /// The policy that this configuration describes.
    #[must_use]
    pub fn policy(&self) -> decide::Policy {
        let (group, policy) = (&self.group, &self.policy);
        decide::Policy {
            value_of_waiting: policy.value_of_waiting,
            min: group.min,
            max: group.max,
            drive: match group.drive {
                Drive::Metrics => decide::Drive::Metrics,
                Drive::Calls => decide::Drive::Calls,
            },
            idle: policy.idle_minutes * 60.0,
            boot: group.boot_seconds.as_secs_f64(),
            warm_boot: group.warm_boot_seconds.map(|boot| boot.as_secs_f64()),
            slots: group.slots,
            benchmark: decide::Benchmark {
                prefill: group.prefill_tokens_per_second,
                decode: group.decode_tokens_per_second,
                throughput: group.full_throughput,
            },
            price: decide::LaunchPrice {
                refill: group.launch_refill_seconds.as_secs_f64(),
                fee: group.launch_fee_seconds.as_secs_f64(),
                tail: group.launch_tail_seconds.as_secs_f64(),
            },
            budget: policy.budget.map(|hours| decide::Budget { hours }),
            hard_limit: policy.hard_limit_minutes.map(|minutes| minutes * 60.0),
            schedule: self.schedule.windows.iter().map(Window::in_minutes).collect(),
        }
    }
}

impl Window {
    fn in_minutes(&self) -> decide::Window {
        let weekdays = self.days.iter().fold(0, |days, day| days | 1 << *day as u8);
        decide::Window { weekdays, from: self.from.0, until: self.until.0, nodes: self.nodes }
    }
}
