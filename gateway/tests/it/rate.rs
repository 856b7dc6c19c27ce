//! One caller has one limit, however many connections, protocols, tokens and paths they use; what they are told to
//! wait is true.

use std::time::Duration;

use demo::issuer::{Algorithm, Claims};
use demo::ollama::{Model, SimulatedOllama};
use gateway::config::settings::Role;
use gateway::identity::api_keys;
use http::Request;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fleet_limits::early_in_a_minute;
use crate::speak::{Answer, over_h2};
use crate::support::{AUDIENCE, CHAT, TestGateway, chat, ollama, ollama_with, request};

async fn gateway(ollama: &SimulatedOllama, set: impl FnOnce(&mut Role)) -> TestGateway {
    let builder = TestGateway::in_front_of(ollama).await;
    builder.config(|config| set(config.roles.get_mut("user").unwrap())).start().await
}

/// The seconds a 429 names.
fn wait(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{answer:?}");
    let seconds = answer.field("retry-after").expect("Retry-After").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    seconds
}

#[tokio::test]
async fn requests_are_counted_over_everything_a_caller_has() {
    let ollama = ollama().await;
    let gateway =
        gateway(&ollama, |user| (user.requests_per_minute, user.requests_burst) = (Some(6), Some(5))).await;
    // Five requests, none like another, all of one person.
    assert_eq!(Answer::of(gateway.get("/api/tags")).await.status, 200);
    assert_eq!(Answer::of(gateway.post("/api/chat", &chat(false))).await.status, 200);
    let other_token =
        gateway.issuer.token_by(Algorithm::Es256, &Claims::oidc("alice").audience(AUDIENCE)).unwrap();
    let h2 = |token: &str| Request::get("/v1/models").header("authorization", format!("Bearer {token}"));
    assert_eq!(over_h2(&gateway, h2(&other_token).body(()).unwrap(), "").await.status, 200);
    let by_field = gateway.client().get(gateway.url("/fleet")).header("x-api-key", gateway.token());
    assert_eq!(Answer::of(by_field).await.status, 200);
    assert_eq!(Answer::of(gateway.post("/v1/chat/completions", &json!("no object"))).await.status, 400);

    let refused = wait(&Answer::of(gateway.get("/api/tags")).await);
    assert!((9..=13).contains(&refused), "one in ten seconds comes back, and a little chance: {refused}");
    wait(&over_h2(&gateway, h2(&other_token).body(()).unwrap(), "").await);
    wait(&Answer::of(gateway.post("/api/chat", &chat(false))).await);
    // Neither others nor the open routes are touched.
    assert_eq!(
        Answer::of(gateway.post_as(&gateway.token_for("bob"), "/api/chat", &chat(false))).await.status,
        200
    );
    assert_eq!(Answer::of(gateway.get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn the_keys_of_one_owner_share_a_limit() {
    let ollama = ollama().await;
    let gateway =
        gateway(&ollama, |user| (user.requests_per_minute, user.requests_burst) = (Some(1), Some(2))).await;
    let key =
        async |owner| api_keys::create(gateway.store.as_ref(), owner, Vec::new(), 0, None).await.unwrap().0;
    let tags =
        async |key: &str| Answer::of(gateway.client().get(gateway.url("/api/tags")).bearer_auth(key)).await;
    let (one, two, other) = (key("robot").await, key("robot").await, key("other").await);
    assert_eq!((tags(&one).await.status, tags(&two).await.status), (200, 200));
    assert!((tags(&one).await.status, tags(&two).await.status) == (429, 429));
    assert_eq!(wait(&tags(&two).await), 60, "cut to what all clients obey");
    assert_eq!(tags(&other).await.status, 200);
}

#[tokio::test]
async fn after_the_time_that_was_named_the_next_request_is_let_through() {
    let ollama = ollama().await;
    let gateway =
        gateway(&ollama, |user| (user.requests_per_minute, user.requests_burst) = (Some(120), Some(2))).await;
    for _ in 0..2 {
        assert_eq!(Answer::of(gateway.get("/api/tags")).await.status, 200);
    }
    let seconds = wait(&Answer::of(gateway.get("/api/tags")).await);
    let until = Instant::now() + Duration::from_secs(seconds);
    tokio::time::sleep_until(until).await;
    assert_eq!(Answer::of(gateway.get("/api/tags")).await.status, 200);
}

#[tokio::test]
async fn open_requests_are_counted_until_their_last_byte() {
    let ollama = ollama_with(Model::chat(CHAT).endless().speed(1_000_000.0, 200.0)).await;
    let gateway = gateway(&ollama, |user| user.open_requests = Some(2)).await;
    let token = gateway.token();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut raw = gateway.raw().await;
        raw.send(request("POST", "/api/chat", &token, &chat(true).to_string())).await;
        raw.until("\"done\":false").await;
        streams.push(raw);
    }
    assert!(wait(&Answer::of(gateway.post("/api/chat", &chat(true))).await) <= 2);
    wait(&Answer::of(gateway.get("/api/tags")).await);
    drop(streams.pop());
    let freed = async {
        while Answer::of(gateway.get("/api/tags")).await.status == 429 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), freed).await.expect("the place of the one that left");
}

#[tokio::test]
async fn tokens_are_counted_by_what_was_really_used() {
    let ollama = ollama_with(Model::chat(CHAT).words(50)).await;
    let gateway = gateway(&ollama, |user| user.tokens_per_minute = Some(600)).await;
    early_in_a_minute().await;
    let mut answers = 0;
    let refused = loop {
        let answer = Answer::of(gateway.post("/api/chat", &chat(false))).await;
        if answer.status != 200 {
            break answer;
        }
        answers += 1;
        assert!(answers < 100, "no limit");
    };
    wait(&refused);
    assert!(answers >= 1, "more than the expected tokens are not needed for one");
    // By the other families as well, and nothing that costs no tokens.
    let words =
        json!({ "model": CHAT, "messages": [{ "role": "user", "content": "hi" }], "max_tokens": 600 });
    wait(&Answer::of(gateway.post("/v1/chat/completions", &words)).await);
    wait(&Answer::of(gateway.post("/v1/messages", &words)).await);
    assert_eq!(Answer::of(gateway.get("/api/tags")).await.status, 200);
    assert_eq!(
        Answer::of(gateway.post_as(&gateway.token_for("bob"), "/api/chat", &chat(false))).await.status,
        200
    );
}

#[tokio::test]
async fn strangers_grow_no_table() {
    let ollama = ollama().await;
    let gateway =
        gateway(&ollama, |user| (user.requests_per_minute, user.requests_burst) = (Some(1), Some(2))).await;
    let (client, foreign) = (gateway.client(), demo::issuer::Issuer::start().await.unwrap());
    for at in 0..200 {
        let token = match at % 3 {
            0 => foreign.token_by(Algorithm::EdDsa, &Claims::oidc(&format!("mallory{at}"))).unwrap(),
            1 => gateway.token_of(&Claims::oidc(&format!("mallory{at}")).audience("other")),
            _ => format!("ollm_{at}"),
        };
        let answer = Answer::of(client.get(gateway.url("/api/tags")).bearer_auth(token)).await;
        assert_eq!(answer.status, 401);
    }
    let shared = &gateway.gateway.shared;
    assert_eq!((shared.limiter.sweep(), shared.quota.sweep()), (0, 0));
    assert_eq!(Answer::of(gateway.get("/api/tags")).await.status, 200);
    assert_eq!(shared.limiter.sweep(), 1, "somebody who is known has an entry");
}
