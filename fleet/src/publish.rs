//! What a fleet says of itself to whoever watches it: named numbers, every ten seconds, zeros included, since silence
//! is how scaling from zero breaks.

#[cfg(feature = "cloudwatch")]
mod cloudwatch;

use std::fmt;

use async_trait::async_trait;

#[cfg(feature = "cloudwatch")]
pub use cloudwatch::CloudWatch;

/// One metric of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// Its name, as dashboards and alarms know it.
    pub name: &'static str,
    /// What was measured.
    pub value: Value,
    /// In what.
    pub unit: Unit,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    One(f64),
    /// Values, and how often each was seen: percentiles need them.
    Counted(Vec<(f64, u64)>),
}

/// In what a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Things per second.
    CountPerSecond,
}

/// Why metrics did not get there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metrics could not be published: {0}")]
pub struct PublishError(pub String);

/// Where metrics go.
#[async_trait]
pub trait Publish: Send + Sync + fmt::Debug {
    /// Publishes the metrics of this moment, all under the fleet's name.
    ///
    /// # Errors
    /// When they could not be delivered; the next moment has its own.
    async fn publish(&self, metrics: &[Datum]) -> Result<(), PublishError>;
}

/// For a machine without a place for metrics: they are said in the log, at `debug`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logged;

#[async_trait]
impl Publish for Logged {
    async fn publish(&self, metrics: &[Datum]) -> Result<(), PublishError> {
        for metric in metrics {
            tracing::debug!(name = metric.name, value = ?metric.value, unit = ?metric.unit, "metric");
        }
        Ok(())
    }
}
