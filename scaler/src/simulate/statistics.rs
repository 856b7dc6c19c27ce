//! What a replay comes to in numbers.

use crate::Seconds;

use super::replay::Replayed;
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
    /// Requests that never began.
    pub lost: usize,
    /// Streams cut off because their node was taken away; a controller cannot help it.
    pub cut: u32,
}

impl Summary {
    /// Of the requests that arrived from `skip` on.
    #[must_use]
    pub fn of(replayed: &Replayed, requests: &[Request], skip: Seconds) -> Self {
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
            lost: requests.len() - first - waits.len(),
            cut: replayed.cut,
        }
    }
}
