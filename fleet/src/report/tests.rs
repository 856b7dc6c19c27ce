//! What a report promises: it fits, it survives its encoding, and silence is noticed.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// A busy node after weeks: long numbers everywhere.
pub(crate) fn full(node: &str) -> Report {
    let mut report = Report {
        node: node.to_owned(),
        address: "10.20.130.240:8443".to_owned(),
        state: NodeState::Draining,
        slots: 16,
        busy: 16,
        queued: 512,
        queued_work_seconds: 1_234.567_891,
        oldest_wait_seconds: 0.1 + 0.2,
        tokens_per_second: 151.333_333_333,
        models: vec!["gemma3n:e4b".to_owned(), "nomic-embed-text:v1.5".to_owned()],
        last_request_at: Some(1_795_000_000),
        started_at: 1_794_000_000,
        version: "0.12.34".to_owned(),
        sequence: 500_000,
        certificate_sha256: "0f".repeat(32),
        public_key: "k".repeat(43),
        order_seen: 1234,
        gpu_memory_bytes: Some(46_068 << 20), // an L40S
        disk_free_bytes: Some(1_177_375 << 20),
        load: Load {
            arrived: 1_234_567,
            arrived_prompt_tokens: 1_234_567_890,
            finished: 1_234_560,
            finished_prompt_tokens: 1_234_560_000,
            finished_output_tokens: 345_678_901,
            waiting_prompt_tokens: 512_000,
            running_prompt_tokens: 131_072,
        },
        ..Report::default()
    };
    report.counts = Counts { requests: 1_234_567, errors: 1_234, refusals: 12_345, ..Counts::default() };
    for (seconds, times) in
        [(0.3, 20_000), (0.7, 90_000), (2.0, 90_000), (7.0, 80_000), (50.0, 9_000), (400.0, 90)]
    {
        for _ in 0..times {
            report.counts.request_seconds.observe(seconds);
            report.counts.first_token_seconds.observe(seconds / 3.0);
            report.counts.inference_seconds.observe(seconds / 2.0);
        }
    }
    report
}

#[test]
fn a_full_report_fits_into_one_write_unit() {
    let report = full("i-0123456789abcdef0");
    let text = report.encode().unwrap();
    println!("a full report has {} bytes", text.len());
    let read: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(read.models, report.models, "nothing had to be left out: {}", text.len());
    assert_eq!(read.counts, report.counts);
    assert_eq!(read.load, report.load);
    assert_eq!(read.gpu_memory_bytes, report.gpu_memory_bytes);
    assert_eq!(read.disk_free_bytes, report.disk_free_bytes);
    assert_eq!(read.oldest_wait_seconds, 0.3);
    let around = "PK FLEET#production SK NODE#i-0123456789abcdef0 report written_at 000000 expires_at 000000 \
                  order drain order_seq 000000 order_until 000000";
    assert!(text.len() + around.len() <= 1024, "{}", text.len());
}

#[test]
fn models_that_do_not_fit_are_left_out() {
    let mut report = full("i-0123456789abcdef0");
    report.models = (0..40).map(|n| format!("a-model-with-a-long-name:{n}")).collect();
    let text = report.encode().unwrap();
    assert!(text.len() <= MAX_ENCODED);
    let read: Report = serde_json::from_str(&text).unwrap();
    assert!(!read.models.is_empty() && report.models.starts_with(&read.models));
}

#[test]
fn a_report_of_another_version_is_read_as_far_as_it_is_known() {
    let read: Report = serde_json::from_str(r#"{"node":"a","state":"ready","news":[1]}"#).unwrap();
    assert_eq!(read, Report { node: "a".to_owned(), state: NodeState::Ready, ..Report::default() });
}

#[test]
fn a_load_of_another_version_is_read_as_far_as_it_goes() {
    let read: Report = serde_json::from_str(r#"{"load":[5,500]}"#).unwrap();
    assert_eq!(read.load, Load { arrived: 5, arrived_prompt_tokens: 500, ..Load::default() });
    let read: Report = serde_json::from_str(r#"{"load":[1,2,3,4,5,6,7,8,9]}"#).unwrap();
    assert_eq!(read.load.running_prompt_tokens, 7);
}

#[test]
fn an_order_lapses() {
    let answer = ReportAnswer { order: OrderKind::Drain, order_seq: 1, order_until: 100 };
    assert_eq!(answer.in_force(99), OrderKind::Drain);
    assert_eq!(answer.in_force(100), OrderKind::None);
}

#[test]
fn counts_differ_within_a_process_and_begin_anew_with_the_next() {
    let mut counts = Counts { requests: 5, ..Counts::default() };
    counts.request_seconds.observe(0.05);
    let before = counts;
    counts.requests += 2;
    counts.request_seconds.observe(f64::NAN);
    counts.request_seconds.observe(0.1);
    let grown = counts.since(&before);
    assert_eq!((grown.requests, grown.request_seconds.total()), (2, 2));
    assert_eq!(grown.request_seconds.buckets()[0], 1, "a bound belongs to its bucket");
    assert_eq!(grown.request_seconds.buckets()[BOUNDS.len()], 1);
    assert_eq!(before.since(&counts).requests, 5);
}

#[test]
fn a_silent_node_is_noticed_whatever_its_clock_says() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let record = |sequence| NodeRecord {
        report: Report { node: "ahead".to_owned(), sequence, ..Report::default() },
        written_at: i64::MAX,
        answer: ReportAnswer::default(),
    };
    let mut sightings = Sightings::default();
    assert_eq!(sightings.living(vec![record(1)], at(0)).len(), 1);
    assert_eq!(sightings.living(vec![record(1)], at(9)).len(), 1);
    assert_eq!(sightings.living(vec![record(1)], at(10)).len(), 0);
    assert_eq!(sightings.living(vec![record(2)], at(12)).len(), 1, "it speaks again");
    assert_eq!(sightings.living(vec![], at(14)).len(), 0);
}
