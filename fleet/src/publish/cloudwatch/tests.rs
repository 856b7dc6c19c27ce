//! What is sent, in what pieces; and that CloudWatch's stand-in gives back what it was given, percentiles too.

use std::time::{Duration, Instant};

use aws_config::Region;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, SharedCredentialsProvider};
use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricStat};

use super::*;

fn one(name: &'static str, value: f64) -> Datum {
    Datum { name, value: Value::One(value), unit: Unit::Count }
}

fn counted(name: &'static str, seen: Vec<(f64, u64)>) -> Datum {
    Datum { name, value: Value::Counted(seen), unit: Unit::Seconds }
}

fn pieces(metric: &Datum) -> Vec<MetricDatum> {
    data(metric, "f", DateTime::from_secs(7))
}

#[test]
fn a_number_is_one_datum_by_the_second() {
    let [datum] = &pieces(&one("NodesShort", 0.0))[..] else { panic!("one datum, though zero") };
    assert_eq!((datum.metric_name(), datum.value()), (Some("NodesShort"), Some(0.0)));
    assert_eq!((datum.storage_resolution(), datum.unit()), (Some(1), Some(&StandardUnit::Count)));
    let [fleet] = datum.dimensions() else { panic!("one dimension") };
    assert_eq!((fleet.name(), fleet.value()), (Some("Fleet"), Some("f")));
}

#[test]
fn what_is_no_number_is_left_out() {
    assert!(pieces(&one("IdleSeconds", f64::NAN)).is_empty());
    assert!(pieces(&one("IdleSeconds", f64::INFINITY)).is_empty());
    let seen = vec![(1.0, 2), (f64::NAN, 1), (3.0, 0)];
    let [datum] = &pieces(&counted("RequestSeconds", seen))[..] else { panic!("one datum") };
    assert_eq!((datum.values(), datum.counts()), (&[1.0][..], &[2.0][..]));
    assert!(pieces(&counted("RequestSeconds", Vec::new())).is_empty());
}

#[test]
fn many_values_are_split_and_none_is_lost() {
    let seen: Vec<_> = (0..401).map(|i| (f64::from(i), 1)).collect();
    let pieces = pieces(&counted("RequestSeconds", seen));
    assert_eq!(pieces.iter().map(|piece| piece.values().len()).collect::<Vec<_>>(), [150, 150, 101]);
    assert!(pieces.iter().all(|piece| piece.values().len() == piece.counts().len()));
    assert_eq!(pieces.iter().flat_map(MetricDatum::values).sum::<f64>(), f64::from(400 * 401 / 2));
}

#[test]
fn requests_stay_below_both_limits() {
    let small = batches((0..2500).flat_map(|_| pieces(&one("QueueDepth", 1.0))).collect());
    assert_eq!(small.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
    let full: Vec<_> = (0..150).map(|i| (f64::from(i), 1)).collect();
    let large = batches((0..300).flat_map(|_| pieces(&counted("RequestSeconds", full.clone()))).collect());
    assert_eq!(large.iter().map(Vec::len).sum::<usize>(), 300);
    assert!(
        large.iter().all(|batch| batch.iter().map(|one| one.values().len()).sum::<usize>() <= VALUES_IN_ALL)
    );
}

fn shared(endpoint: &str) -> SdkConfig {
    let nobody = Credentials::builder()
        .access_key_id("nobody")
        .secret_access_key("none")
        .provider_name("test")
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(nobody))
        .endpoint_url(endpoint)
        .build()
}

#[tokio::test]
async fn nobody_there_is_told_in_time() {
    let began = Instant::now();
    let cloudwatch = CloudWatch::new(&shared("http://127.0.0.1:9"), "OllamaFleet", "f");
    let error = cloudwatch.publish(&[one("QueueDepth", 1.0)]).await.unwrap_err();
    assert!(error.to_string().contains("no connection"), "{error}");
    assert!(began.elapsed() < 2 * CALL, "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_was_published_can_be_read_back() {
    let Some(endpoint) = crate::testing::emulator("FLEET_TEST_MINISTACK") else { return };
    let fleet = format!("f-{:08x}", fastrand::u32(..));
    let cloudwatch = CloudWatch::new(&shared(&endpoint), "OllamaFleet", &fleet);
    // 990 fast answers and ten slow ones: the slowest hundredth starts at them.
    let seen = vec![(0.5, 500), (1.5, 490), (40.0, 10)];
    let metrics = [one("NodesShort", 0.0), one("QueueDepth", 3.0), counted("RequestSeconds", seen)];
    cloudwatch.publish(&metrics).await.unwrap();
    let read =
        async |name: &'static str, statistic: &'static str| read(&cloudwatch, &fleet, name, statistic).await;
    assert_eq!(read("NodesShort", "Maximum").await, Some(0.0));
    assert_eq!(read("QueueDepth", "Average").await, Some(3.0));
    assert_eq!(read("RequestSeconds", "SampleCount").await, Some(1000.0));
    let (half, most) = (read("RequestSeconds", "p50").await, read("RequestSeconds", "p99.5").await);
    assert!(half.is_some_and(|half| (0.5..=1.5).contains(&half)), "{half:?}");
    assert!(most.is_some_and(|most| (39.0..=41.0).contains(&most)), "{most:?}");
}

/// A statistic of the last minutes, as an alarm or a dashboard would read it.
async fn read(cloudwatch: &CloudWatch, fleet: &str, name: &str, statistic: &str) -> Option<f64> {
    let metric = Metric::builder()
        .namespace("OllamaFleet")
        .metric_name(name)
        .dimensions(Dimension::builder().name("Fleet").value(fleet).build())
        .build();
    // One period over the whole while, so that no boundary of a minute comes between.
    let stat = MetricStat::builder().metric(metric).period(3600).stat(statistic).build();
    let query = MetricDataQuery::builder().id("q").metric_stat(stat).return_data(true).build();
    let now = SystemTime::now();
    let answer = cloudwatch
        .client
        .get_metric_data()
        .metric_data_queries(query)
        .start_time(DateTime::from(now - Duration::from_secs(7200)))
        .end_time(DateTime::from(now + Duration::from_secs(3600)))
        .send()
        .await
        .unwrap();
    answer.metric_data_results().first()?.values().first().copied()
}
