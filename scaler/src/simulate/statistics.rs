//! What a replay comes to in numbers.

use crate::Seconds;

use super::replay::{HOUR, Replayed};
use super::trace::Request;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Summary {
    /// GPU-hours billed.
    pub hours: f64,
    /// Launches.
    pub launches: u32,
    /// Mean wait, seconds.
    pub mean: f64,
    /// Median wait.
    pub p50: f64,
    /// 95 % waited no longer.
    pub p95: f64,
    /// 99 % waited no longer.
    pub p99: f64,
    /// Share that waited ten seconds at most.
    pub within_10: f64,
    /// Share that waited a minute at most.
    pub within_60: f64,
    /// Requests counted.
    pub requests: usize,
    /// GPU-hours and mean wait of what came after the first hour.
    pub after_first_hour: (f64, f64),
    /// Requests that never began.
    pub lost: usize,
    /// Streams cut off because their node was taken away; a controller cannot help it.
    pub cut: u32,
}

impl Summary {
    /// Of the requests that arrived from `skip` on.
    #[must_use]
    pub fn of(replayed: &Replayed, requests: &[Request], skip: Seconds) -> Self {
        let hour = requests.partition_point(|request| request.arrival < HOUR);
        let later = replayed.waits[hour..].iter().filter(|wait| !wait.is_nan());
        let (sum, count) = later.fold((0.0, 0.0), |(sum, n), wait| (sum + f64::from(*wait), n + 1.0));
        let first = requests.partition_point(|request| request.arrival < skip);
        let mut waits: Vec<f32> =
            replayed.waits[first..].iter().copied().filter(|wait| !wait.is_nan()).collect();
        waits.sort_by(f32::total_cmp);
        let n = waits.len().max(1);
        let at =
            |share: f64| waits.get(((n - 1) as f64 * share) as usize).map_or(0.0, |wait| f64::from(*wait));
        let within = |most: f32| waits.partition_point(|wait| *wait <= most) as f64 / n as f64;
        Self {
            hours: replayed.hours,
            launches: replayed.launches,
            mean: waits.iter().map(|wait| f64::from(*wait)).sum::<f64>() / n as f64,
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            within_10: within(10.0),
            within_60: within(60.0),
            requests: waits.len(),
            after_first_hour: (
                replayed.hours - replayed.first_hour,
                if count > 0.0 { sum / count } else { 0.0 },
            ),
            lost: requests.len() - first - waits.len(),
            cut: replayed.cut,
        }
    }
}
