//! What the controller is meant to reach on the recorded traces, profile interactive, seed 1. The traces stay outside the
//! repository; who has them replays this table with `scaler simulate --aims FOLDER`.

use std::path::Path;

use crate::Seconds;

use super::setting::Setting;
use super::statistics::Summary;
use super::trace::TraceError;

/// One row: a trace, the machines, and the most (of the share: the least) of each number.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// File name without `.csv.gz`.
    pub trace: &'static str,
    /// From zero, after silence.
    pub cold: bool,
    /// Mean boot.
    pub boot: Seconds,
    /// GPU-hours.
    pub hours: f64,
    /// Mean wait, seconds.
    pub mean: f64,
    /// 95th percentile of the waits, seconds.
    pub p95: f64,
    /// Share of the requests that wait ten seconds at most.
    pub within_10: f64,
    /// GPU-hours of the clairvoyant with which the aim for all traces together was set. Ours needs fewer.
    /// Not a number where it was not said.
    pub yardstick: f64,
}

const fn aim(trace: &'static str, boot: Seconds, yardstick: f64, most: [f64; 3], within_10: f64) -> Aim {
    let [hours, mean, p95] = most;
    Aim { trace, cold: false, boot, hours, mean, p95, within_10, yardstick }
}

/// All rows.
pub const AIMS: [Aim; 7] = [
    aim("servegen_team_w1", 240.0, 492.4, [530.0, 5.4, 37.0], 0.91),
    aim("servegen_office_w1", 240.0, 279.0, [330.0, 3.1, 15.0], 0.94),
    aim("azure23_code", 240.0, 23.2, [19.2, 1.0, 6.5], 0.975),
    aim("azure23_conv", 240.0, 10.9, [13.5, 0.1, 0.5], 0.999),
    Aim { cold: true, ..aim("azure23_conv", 240.0, 10.9, [16.2, 12.7, 132.0], 0.89) },
    aim("servegen_team_w1", 90.0, f64::NAN, [505.0, 1.6, 7.0], 0.955),
    aim("servegen_office_w1", 90.0, f64::NAN, [320.0, 0.7, 0.5], 0.98),
];

impl Aim {
    /// Its trace out of the folder of traces.
    ///
    /// # Errors
    /// When it is not there or no trace.
    pub fn setting(&self, folder: &Path) -> Result<Setting, TraceError> {
        Setting::read(&folder.join(format!("{}.csv.gz", self.trace)), self.boot, self.cold)
    }

    /// What is missed: nothing, or the columns.
    #[must_use]
    pub fn missed(&self, got: &Summary) -> Vec<&'static str> {
        let columns = [
            ("GPU-h", got.hours <= self.hours),
            ("mean", got.mean <= self.mean),
            ("p95", got.p95 <= self.p95),
            ("<=10 s", got.within_10 >= self.within_10),
        ];
        columns.into_iter().filter(|(_, reached)| !reached).map(|(name, _)| name).collect()
    }
}
