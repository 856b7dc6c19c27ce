//! Metrics to CloudWatch: one namespace, one dimension, stored by the second, so that alarms of ten seconds see them.
//!
//! Limits of `PutMetricData`: 1,000 metrics and 1 MB a request, 150 different values a metric, no number that is not
//! finite (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>). Bodies above
//! 10 KB are compressed by the SDK.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Builder;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use super::{Datum, Publish, PublishError, Unit, Value};
use crate::aws::{CALL, Fault, twice};

/// Metrics a request.
const METRICS: usize = 1000;

/// Values a metric.
const VALUES: usize = 150;

/// Values a request: with its count each takes 18 bytes of CBOR, and a metric some 100 more; half of 1 MB in all.
const VALUES_IN_ALL: usize = 20_000;

/// One fleet's metrics in CloudWatch. Clones share the connections.
#[derive(Clone)]
pub struct CloudWatch {
    client: Client,
    namespace: String,
    fleet: String,
}

impl fmt::Debug for CloudWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = (&self.namespace, &self.fleet);
        f.debug_tuple("CloudWatch").field(&shown.0).field(&shown.1).finish()
    }
}

impl CloudWatch {
    /// The metrics of `fleet` in `namespace`, where `shared` leads ([`crate::aws::here`]). Makes no call.
    ///
    /// What was not delivered is sent once more. If only the answer was lost, values with counts then count double for
    /// those ten seconds, which shifts no percentile by itself; a lost `NodesShort` would cost a launch ten.
    pub fn new(shared: &SdkConfig, namespace: &str, fleet: &str) -> Self {
        let (retries, timeouts) = twice();
        let config = Builder::from(shared).retry_config(retries).timeout_config(timeouts).build();
        let (namespace, fleet) = (namespace.to_owned(), fleet.to_owned());
        Self { client: Client::from_conf(config), namespace, fleet }
    }

    async fn put(&self, batch: Vec<MetricDatum>) -> Result<(), PublishError> {
        let call = self.client.put_metric_data().namespace(&self.namespace).set_metric_data(Some(batch));
        match tokio::time::timeout(CALL, call.send()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(PublishError(Fault::of(&error).to_string())),
            Err(_) => Err(PublishError("no answer in time".to_owned())),
        }
    }
}

#[async_trait]
impl Publish for CloudWatch {
    async fn publish(&self, metrics: &[Datum]) -> Result<(), PublishError> {
        let now = DateTime::from(SystemTime::now());
        let data = metrics.iter().flat_map(|metric| data(metric, &self.fleet, now)).collect();
        for batch in batches(data) {
            self.put(batch).await?;
        }
        Ok(())
    }
}

/// A metric in as many pieces as its values need; none where it has no value.
fn data(metric: &Datum, fleet: &str, at: DateTime) -> Vec<MetricDatum> {
    let datum = || {
        MetricDatum::builder()
            .metric_name(metric.name)
            .dimensions(Dimension::builder().name("Fleet").value(fleet).build())
            .timestamp(at)
            .unit(unit(metric.unit))
            .storage_resolution(1)
    };
    match &metric.value {
        Value::One(value) if value.is_finite() => vec![datum().value(*value).build()],
        Value::One(_) => Vec::new(),
        Value::Counted(seen) => {
            let seen: Vec<_> = seen.iter().filter(|(value, count)| value.is_finite() && *count > 0).collect();
            let piece = |piece: &[&(f64, u64)]| {
                let (values, counts) = piece.iter().map(|(value, count)| (*value, *count as f64)).unzip();
                datum().set_values(Some(values)).set_counts(Some(counts)).build()
            };
            seen.chunks(VALUES).map(piece).collect()
        }
    }
}

fn unit(unit: Unit) -> StandardUnit {
    match unit {
        Unit::Count => StandardUnit::Count,
        Unit::Seconds => StandardUnit::Seconds,
        Unit::CountPerSecond => StandardUnit::CountSecond,
    }
}

/// The data in requests that CloudWatch takes.
fn batches(data: Vec<MetricDatum>) -> Vec<Vec<MetricDatum>> {
    let mut batches: Vec<Vec<MetricDatum>> = Vec::new();
    let mut room = 0;
    for datum in data {
        let weight = datum.values().len().max(1);
        match batches.last_mut().filter(|batch| batch.len() < METRICS && weight <= room) {
            Some(batch) => batch.push(datum),
            None => {
                batches.push(vec![datum]);
                room = VALUES_IN_ALL;
            }
        }
        room -= weight;
    }
    batches
}

#[cfg(test)]
mod tests;
