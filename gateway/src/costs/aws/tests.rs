//! Cost Explorer by answers in the shape that the service gives, on a real socket: what is sent, and what is read from it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_config::BehaviorVersion;
use aws_sdk_costexplorer::config::{Credentials, SharedCredentialsProvider};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

/// A service that gives these answers in turn, the last one again and again. Ends when it is dropped.
struct Service {
    endpoint: String,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    _serving: JoinSet<()>,
}

impl Service {
    async fn answering(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, answers.clone(), noted.clone()));
            }
        });
        Self { endpoint, seen, _serving: serving }
    }

    fn explorer(&self) -> CostExplorer {
        let nobody = Credentials::builder()
            .access_key_id("nobody")
            .secret_access_key("none")
            .provider_name("test")
            .build();
        let shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(nobody))
            .endpoint_url(&self.endpoint)
            .build();
        let mut config = Config::default();
        config.fleet.name = "production".to_owned();
        CostExplorer::with(&config, &shared)
    }

    fn seen(&self) -> Vec<(String, Value)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
) {
    while let Some((head, body)) = request(&mut stream).await {
        seen.lock().unwrap().push((head, serde_json::from_slice(&body).unwrap()));
        let (status, answer) = {
            let mut answers = answers.lock().unwrap();
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
        };
        let body = answer.to_string();
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n"
        );
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Head, in lower case, and body of the next request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn group(service: &str, amount: &str, unit: &str) -> Value {
    json!({ "Keys": [service], "Metrics": { "UnblendedCost": { "Amount": amount, "Unit": unit } } })
}

fn day(day: &str, until: &str, groups: &[Value]) -> Value {
    json!({
        "TimePeriod": { "Start": day, "End": until }, "Total": {}, "Groups": groups, "Estimated": true
    })
}

fn answer(days: &[Value], next: Option<&str>) -> (u16, Value) {
    let mut answer = json!({
        "GroupDefinitions": [{ "Type": "DIMENSION", "Key": "SERVICE" }],
        "ResultsByTime": days,
        "DimensionValueAttributes": []
    });
    if let Some(next) = next {
        answer["NextPageToken"] = json!(next);
    }
    (200, answer)
}

const EC2: &str = "Amazon Elastic Compute Cloud - Compute";

#[tokio::test]
async fn days_and_services_are_asked_for_by_the_tag() {
    let groups = [
        group("AmazonCloudWatch", "0.1035", "USD"),
        group(EC2, "12.6240000000", "USD"),
        group("Tax", "0", "USD"),
    ];
    let days = [day("2026-11-01", "2026-11-02", &groups), day("2026-11-02", "2026-11-03", &[])];
    let service = Service::answering([answer(&days, None)]).await;
    let told = service.explorer().costs("2026-11-01", "2026-11-03").await.unwrap();
    let line = |service: &str, amount| ServiceLine { service: service.to_owned(), amount };
    let first = vec![line(EC2, 12.624), line("AmazonCloudWatch", 0.1035)];
    assert_eq!(
        told[0],
        BillDay { day: "2026-11-01".to_owned(), services: first },
        "what cost nothing is left out"
    );
    assert_eq!(
        told[1],
        BillDay { day: "2026-11-02".to_owned(), services: vec![] },
        "a day without costs is a day"
    );

    let seen = service.seen();
    let (head, body) = &seen[0];
    assert_eq!(seen.len(), 1);
    assert!(head.contains("x-amz-target: awsinsightsindexservice.getcostandusage"), "{head}");
    assert!(head.contains("/us-east-1/ce/aws4_request"), "signed for the one region it is in: {head}");
    let asked = json!({
        "TimePeriod": { "Start": "2026-11-01", "End": "2026-11-03" },
        "Granularity": "DAILY",
        "Filter": { "Tags": { "Key": "Fleet", "Values": ["production"], "MatchOptions": ["EQUALS"] } },
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{ "Type": "DIMENSION", "Key": "SERVICE" }]
    });
    assert_eq!(*body, asked);
}

#[tokio::test]
async fn pages_are_put_together() {
    let one = [day("2026-11-01", "2026-11-02", &[group(EC2, "1.5", "USD")])];
    let two = [
        day("2026-11-01", "2026-11-02", &[group("Amazon DynamoDB", "0.25", "USD")]),
        day("2026-11-02", "2026-11-03", &[group(EC2, "2", "USD")]),
    ];
    let service = Service::answering([answer(&one, Some("more")), answer(&two, None)]).await;
    let told = service.explorer().costs("2026-11-01", "2026-11-03").await.unwrap();
    assert_eq!(told.iter().map(BillDay::amount).collect::<Vec<_>>(), [1.75, 2.0]);
    let seen = service.seen();
    assert_eq!((seen.len(), &seen[1].1["NextPageToken"]), (2, &json!("more")));
}

#[tokio::test]
async fn pages_without_end_are_not_paid_for() {
    let service = Service::answering([answer(&[], Some("again"))]).await;
    let error = service.explorer().costs("2026-11-01", "2026-11-03").await.unwrap_err();
    assert!(error.to_string().contains("more than 5 pages"), "{error}");
    assert_eq!(service.seen().len(), MOST_PAGES);
}

#[tokio::test]
async fn a_missing_permission_is_told_in_the_words_of_aws() {
    let denied = json!({
        "__type": "AccessDeniedException",
        "message": "User: front is not authorized to perform: ce:GetCostAndUsage"
    });
    let service = Service::answering([(400, denied)]).await;
    let error = service.explorer().costs("2026-11-01", "2026-11-03").await.unwrap_err();
    assert!(
        error.to_string().contains("AccessDenied") && error.to_string().contains("ce:GetCostAndUsage"),
        "{error}"
    );
    assert_eq!(service.seen().len(), 1, "asking again would not help");
}

#[tokio::test]
async fn what_cannot_be_added_up_is_told() {
    for (amount, unit, words) in
        [("1.5", "CNY", "CNY"), ("much", "USD", "no amount"), ("NaN", "USD", "no amount")]
    {
        let days = [day("2026-11-01", "2026-11-02", &[group(EC2, amount, unit)])];
        let service = Service::answering([answer(&days, None)]).await;
        let error = service.explorer().costs("2026-11-01", "2026-11-02").await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
