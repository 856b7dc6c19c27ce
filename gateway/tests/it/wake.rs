//! An admitted inference request wakes a fleet that sleeps, once; nothing else does; a broken fleet says so.

use std::time::Duration;

use fleet::report::{NodeState, Report};
use fleet::store::{FleetState, Phase};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::apis::{h2_post, h2_wide, until};
use crate::fleet_limits::key;
use crate::support::{CHAT, TestGateway, chat, ollama};

const FLEET: &str = "default";

/// The gateway of a front: nothing local.
async fn front() -> TestGateway {
    let ollama = ollama().await;
    TestGateway::in_front_of(&ollama).await.config(|config| config.ollama = None).start_unready().await
}

async fn state(gateway: &TestGateway) -> FleetState {
    gateway.store.state(FLEET).await.unwrap()
}

async fn set(gateway: &TestGateway, phase: Phase, reason: Option<&str>) {
    let was = state(gateway).await;
    let now = jiff::Timestamp::now().as_second();
    let new = FleetState { reason: reason.map(str::to_owned), ..was.moved_to(phase, now) };
    gateway.store.change_state(FLEET, &was, &new).await.unwrap();
    let wake = &gateway.gateway.shared.wake;
    until("the gateway has seen the state", || wake.state().phase == phase).await;
}

async fn report(gateway: &TestGateway, sequence: u64, state: NodeState) {
    let report = Report {
        node: "i-0123".to_owned(),
        state,
        sequence,
        slots: 4,
        busy: 1,
        models: vec![CHAT.to_owned(), "secret:latest".to_owned()],
        ..Report::default()
    };
    let now = jiff::Timestamp::now().as_second();
    gateway.store.write_report(FLEET, &report, now).await.unwrap();
}

async fn fleet(gateway: &TestGateway, token: &str) -> Value {
    let asked = gateway.client().get(gateway.url("/fleet")).bearer_auth(token).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    asked.json().await.unwrap()
}

#[tokio::test]
async fn two_hundred_held_requests_change_the_state_once() {
    let ollama = ollama().await;
    ollama.hold_loads();
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.limits.h2_streams = 256;
        config.queue.max_wait_seconds = Duration::from_secs(80_000);
    });
    let gateway = builder.start_unready().await;
    until("Ollama is known", || gateway.gateway.shared.keeper().unwrap().known().reachable).await;
    let h2 = h2_wide(&gateway).await;
    let body = chat(false);
    let asked = (0..200).map(|_| {
        let mut h2 = h2.clone();
        let (gateway, body) = (&gateway, &body);
        async move { h2_post(gateway, &mut h2, "/api/chat", body).await.status() }
    });
    let woken = async {
        until("all are held", || gateway.gateway.shared.queue.load().queued == 200).await;
        until("it wakes", || gateway.gateway.shared.wake.state().phase == Phase::Waking).await;
        tokio::time::sleep(Duration::from_millis(1500)).await; // another look or two
        assert_eq!(state(&gateway).await.version, 1);
        ollama.release_loads();
    };
    let (answers, ()) = tokio::join!(join_all(asked), woken);
    for answer in answers {
        assert_eq!(answer, 200);
    }
    assert_eq!((state(&gateway).await.phase, state(&gateway).await.version), (Phase::Waking, 1));
}

#[tokio::test]
async fn lists_state_and_health_wake_nobody() {
    let gateway = front().await;
    for path in ["/", "/healthz", "/readyz", "/api/version", "/api/tags", "/api/ps", "/v1/models", "/fleet"] {
        gateway.get(path).send().await.unwrap();
    }
    let unload = json!({ "model": CHAT, "keep_alive": 0 });
    gateway.post_as(&gateway.token_in("operators"), "/api/generate", &unload).send().await.unwrap();
    gateway.post("/api/show", &json!({ "model": CHAT })).send().await.unwrap();
    for refused in [json!({ "model": "secret:latest" }), json!({ "model": CHAT, "messages": 1 })] {
        let answer = gateway.post("/api/chat", &refused).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{refused}");
    }
    let nobody = gateway.client().post(gateway.url("/api/chat")).body(chat(false).to_string());
    assert_eq!(nobody.send().await.unwrap().status(), 401);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(state(&gateway).await, FleetState::default());
    let asked = gateway.post("/api/chat", &chat(false));
    tokio::select! {
        held = asked.send() => panic!("{held:?}"),
        () = until("a request wakes it", || gateway.gateway.shared.wake.state().phase == Phase::Waking) => {}
    }
    assert_eq!(state(&gateway).await.version, 1);
}

/// Who may not be served has no right to a node either.
#[tokio::test]
async fn who_is_over_a_limit_wakes_nobody() {
    let gateway = front().await;
    let (key, store) = (key(gateway.store.as_ref()).await, &gateway.store);
    let minute = jiff::Timestamp::now().as_second().div_euclid(60);
    for minute in [minute, minute + 1] {
        store.reserve("key#alice", minute, u64::MAX >> 1, 1, u64::MAX >> 1, 1).await.unwrap();
    }
    assert_eq!(gateway.post_as(&key, "/api/chat", &chat(false)).send().await.unwrap().status(), 429);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(state(&gateway).await, FleetState::default());
}

