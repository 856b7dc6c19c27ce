//! Models are loaded by the gateway: the pinned ones at start and for ever, others once for all who ask, and never
//! by a client.

use std::time::Duration;

use demo::ollama::{Fault, Model, SimulatedOllama};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::apis::{APIS, assert_plain, until};
use crate::support::{CHAT, DENIED, EMBED, TestGateway, chat, ollama};

/// The loads the gateway asked for: what has no prompt and no input.
fn asked_loads(ollama: &SimulatedOllama, model: &str) -> Vec<(String, Value)> {
    let seen = ollama.inferences().into_iter().map(|seen| (seen.target.clone(), seen.json()));
    let empty = |body: &Value| body.get("prompt").is_none() && body.get("messages").is_none();
    seen.filter(|(_, body)| {
        body["model"] == model && empty(body) && body["input"].as_array().is_none_or(Vec::is_empty)
    })
    .collect()
}

fn asking(gateway: &TestGateway, model: &str) -> reqwest::RequestBuilder {
    let mut body = chat(false);
    body["model"] = json!(model);
    gateway.post_as(&gateway.token_in("operators"), "/api/chat", &body)
}

/// Takes a model out of memory without the gateway.
async fn unload(ollama: &SimulatedOllama, model: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({ "model": model, "keep_alive": 0 }).to_string();
    let answer = client.post(format!("{}/api/generate", ollama.url())).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn pinned_models_are_loaded_at_start_and_kept() {
    let ollama = ollama().await;
    let _gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let loads = asked_loads(&ollama, CHAT);
    assert_eq!((loads.len(), &loads[0].1["keep_alive"]), (1, &json!(-1)), "{loads:?}");
    unload(&ollama, CHAT).await;
    ollama.wait_until(|stats| stats.model(CHAT).loads_finished == 2).await.unwrap();
}

#[tokio::test]
async fn ten_who_ask_for_a_cold_model_cause_one_load() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.hold_loads();
    let asked = join_all((0..10).map(|_| asking(&gateway, DENIED).send()));
    let loading = async {
        until("all wait", || gateway.gateway.shared.queue.load().queued == 10).await;
        until("the load has begun", || ollama.loads_started(DENIED) == 1).await;
        assert_eq!(ollama.inferences().len(), 2, "no client's request is inside before the model is there");
        ollama.release_loads();
    };
    let (answers, ()) = tokio::join!(asked, loading);
    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 200));
    assert_eq!((ollama.loads_started(DENIED), asked_loads(&ollama, DENIED).len()), (1, 1));
}

#[tokio::test]
async fn a_load_survives_all_who_wanted_it() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.hold_loads();
    let leaving =
        join_all((0..5).map(|_| asking(&gateway, DENIED).timeout(Duration::from_millis(300)).send()));
    assert!(leaving.await.into_iter().all(|answer| answer.unwrap_err().is_timeout()));
    until("nobody waits", || gateway.gateway.shared.queue.load().queued == 0).await;
    ollama.release_loads();
    ollama.wait_until(|stats| stats.model(DENIED).loads_finished == 1).await.unwrap();
    assert_eq!(asking(&gateway, DENIED).send().await.unwrap().status(), 200);
    assert_eq!(ollama.loads_started(DENIED), 1);
}

#[tokio::test]
async fn a_load_that_fails_is_told_and_tried_again_later() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let text = "llama-server process has terminated: open /var/lib/ollama/blobs/sha256-1: no such file";
    ollama.fault_on("/api/generate", Fault::FailLoad(text.to_owned()));
    ollama.hold_loads();
    let asked = join_all((0..3).map(|_| asking(&gateway, DENIED).send()));
    let failing = async {
        until("all wait", || gateway.gateway.shared.queue.load().queued == 3).await;
        ollama.release_loads();
    };
    for answer in tokio::join!(asked, failing).0 {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 502);
        assert_plain(&APIS[1].error_of(&answer.json().await.unwrap()));
    }
    let soon = asking(&gateway, DENIED).send().await.unwrap();
    assert_eq!((soon.status().as_u16(), ollama.loads_started(DENIED)), (502, 1), "no storm of loads");
    let later = async {
        while asking(&gateway, DENIED).send().await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), later).await.expect("it is loaded in the end");
    assert_eq!(ollama.loads_started(DENIED), 2);
}

#[tokio::test]
async fn an_embedding_model_has_one_slot_and_is_loaded_by_its_own_route() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let body = json!({ "model": EMBED, "input": ["a text"] });
    let asked = join_all((0..12).map(|_| gateway.post("/api/embed", &body).send())).await;
    assert!(asked.into_iter().all(|answer| answer.unwrap().status() == 200));
    assert_eq!(
        asked_loads(&ollama, EMBED),
        [("/api/embed".to_owned(), json!({ "model": EMBED, "input": [] }))]
    );
    assert_eq!(ollama.most_at_once(EMBED), 1);
    assert_eq!(gateway.gateway.shared.queue.load().slots, 2 + 1);
}

#[tokio::test]
async fn a_model_nobody_has_is_not_loaded() {
    let ollama = SimulatedOllama::builder().model(Model::chat(CHAT)).parallel(2).start().await.unwrap();
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for stream in [true, false] {
        let mut body = chat(stream);
        body["model"] = json!("gemma-none:1b");
        let answer = gateway.post("/api/chat", &body).send().await.unwrap();
        assert_eq!(answer.status(), 404);
        let text = answer.text().await.unwrap();
        assert!(text.contains("gemma-none:1b") && text.contains("not found"), "{text}");
    }
    assert_eq!(ollama.inferences().len(), 1, "the pinned one's load");
}

#[tokio::test]
async fn loading_is_for_all_and_unloading_for_operators() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let load = json!({ "model": CHAT, "stream": false });
    let answer: Value = gateway.post("/api/generate", &load).send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["done"], &answer["done_reason"]), (&json!(true), &json!("load")));
    let lines =
        gateway.post("/api/chat", &json!({ "model": CHAT })).send().await.unwrap().text().await.unwrap();
    assert!(lines.contains("\"done_reason\":\"load\""), "streamed too: {lines}");
    let unload = json!({ "model": CHAT, "keep_alive": 0, "stream": false });
    assert_eq!(gateway.post("/api/generate", &unload).send().await.unwrap().status(), 403);
    assert_eq!(ollama.loads_started(CHAT), 1);
    let operator = gateway.token_in("operators");
    let answer = gateway.post_as(&operator, "/api/generate", &unload).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["done_reason"], "unload");
    ollama
        .wait_until(|stats| stats.model(CHAT).loads_finished == 2)
        .await
        .expect("it is pinned, so it comes again");
    let load = json!({ "model": DENIED, "stream": false });
    let answer = gateway.post_as(&operator, "/api/generate", &load).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["done_reason"], "load");
    assert_eq!(ollama.loads_finished(DENIED), 1);
}
