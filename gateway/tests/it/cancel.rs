//! A client that goes takes its request with it: from the queue at once, from Ollama as soon as Ollama can notice.
//! Every stage, every family, both protocols.

use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use serde_json::{Value, json};

use crate::apis::until;
use crate::support::{CHAT, TestGateway, ollama_with, request};

/// How the client goes.
#[derive(Debug, Clone, Copy)]
enum Going {
    /// The connection closes.
    CloseH1,
    /// The stream is reset, the connection stays.
    ResetH2,
}

/// Where the request stands by then.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Queued,
    Loading,
    Prefill,
    Decode,
}

const FAMILIES: [&str; 3] = ["/api/chat", "/v1/chat/completions", "/v1/messages"];

fn body(path: &str) -> Value {
    let mut body =
        json!({ "model": CHAT, "messages": [{ "role": "user", "content": "hi" }], "stream": true });
    if path == "/v1/messages" {
        body["max_tokens"] = json!(1000);
    }
    body
}

/// An Ollama whose only chat model never ends by itself.
async fn endless() -> SimulatedOllama {
    ollama_with(Model::chat(CHAT).endless().speed(1_000_000.0, 200.0)).await
}

/// Sends the request and returns what keeps it alive.
async fn begin(gateway: &TestGateway, going: Going, path: &str) -> Box<dyn Send> {
    let token = gateway.token();
    match going {
        Going::CloseH1 => {
            let mut raw = gateway.raw().await;
            raw.send(request("POST", path, &token, &body(path).to_string())).await;
            Box::new(raw)
        }
        Going::ResetH2 => {
            let mut h2 = gateway.h2().await;
            let head =
                http::Request::post(gateway.url(path)).header("authorization", format!("Bearer {token}"));
            let (answer, mut send) = h2.send_request(head.body(()).unwrap(), false).unwrap();
            send.send_data(body(path).to_string().into(), true).unwrap();
            Box::new((answer, send)) // the connection itself lives in a task
        }
    }
}

/// Waits until `reached`, then drops the client, and returns how long Ollama took to be idle again.
async fn check(stage: Stage, going: Going, path: &str) {
    let ollama = endless().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        if let (Stage::Loading, Some(ollama)) = (stage, &mut config.ollama) {
            ollama.models.clear();
        }
    });
    let gateway = builder.start().await;
    let case = format!("{stage:?} {going:?} {path}");
    let mut others = Vec::new();
    match stage {
        Stage::Queued => {
            for _ in 0..2 {
                others.push(begin(&gateway, Going::CloseH1, path).await);
            }
            ollama.wait_until(|stats| stats.running == 2).await.expect(&case);
        }
        Stage::Loading => ollama.hold_loads(),
        Stage::Prefill => ollama.hold_tokens_after(0),
        Stage::Decode => {}
    }
    let asked = || ollama.inferences().iter().filter(|seen| seen.target == path).count(); // not our own loads
    let before = asked();
    let client = begin(&gateway, going, path).await;
    match stage {
        Stage::Queued | Stage::Loading => {
            until(&case, || gateway.gateway.shared.queue.load().queued > 0).await;
            if let Stage::Loading = stage {
                ollama.wait_until(|stats| stats.model(CHAT).loads_started == 1).await.expect(&case);
            }
        }
        Stage::Prefill | Stage::Decode => {
            ollama.wait_until(|stats| stats.running == 1).await.expect(&case);
        }
    }
    drop(client);
    match stage {
        Stage::Queued | Stage::Loading => {
            until(&case, || gateway.gateway.shared.queue.load().queued == 0).await;
            ollama.release_loads();
            drop(others);
            ollama.wait_until(|stats| stats.running == 0).await.expect(&case);
            if let Stage::Loading = stage {
                ollama.wait_until(|stats| stats.model(CHAT).loads_finished == 1).await.expect(&case);
                assert_eq!(ollama.loads_started(CHAT), 1, "{case}: the load survives its client");
            }
            assert_eq!(asked(), before, "{case}: it never reached Ollama");
        }
        Stage::Prefill | Stage::Decode => {
            ollama.wait_until(|stats| stats.cancelled == 1 && stats.running == 0).await.expect(&case);
        }
    }
}

async fn matrix(stage: Stage) {
    for path in FAMILIES {
        for going in [Going::CloseH1, Going::ResetH2] {
            check(stage, going, path).await;
        }
    }
}

#[tokio::test]
async fn from_the_queue() {
    matrix(Stage::Queued).await;
}

#[tokio::test]
async fn while_the_model_loads() {
    matrix(Stage::Loading).await;
}

#[tokio::test]
async fn while_the_prompt_is_read() {
    matrix(Stage::Prefill).await;
}

#[tokio::test]
async fn while_tokens_come() {
    matrix(Stage::Decode).await;
}

#[tokio::test]
async fn also_behind_stray_bytes() {
    let ollama = endless().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.hold_tokens_after(0);
    let mut raw = gateway.raw().await;
    let token = gateway.token();
    raw.send(request("POST", "/api/chat", &token, &body("/api/chat").to_string())).await;
    raw.send("\r\nGET /api/tags HTTP/1.1\r\n").await;
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    drop(raw);
    ollama.wait_until(|stats| stats.cancelled == 1 && stats.running == 0).await.unwrap();
}

#[tokio::test]
async fn and_the_slot_is_kept_until_ollama_is_free() {
    let ollama = endless().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut raw = gateway.raw().await;
    raw.send(request("POST", "/api/chat", &gateway.token(), &body("/api/chat").to_string())).await;
    raw.until("\"done\":false").await;
    drop(raw);
    ollama.wait_until(|stats| stats.cancelled == 1).await.unwrap();
    assert_eq!(gateway.gateway.shared.queue.load().busy, 1, "held for the half second Ollama may need");
    let freed = async {
        while gateway.gateway.shared.queue.load().busy > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), freed).await.unwrap();
}
