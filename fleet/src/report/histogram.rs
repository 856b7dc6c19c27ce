//! Cumulative counts, from whose differences the leader makes the fleet's metrics.

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets in seconds; a last bucket takes what is longer. Half a decade or finer where people wait
/// (0.1 to 10 s); few, because three histograms share a report of less than 1 KB.
pub const BOUNDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// How many observations fell into each bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram([u64; BOUNDS.len() + 1]);

impl Histogram {
    /// Counts one observation. What is no number counts as the longest.
    pub fn observe(&mut self, seconds: f64) {
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.0[bucket] += 1;
    }

    /// The counts, one per bound and one for what is longer.
    pub fn buckets(&self) -> &[u64] {
        &self.0
    }

    /// Observations in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Counts the other's observations too.
    pub fn add(&mut self, other: &Self) {
        for (bucket, more) in self.0.iter_mut().zip(other.0) {
            *bucket = bucket.saturating_add(more);
        }
    }

    /// What was added since `earlier`; everything where `earlier` is not of the same process.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|bucket| grown(self.0[bucket], earlier.0[bucket])))
    }
}

/// What one gateway has counted since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests answered, refused ones too.
    pub requests: u64,
    /// Of these, ended by a fault of ours or Ollama's.
    pub errors: u64,
    /// Of these, refused: by a limit, a full queue, a drain.
    pub refusals: u64,
    /// From the head of a request to the last byte of its answer.
    pub request_seconds: Histogram,
    /// From the head of a request to the first byte that Ollama wrote.
    pub first_token_seconds: Histogram,
    /// Inside Ollama.
    pub inference_seconds: Histogram,
}

impl Counts {
    /// Adds another gateway's.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.refusals = self.refusals.saturating_add(other.refusals);
        self.request_seconds.add(&other.request_seconds);
        self.first_token_seconds.add(&other.first_token_seconds);
        self.inference_seconds.add(&other.inference_seconds);
    }

    /// What was added since `earlier`. Counts that shrank belong to a new process: all of them are new.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: grown(self.requests, earlier.requests),
            errors: grown(self.errors, earlier.errors),
            refusals: grown(self.refusals, earlier.refusals),
            request_seconds: self.request_seconds.since(&earlier.request_seconds),
            first_token_seconds: self.first_token_seconds.since(&earlier.first_token_seconds),
            inference_seconds: self.inference_seconds.since(&earlier.inference_seconds),
        }
    }
}

fn grown(now: u64, then: u64) -> u64 {
    now.checked_sub(then).unwrap_or(now)
}
