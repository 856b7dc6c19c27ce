//! One caller has one limit in the whole fleet, exactly; and while the store cannot be asked nobody is turned away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use fleet::store::{SqliteStore, Store};
use futures_util::future::join_all;
use gateway::config::settings::Role;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::apis::metric;
use crate::faulty_store::FaultyStore;
use crate::speak::Answer;
use crate::support::{CHAT, TestGateway, ollama_with};

/// `alice` of the same issuer is one person at every gateway of a fleet; the gateways of a test have an issuer each, so
/// she comes with an API key.
pub async fn key(store: &dyn Store) -> String {
    gateway::identity::api_keys::create(store, "alice", Vec::new(), 0, None).await.unwrap().0
}

fn open(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&dir.join("fleet.db")).unwrap())
}

async fn node(ollama: &SimulatedOllama, store: Arc<dyn Store>, set: impl FnOnce(&mut Role)) -> TestGateway {
    let builder = TestGateway::in_front_of(ollama).await.store(store);
    builder.config(|config| set(config.roles.get_mut("user").unwrap())).start().await
}

/// A minute must not end within a test that counts what fits into one.
pub async fn early_in_a_minute() {
    let second = jiff::Timestamp::now().as_second().rem_euclid(60);
    if second > 50 {
        sleep(Duration::from_secs(60 - second.unsigned_abs())).await;
    }
}

fn short() -> Value {
    json!({ "model": CHAT, "messages": [{ "role": "user", "content": "hi" }], "stream": false,
            "options": { "num_predict": 1 } })
}

async fn ask(gateway: &TestGateway, key: &str) -> Answer {
    Answer::of(gateway.post_as(key, "/api/chat", &short())).await
}

fn unchecked(gateway: &TestGateway) -> f64 {
    metric(gateway, "gateway_limits_unchecked_total{share=\"within\"}")
        + metric(gateway, "gateway_limits_unchecked_total{share=\"beyond\"}")
}

#[tokio::test]
async fn a_hundred_at_once_over_two_gateways_overshoot_by_nothing_and_nobody_is_refused_falsely() {
    let ollama = ollama_with(Model::chat(CHAT).words(1)).await;
    let dir = TempDir::new().unwrap();
    // Each process alone would let thirty through.
    let limit = |user: &mut Role| (user.requests_per_minute, user.requests_burst) = (Some(30), Some(30));
    let (one, two) =
        tokio::join!(node(&ollama, open(dir.path()), limit), node(&ollama, open(dir.path()), limit));
    let key = key(one.store.as_ref()).await;
    early_in_a_minute().await;
    let asking = (0..100).map(|n| ask(if n % 2 == 0 { &one } else { &two }, &key));
    let answers = join_all(asking).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(429)), (30, 70), "unchecked: {} {}", unchecked(&one), unchecked(&two));
    assert_eq!((unchecked(&one), unchecked(&two)), (0.0, 0.0));
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        assert!(answer.body.contains("requests per minute"), "{answer:?}");
        let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
    }
}

#[tokio::test]
async fn tokens_are_one_sum_settled_with_the_truth() {
    let ollama = ollama_with(Model::chat(CHAT).words(1)).await;
    let dir = TempDir::new().unwrap();
    // One answer is estimated at 200 and more as long as its length is open, so a third one fits only by what the
    // others gave back.
    let narrow = |user: &mut Role| user.tokens_per_minute = Some(500);
    let (one, two) =
        tokio::join!(node(&ollama, open(dir.path()), narrow), node(&ollama, open(dir.path()), narrow));
    let key = key(one.store.as_ref()).await;
    early_in_a_minute().await;
    let minute = jiff::Timestamp::now().as_second().div_euclid(60);
    let open_ended =
        json!({ "model": CHAT, "messages": [{ "role": "user", "content": "hi" }], "stream": false });
    for n in 0..6 {
        let gateway = if n % 2 == 0 { &one } else { &two };
        let answer = Answer::of(gateway.post_as(&key, "/api/chat", &open_ended)).await;
        assert_eq!(answer.status, 200, "{n}: {answer:?}");
        settled(dir.path(), minute).await;
    }
    let used = window(dir.path(), minute).await;
    assert!((6..=120).contains(&used), "the truth: {used}");
}

/// Tokens in alice's window: what a reservation that cannot fit is told.
async fn window(dir: &Path, minute: i64) -> i64 {
    let store = open(dir);
    match store.reserve("key#alice", minute, 1, 1, 0, 0).await.unwrap() {
        fleet::store::Reservation::Refused(window) => window.tokens,
        fleet::store::Reservation::Reserved(window) => panic!("{window:?}"),
    }
}

/// Waits until no estimate stands any more.
async fn settled(dir: &Path, minute: i64) {
    let waiting = async {
        while window(dir, minute).await > 150 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, waiting).await.expect("it is settled");
}

#[tokio::test]
async fn without_the_store_all_are_let_through_and_counted() {
    let ollama = ollama_with(Model::chat(CHAT).words(1)).await;
    let dir = TempDir::new().unwrap();
    let store = FaultyStore::open(dir.path());
    let gateway = node(&ollama, store.clone(), |user| user.tokens_per_minute = Some(300)).await;
    let key = key(&store.inner).await;
    early_in_a_minute().await;
    assert_eq!(ask(&gateway, &key).await.status, 200);
    assert_eq!(unchecked(&gateway), 0.0);
    store.fail(true);
    for _ in 0..30 {
        assert_eq!(ask(&gateway, &key).await.status, 200);
    }
    assert_eq!(unchecked(&gateway), 30.0);
    // One that hangs costs the first of them half a second each.
    store.hang(true);
    let began = Instant::now();
    let answers = join_all((0..20).map(|_| ask(&gateway, &key))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    store.hang(false);
    store.fail(false);
    let before = unchecked(&gateway);
    assert_eq!(before, 50.0);
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask(&gateway, &key).await.status, 200, "what went past the store was not added to it");
    assert_eq!(unchecked(&gateway), before, "the store is asked again");
}
