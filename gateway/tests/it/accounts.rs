//! Every request is accounted once: a line in the log, the metrics, the caller's usage; and nothing a caller makes up
//! becomes a label.

use demo::ollama::{Fault, Model};
use fleet::telemetry::Capture;
use serde_json::{Value, json};

use crate::apis::{APIS, Api, logged, metric, places, until};
use crate::support::{CHAT, EMBED, TestGateway, chat, ollama, ollama_with, request};

/// The lines about requests.
fn lines(log: &Capture) -> Vec<Value> {
    let all = log.text();
    let parsed = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    parsed.filter(|line| line["message"] == "request").collect()
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

async fn check(api: Api, gateway: &TestGateway, log: &Capture) {
    let before = lines(log).len();
    let answer =
        gateway.post(api.path, &api.body(true)).header("x-request-id", "of-the-test").send().await.unwrap();
    answer.text().await.unwrap();
    let line = lines(log).pop().unwrap();
    assert_eq!(lines(log).len(), before + 1, "one line a request");
    assert_eq!(
        (&line["outcome"], &line["status"], &line["route"]),
        (&json!("answered"), &json!(200), &json!(api.path))
    );
    assert_eq!((&line["model"], &line["request_id"]), (&json!(CHAT), &json!("of-the-test")));
    assert_eq!((&line["output_tokens"], &line["reason"]), (&json!(20), &json!("")), "{line}");
    assert!(line["caller"].as_str().unwrap().ends_with("#alice"));
    for number in ["queue_wait_ms", "first_token_ms", "duration_ms", "bytes"] {
        assert!(line[number].is_u64(), "{number} in {line}");
    }
    assert!(line["tokens_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{line}");
}

#[tokio::test]
async fn one_line_for_each_request() {
    let (log, _guard) = logged("info");
    let ollama = ollama_with(Model::chat(CHAT).words(20).speed(1e6, 1000.0)).await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for api in APIS {
        check(api, &gateway, &log).await;
    }
    let api = APIS[1];
    for (fault, outcome, reason, status) in [
        (Fault::EndAfterTokens(4), "broken", "broke_off", 200),
        (Fault::CutAfterBytes(0), "refused", "upstream", 502),
        (Fault::QueueFull, "refused", "overloaded", 503),
    ] {
        ollama.fault_on(api.path, fault);
        drop(gateway.post(api.path, &api.body(true)).send().await.unwrap().text().await);
        places(&gateway).await;
        let line = lines(&log).pop().unwrap();
        assert_eq!(line["outcome"], outcome);
        assert_eq!((&line["reason"], &line["status"]), (&json!(reason), &json!(status)));
        assert!(line["output_tokens"] == if outcome == "broken" { 4 } else { 0 }, "{line}");
    }
    ollama.hold_tokens_after(2);
    let mut raw = gateway.raw().await;
    raw.send(request("POST", api.path, &gateway.token(), &api.body(true).to_string())).await;
    raw.until("\"done\":false").await;
    let before = lines(&log).len();
    drop(raw);
    until("its line is written", || lines(&log).len() > before).await;
    assert_eq!(lines(&log).pop().unwrap()["outcome"], "left");
}

#[tokio::test]
async fn usage_is_kept_by_caller_and_day_and_tokens_are_settled() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.roles.get_mut("user").unwrap().tokens_per_minute = Some(3000);
    });
    let gateway = builder.start().await;
    // Each reserves some 200 tokens and takes 60: settled, thirty fit into the minute's 3000.
    for n in 0..30 {
        let answer =
            gateway.post_as(&gateway.token_for("bob"), "/api/chat", &chat(n % 2 == 0)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "request {n}");
        answer.text().await.unwrap();
    }
    gateway.gateway.shared.books.usage.write().await;
    let bob = format!("{}#bob", gateway.issuer.url());
    let usage = gateway.store.usage(&bob, &today()).await.unwrap();
    assert_eq!((usage.requests, usage.generated_tokens), (30, 30 * 40));
    assert!(usage.prompt_tokens >= 30 && usage.gpu_seconds > 0.0, "{usage:?}");
    let nobody = gateway.store.usage(&format!("{}#alice", gateway.issuer.url()), &today()).await.unwrap();
    assert_eq!(nobody.requests, 0);
}

/// A refusal costs no tokens: who comes again as told is not short of them.
#[tokio::test]
async fn what_was_refused_is_given_back() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.roles.get_mut("user").unwrap().tokens_per_minute = Some(1000);
    });
    let gateway = builder.start().await;
    for stream in [true, false].repeat(10) {
        ollama.fault_on("/api/chat", Fault::QueueFull);
        places(&gateway).await;
        let answer = gateway.post("/api/chat", &chat(stream)).send().await.unwrap();
        assert_eq!(answer.status(), 503);
    }
    assert_eq!(gateway.post("/api/chat", &chat(false)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn nothing_made_up_becomes_a_label() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let admin = gateway.token_in("admins");
    for n in 0..20 {
        let mut body = chat(true);
        body["model"] = json!(format!("gemma-madeup-{n}"));
        gateway.post("/api/chat", &body).send().await.unwrap();
        gateway.post(&format!("/api/madeup-{n}"), &body).send().await.unwrap();
        gateway.get(&format!("/v1/models/madeup-{n}")).send().await.unwrap();
        let pull = json!({ "model": format!("madeup-{n}") });
        gateway.post_as(&admin, "/api/pull", &pull).send().await.unwrap().text().await.unwrap();
    }
    for body in [chat(true), chat(false)] {
        gateway.post("/api/chat", &body).send().await.unwrap().text().await.unwrap();
    }
    let embed = json!({ "model": EMBED, "input": "x" });
    gateway.post("/api/embed", &embed).send().await.unwrap().text().await.unwrap();
    let text = gateway.metrics();
    assert!(!text.contains("madeup"), "{text}");
    assert!(text.contains(CHAT) && text.contains(EMBED));
    assert_eq!(metric(&gateway, "gateway_refusals_total{reason=\"no_model\"}"), 40.0);
    assert_eq!(metric(&gateway, "gateway_refusals_total{reason=\"no_route\"}"), 20.0);
}
