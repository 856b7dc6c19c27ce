//! No more requests are inside Ollama than it has slots; the others wait within bounds, and what cannot be served in
//! time hears so at once.

use std::time::{Duration, Instant};

use demo::ollama::{Model, SimulatedOllama};
use futures_util::future::join_all;
use gateway::config::settings;
use gateway::identity::Priority;
use serde_json::json;

use crate::apis::{APIS, FAMILIES, assert_plain, quick, until};
use crate::support::{CHAT, EMBED, Raw, TestGateway, chat, ollama, request};

/// Fills both slots with requests that do not end before the tokens are released.
async fn occupy(gateway: &TestGateway, ollama: &SimulatedOllama) -> Vec<Raw> {
    ollama.hold_tokens_after(0);
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(send(gateway, "holder", CHAT).await);
    }
    ollama.wait_until(|stats| stats.running == 2).await.unwrap();
    held
}

async fn send(gateway: &TestGateway, who: &str, what: &str) -> Raw {
    let mut raw = gateway.raw().await;
    let mut body = chat(true);
    body["messages"][0]["content"] = json!(what);
    raw.send(request("POST", "/api/chat", &gateway.token_for(who), &body.to_string())).await;
    raw
}

fn queued(gateway: &TestGateway) -> usize {
    gateway.gateway.shared.queue.load().queued
}

async fn refused(gateway: &TestGateway, who: &str, body: &serde_json::Value) {
    let began = Instant::now();
    let asking = gateway.post_as(&gateway.token_for(who), "/api/chat", body);
    let answer = asking.send().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(answer.status(), 503);
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_plain(&APIS[1].error_of(&answer.json().await.unwrap()));
}

#[tokio::test]
async fn sixty_at_once_are_two_at_a_time() {
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.start().await;
    let asked = (0..60).map(|n| {
        let api = FAMILIES[n % 3];
        let asking = gateway.post_as(
            &gateway.token_for(&format!("caller-{}", n % 7)),
            api.path,
            &api.body(n % 2 == 0),
        );
        async move { asking.send().await.unwrap().error_for_status().unwrap().text().await.unwrap() }
    });
    assert!(join_all(asked).await.iter().all(|text| !text.is_empty()));
    assert_eq!(ollama.most_at_once(CHAT), 2);
    assert_eq!(ollama.stats().waiting, 0);
}

#[tokio::test]
async fn a_full_queue_and_a_full_half_say_so_at_once() {
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.config(|config| config.queue.capacity = 4).start().await;
    let _held = occupy(&gateway, &ollama).await;
    let mut waiting = Vec::new();
    for (n, who) in ["a", "a", "b", "b"].into_iter().enumerate() {
        waiting.push(send(&gateway, who, "wait").await);
        until("it is queued", || queued(&gateway) == n + 1).await;
        if n == 1 {
            refused(&gateway, "a", &chat(true)).await; // its half is full, there is room for others
        }
    }
    refused(&gateway, "c", &chat(true)).await;
    ollama.release_tokens();
    for mut one in waiting {
        one.until("\"done\":true").await;
    }
}

#[tokio::test]
async fn a_wait_predicted_too_long_is_refused() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.ollama.as_mut().unwrap().decode_tokens_per_second = 1.0;
        config.queue.max_wait_seconds = Duration::from_secs(20);
    });
    let gateway = builder.start().await;
    let _held = occupy(&gateway, &ollama).await;
    refused(&gateway, "late", &chat(true)).await;
    assert_eq!(queued(&gateway), 0);
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_refused() {
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.config(|config| config.queue.bytes = 100_000).start().await;
    let mut large = chat(true);
    large["messages"][0]["content"] = json!("word ".repeat(30_000));
    refused(&gateway, "large", &large).await;
    let answer = gateway.post("/api/chat", &chat(true)).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the memory is free again");
}

#[tokio::test]
async fn the_end_of_waiting_is_a_504() {
    let ollama = ollama().await;
    let builder = quick(&ollama).await;
    let gateway =
        builder.config(|config| config.queue.max_wait_seconds = Duration::from_millis(300)).start().await;
    let _held = occupy(&gateway, &ollama).await;
    for api in FAMILIES {
        for stream in [true, false] {
            let answer = gateway.post(api.path, &api.body(stream)).send().await.unwrap();
            assert_eq!(answer.status(), 504, "{api:?} {stream}");
            assert_plain(&api.error_of(&answer.json().await.unwrap()));
        }
    }
    assert_eq!(ollama.inferences().iter().filter(|seen| seen.target != "/api/generate").count(), 2);
}

#[tokio::test]
async fn another_model_does_not_wait_with_it() {
    let ollama = ollama().await;
    let gateway = quick(&ollama).await.start().await;
    let _held = occupy(&gateway, &ollama).await;
    let _waiting = send(&gateway, "a", "wait").await;
    until("it is queued", || queued(&gateway) == 1).await;
    let body = json!({ "model": EMBED, "input": ["one", "two"] });
    let answer = gateway.post("/api/embed", &body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(queued(&gateway), 1);
}

#[tokio::test]
async fn an_urgent_class_goes_first() {
    let ollama = SimulatedOllama::builder().model(Model::chat(CHAT)).parallel(1).start().await.unwrap();
    let urgent = settings::Role {
        groups: vec!["screens".to_owned()],
        priority: Some(Priority::Interactive),
        ..settings::Role::default()
    };
    let builder = quick(&ollama).await.config(|config| {
        config.ollama.as_mut().unwrap().parallel = 1;
        config.roles.insert("screens".to_owned(), urgent);
    });
    let gateway = builder.start().await;
    ollama.hold_tokens_after(0);
    let mut all = vec![send(&gateway, "holder", "held").await];
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    for (n, what) in ["first", "second", "third"].into_iter().enumerate() {
        all.push(send(&gateway, what, what).await);
        until("it is queued", || queued(&gateway) == n + 1).await;
    }
    let mut raw = gateway.raw().await;
    let mut body = chat(true);
    body["messages"][0]["content"] = json!("urgent");
    raw.send(request("POST", "/api/chat", &gateway.token_in("screens"), &body.to_string())).await;
    all.push(raw);
    until("it is queued", || queued(&gateway) == 4).await;
    ollama.release_tokens();
    for mut one in all {
        one.until("\"done\":true").await;
    }
    let chats = ollama.inferences().into_iter().filter(|seen| seen.target == "/api/chat");
    let order: Vec<String> =
        chats.map(|seen| seen.json()["messages"][0]["content"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, ["held", "urgent", "first", "second", "third"]);
}
