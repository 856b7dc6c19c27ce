//! Values with counts from a histogram: CloudWatch makes percentiles of values, and a bucket has none.

use fleet::report::{BOUNDS, Histogram};

/// A bucket's observations are taken to lie evenly in it, at this many places at most: a percentile is then off by less
/// than its bucket is wide, and 12 buckets stay below the 150 values that CloudWatch takes at once.
const PLACES: u64 = 10;

/// Where the last bucket ends: no stream is longer (`[limits] stream_seconds`).
const LONGEST: f64 = 900.0;

/// The histogram's observations as values, each with its count. The counts' sum is the histogram's.
pub(super) fn of(histogram: &Histogram) -> Vec<(f64, u64)> {
    let lower = std::iter::once(0.0).chain(BOUNDS);
    let upper = BOUNDS.into_iter().chain([LONGEST]);
    let buckets = lower.zip(upper).zip(histogram.buckets());
    buckets.flat_map(|((lower, upper), count)| spread(lower, upper, *count)).collect()
}

fn spread(lower: f64, upper: f64, count: u64) -> impl Iterator<Item = (f64, u64)> {
    let places = count.min(PLACES);
    let width = (upper - lower) / places.max(1) as f64;
    // The first places take what does not divide.
    (0..places).map(move |place| {
        let share = count / places + u64::from(place < count % places);
        (lower + (place as f64 + 0.5) * width, share)
    })
}
