//! A stream that breaks upstream never looks whole: what came, then an error in its family's form; before the first
//! byte a true status. Nothing of the server's inside is in either.

use demo::ollama::Fault;
use serde_json::Value;

use crate::apis::{APIS, Api, assert_plain, h2_chunk, h2_post, metric, places, quick};
use crate::support::{TestGateway, ollama};

fn broken(gateway: &TestGateway, api: Api) -> f64 {
    metric(gateway, &format!("gateway_requests_total{{route=\"{}\",outcome=\"broken\"}}", api.path))
}

async fn check_within(fault: Fault) {
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.start().await;
    for api in APIS {
        ollama.fault_on(api.path, fault.clone());
        let answer = gateway.post(api.path, &api.body(true)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{fault:?} {api:?}");
        let text = answer.text().await.expect("a proper end of the body");
        assert_plain(&api.error_in(&text).unwrap_or_else(|| panic!("{fault:?} {api:?}: {text}")));
        assert_eq!(broken(&gateway, api), 1.0, "{fault:?} {api:?}");
        places(&gateway).await; // an engine that died comes again

        ollama.fault_on(api.path, fault.clone());
        let mut h2 = gateway.h2().await;
        let mut answer = h2_post(&gateway, &mut h2, api.path, &api.body(true)).await;
        let mut text = String::new();
        while let Some(chunk) = h2_chunk(answer.body_mut()).await {
            text.push_str(std::str::from_utf8(&chunk.expect("a proper end of the body")).unwrap());
        }
        assert!(api.error_in(&text).is_some(), "{fault:?} {api:?}: {text}");
        places(&gateway).await;
    }
}

#[tokio::test]
async fn when_the_engine_dies() {
    check_within(Fault::DieAfterTokens(3)).await;
}

#[tokio::test]
async fn when_it_just_stops() {
    check_within(Fault::EndAfterTokens(3)).await;
}

#[tokio::test]
async fn when_the_connection_closes() {
    check_within(Fault::CutAfterBytes(1100)).await;
}

#[tokio::test]
async fn when_the_connection_is_reset() {
    check_within(Fault::ResetAfterBytes(1100)).await;
}

/// What came before the break has come whole: no half frames.
#[tokio::test]
async fn what_came_is_kept_and_nothing_is_torn() {
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.start().await;
    for bytes in (400..900).step_by(73) {
        ollama.fault(Fault::CutAfterBytes(bytes));
        let text = gateway.post("/api/chat", &APIS[1].body(true)).send().await.unwrap().text().await.unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (error, tokens) = lines.split_last().unwrap();
        assert!(error["error"].is_string() && tokens.iter().all(|line| line["done"] == false), "{text}");
    }
}

#[tokio::test]
async fn before_the_first_byte_it_has_a_status() {
    let inner =
        "{\"error\":\"open /var/lib/ollama/models/blobs/sha256-1: dial tcp 127.0.0.1:4711: refused\"}";
    let told = |status| Fault::Answer {
        status,
        content_type: "application/json".to_owned(),
        body: inner.to_owned(),
    };
    let cases = [
        (Fault::CutAfterBytes(0), 502),
        (Fault::ResetAfterBytes(0), 502),
        (Fault::CutAfterBytes(20), 502),
        (Fault::DieAfterTokens(0), 502),
        (told(500), 502),
        (told(401), 502),
        (told(429), 502),
        (Fault::QueueFull, 503),
    ];
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.start().await;
    for api in APIS {
        for (fault, status) in &cases {
            for stream in [true, false] {
                places(&gateway).await;
                ollama.fault_on(api.path, fault.clone());
                let answer = gateway.post(api.path, &api.body(stream)).send().await.unwrap();
                let headers = answer.headers().clone();
                assert_eq!(answer.status().as_u16(), *status, "{fault:?} {api:?} {stream}");
                assert_eq!(headers["content-type"], "application/json");
                assert_eq!(headers.contains_key("retry-after"), *status == 503);
                assert_plain(&api.error_of(&answer.json().await.unwrap()));
            }
        }
    }
}
