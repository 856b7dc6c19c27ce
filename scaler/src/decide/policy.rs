//! What the owner wants: the one knob, the bounds, the price of a launch. Checked before it gets here.

use crate::Seconds;

use super::observation::Moment;

/// Who raises the group's desired count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// The leader calls `SetDesiredCapacity`.
    Calls,
    /// The group's step policy on `NodesShort`; the leader only wakes it from zero.
    Metrics,
}

/// The rates of one idle node, from the image's smoke test.
#[derive(Clone, Copy, Debug)]
pub struct Benchmark {
    /// Prompt tokens a second.
    pub prefill: f64,
    /// Answer tokens a second of one stream.
    pub decode: f64,
    /// Work a full node completes in a second.
    pub throughput: f64,
}

/// What a launch costs beside its own boot, in GPU-seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaunchPrice {
    /// Boot of the instance that refills the warm pool.
    pub refill: Seconds,
    /// Fee for initializing the volume, divided by the price of a second.
    pub fee: Seconds,
    /// From the last stream to the end of the bill.
    pub tail: Seconds,
}

impl LaunchPrice {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.refill + self.fee + self.tail
    }
}

/// GPU-hours that a period may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The hours.
    pub hours: f64,
}

/// One line of the schedule: a minimum on some weekdays between two times of day.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Bit `d` set: in force on weekday `d`, Monday 0.
    pub weekdays: u8,
    /// First minute of the day.
    pub from: u16,
    /// First minute it is over. Not after `from`: it ends on the next day.
    pub until: u16,
    /// The minimum.
    pub nodes: u32,
}

impl Window {
    /// Whether it is in force.
    #[must_use]
    pub fn covers(&self, at: Moment) -> bool {
        let on = |day: u8| self.weekdays & (1 << (day % 7)) != 0;
        if self.from < self.until {
            return on(at.weekday) && (self.from..self.until).contains(&at.minute);
        }
        (on(at.weekday) && at.minute >= self.from) || (on(at.weekday + 6) && at.minute < self.until)
    }
}

/// What the owner wants.
#[derive(Clone, Debug)]
pub struct Policy {
    /// GPU-seconds that one request-second of waiting is worth: economy 0.3, interactive 1, premium 5.
    pub value_of_waiting: f64,
    /// Never fewer nodes.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Who raises desired.
    pub drive: Drive,
    /// How long the last node stays without need.
    pub idle: Seconds,
    /// Boot estimate before the first boot is seen: launch to ready. Also the truth for a cold launch when a warm
    /// pool is empty.
    pub boot: Seconds,
    /// Boot out of the warm pool, where there is one.
    pub warm_boot: Option<Seconds>,
    /// Slots of a node, before one has reported.
    pub slots: u32,
    /// The rates of an idle node.
    pub benchmark: Benchmark,
    /// What a launch costs beside its boot.
    pub price: LaunchPrice,
    /// GPU-hours a period may use.
    pub budget: Option<Budget>,
    /// Ends a run of the fleet by draining after so long.
    pub hard_limit: Option<Seconds>,
    /// Minimums by time of week.
    pub schedule: Vec<Window>,
}

impl Default for Policy {
    /// Interactive, on a T4 with four slots: prefill 1000, decode 40 tokens a second for one stream, and a stream
    /// slows by 0.3 for every other one, so that four do `4 / (1 + 0.3 * 3)` = 2.105 work-seconds a second.
    /// Assumptions until a real `g4dn.xlarge` was measured; they are configuration for that reason.
    fn default() -> Self {
        Self {
            value_of_waiting: 1.0,
            min: 0,
            max: 24,
            drive: Drive::Calls,
            idle: 600.0,
            boot: 240.0,
            warm_boot: None,
            slots: 4,
            benchmark: Benchmark { prefill: 1000.0, decode: 40.0, throughput: 4.0 / 1.9 },
            price: LaunchPrice::default(),
            budget: None,
            hard_limit: None,
            schedule: Vec::new(),
        }
    }
}