#[tokio::test]
async fn a_broken_fleet_answers_at_once_with_its_reason() {
    let gateway = front().await;
    set(&gateway, Phase::Broken, Some("there is no capacity in eu-west-1a")).await;
    for stream in [true, false] {
        let answer = gateway.post("/api/chat", &chat(stream)).send().await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "60");
        let told = answer.text().await.unwrap();
        assert!(told.contains("no capacity in eu-west-1a"), "{told}");
    }
    assert_eq!(state(&gateway).await.version, 1, "the scaler tries again, not the callers");
    let seen = fleet(&gateway, &gateway.token()).await;
    assert_eq!(
        (&seen["state"], &seen["reason"]),
        (&json!("broken"), &json!("there is no capacity in eu-west-1a"))
    );
}

#[tokio::test]
async fn the_state_is_told_as_far_as_it_concerns_the_caller() {
    let gateway = front().await;
    let (user, operator) = (gateway.token(), gateway.token_in("operators"));
    let asleep = fleet(&gateway, &user).await;
    assert_eq!((&asleep["state"], &asleep["expected_wait_seconds"]), (&json!("asleep"), &json!(240.0)));
    assert_eq!((&asleep["nodes"], &asleep["queued"]), (&json!([]), &json!(0)));
    report(&gateway, 1, NodeState::Ready).await;
    tokio::time::sleep(Duration::from_millis(2100)).await; // the list may be so old
    let seen = fleet(&gateway, &operator).await;
    let node = json!({ "name": "i-0123", "state": "ready", "slots": 4, "busy": 1, "queued": 0,
        "models": [CHAT, "secret:latest"] });
    assert_eq!(seen["nodes"], json!([node]));
    assert_eq!((&seen["state"], &seen["expected_wait_seconds"]), (&json!("awake"), &json!(0.0)));
    let seen = fleet(&gateway, &user).await;
    let node = json!({ "state": "ready", "slots": 4, "busy": 1, "queued": 0, "models": [CHAT] });
    assert_eq!(seen["nodes"], json!([node]));
    assert_eq!(seen["node_counts"], json!({ "starting": 0, "loading": 0, "ready": 1, "draining": 0 }));
    assert!(seen["version"].is_string() && seen["since"].is_i64(), "{seen}");
}

#[tokio::test]
async fn operators_wake_the_fleet_and_put_it_to_sleep() {
    let gateway = front().await;
    let order = async |token: &str, path: &str| {
        let answer = gateway.post_as(token, path, &json!({})).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for path in ["/fleet/wake", "/fleet/sleep"] {
        let (status, told) = order(&gateway.token(), path).await;
        assert_eq!(status, 403);
        assert!(told["error"].as_str().unwrap().contains("only operators"), "{told}");
    }
    assert_eq!(state(&gateway).await.version, 0);
    for group in ["operators", "admins"] {
        let token = gateway.token_in(group);
        let before = state(&gateway).await.version;
        for _ in 0..2 {
            let (status, told) = order(&token, "/fleet/wake").await;
            assert_eq!((status, &told["state"]), (200, &json!("waking")));
        }
        for _ in 0..2 {
            let (status, told) = order(&token, "/fleet/sleep").await;
            assert_eq!((status, &told["state"]), (200, &json!("falling_asleep")));
        }
        assert_eq!(state(&gateway).await.version, before + 2, "told twice, changed once");
    }
}

/// Comments tell it, in the family whose clients skip them.
#[tokio::test]
async fn a_held_stream_is_told_how_long() {
    let ollama = ollama().await;
    ollama.hold_loads();
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.queue.keepalive_after_seconds = Duration::from_millis(1500);
        config.queue.keepalive_every_seconds = Duration::from_millis(100);
    });
    let gateway = builder.start_unready().await;
    until("Ollama is known", || gateway.gateway.shared.keeper().unwrap().known().reachable).await;
    for (path, told) in [("/v1/chat/completions", ": waking, about 2"), ("/api/chat", " ")] {
        let mut answer = gateway.post(path, &chat(true)).send().await.unwrap();
        let first = answer.chunk().await.unwrap().unwrap();
        let first = std::str::from_utf8(&first).unwrap();
        assert!(first.starts_with(told), "{path}: {first:?}");
        if path == "/api/chat" {
            assert_eq!(first.trim(), "");
        }
    }
    ollama.release_loads();
}

/// Whoever holds an answer in one piece is told when it may come, before clients and load balancers give up.
#[tokio::test]
async fn a_whole_answer_that_the_boot_outlasts_is_a_504_with_the_time() {
    let ollama = ollama().await;
    ollama.hold_loads();
    let builder = TestGateway::in_front_of(&ollama)
        .await
        .config(|config| config.limits.answer_seconds = Duration::from_millis(1500));
    let gateway = builder.start_unready().await;
    until("Ollama is known", || gateway.gateway.shared.keeper().unwrap().known().reachable).await;
    let answer = gateway.post("/api/chat", &chat(false)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (504, &"60".parse().unwrap()));
    assert!(!answer.headers().contains_key("x-should-retry"));
    assert!(answer.text().await.unwrap().contains("no node is ready yet"));
    ollama.release_loads();
}
