//! What a front passes on is what its nodes would have answered themselves, and it is charged once.

use std::time::{Duration, Instant};

use demo::ollama::Model;
use fleet::store::{Phase, WantedModel};
use serde_json::{Value, json};

use crate::apis::{FAMILIES, until};
use crate::hops::{Fleet, meets, served_by};
use crate::support::{CHAT, DENIED, EMBED, TestGateway, chat, ollama, ollama_with};

/// Words with digits differ between any two answers: times, durations, identifiers.
fn without_numbers(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    let plain = |word: &str| match word.find(|c: char| c.is_ascii_digit()) {
        Some(_) => word.chars().last().into_iter().collect::<String>(),
        None => word.to_owned(),
    };
    words.map(plain).collect()
}

#[tokio::test]
async fn an_answer_through_the_front_is_the_nodes() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    for family in &FAMILIES {
        for stream in [true, false] {
            let body = family.body(stream);
            let direct = node.post(family.path, &body).send().await.unwrap();
            let through = front.post(family.path, &body).send().await.unwrap();
            assert_eq!((through.status().as_u16(), served_by(&through)), (200, "one"));
            assert!(through.headers().contains_key("x-queue-wait-ms"));
            let fields = ["content-type", "cache-control", "x-accel-buffering"];
            for field in fields {
                assert_eq!(through.headers().get(field), direct.headers().get(field), "{field}");
            }
            let (through, direct) = (through.text().await.unwrap(), direct.text().await.unwrap());
            assert_eq!(without_numbers(&through), without_numbers(&direct), "{}", family.path);
        }
    }
    let body = json!({ "model": EMBED, "input": "hello" });
    let embedded = front.post("/api/embed", &body).send().await.unwrap();
    assert_eq!(embedded.status(), 200, "a model that only has to be loaded is served too");
}

#[tokio::test]
async fn the_wait_shown_is_that_of_both_queues() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await;
    let slow = |config: &mut gateway::config::Config| {
        config.queue.keepalive_after_seconds = Duration::from_secs(60);
    };
    let front = front.config(slow).start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    ollama.hold_tokens_after(0);
    // Two slots, so the third waits at the node.
    let ask = |_| {
        let request = front.post("/api/chat", &chat(true));
        node.tasks.spawn(async move { request.send().await.unwrap() })
    };
    let asked: Vec<_> = (0..3).map(ask).collect();
    until("one waits at the node", || node.gateway.shared.queue.load().queued == 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    ollama.release_tokens();
    let mut waits = Vec::new();
    for answer in asked {
        let answer = answer.await.unwrap();
        waits.push(answer.headers()["x-queue-wait-ms"].to_str().unwrap().parse::<u64>().unwrap());
    }
    waits.sort_unstable();
    assert!(waits[2] >= 300, "{waits:?}");
}

#[tokio::test]
async fn who_goes_from_the_front_is_gone_at_the_node() {
    let (fleet, ollama) = (Fleet::new(), ollama_with(Model::chat(CHAT).endless().speed(1e6, 200.0)).await);
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    for family in &FAMILIES {
        let before = ollama.cancelled();
        let mut answer = front.post(family.path, &family.body(true)).send().await.unwrap();
        // Slots are held for a moment behind the one that went before.
        while answer.chunk().await.unwrap().unwrap() == family.keepalive.as_bytes() {}
        let gone = Instant::now();
        drop(answer);
        until("Ollama has noticed", || ollama.cancelled() > before).await;
        assert!(gone.elapsed() < Duration::from_secs(2), "{:?}", gone.elapsed());
    }
    until("all slots are free", || {
        front.gateway.shared.queue.load().busy + node.gateway.shared.queue.load().busy == 0
    })
    .await;
}

#[tokio::test]
async fn a_request_is_charged_and_counted_once() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    let answer: Value = front.post("/api/chat", &chat(false)).send().await.unwrap().json().await.unwrap();
    let count = |field: &str| answer[field].as_u64().unwrap();
    until("both have let go of it", || {
        front.gateway.shared.queue.load().busy + node.gateway.shared.queue.load().busy == 0
    })
    .await;
    front.gateway.shared.books.usage.write().await;
    node.gateway.shared.books.usage.write().await;
    let caller = format!("{}#alice", front.issuer.url());
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let usage = fleet.store.usage(&caller, &day).await.unwrap();
    assert_eq!(usage.requests, 1);
    assert_eq!(usage.prompt_tokens, count("prompt_eval_count"));
    assert_eq!(usage.generated_tokens, count("eval_count"));
    assert!(usage.gpu_seconds > 0.0);
}

async fn names(gateway: &TestGateway, token: &str) -> Vec<String> {
    let request = gateway.client().get(gateway.url("/api/tags")).bearer_auth(token);
    let list: Value = request.send().await.unwrap().json().await.unwrap();
    let mut names: Vec<_> =
        list["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn lists_are_the_nodes_remembered_asleep_and_wake_nobody() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let wanted = WantedModel { name: "gemma-next:1b".to_owned(), ..WantedModel::default() };
    fleet.store.want_model("default", &wanted).await.unwrap();
    let front = fleet.front().await.start().await;
    assert_eq!(names(&front, &front.token()).await, ["gemma-next:1b"], "asleep: what the fleet should have");
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    tokio::time::sleep(Duration::from_secs(2)).await; // a list is believed for so long
    let (user, operator) = (front.token(), front.token_in("operators"));
    let of_user = ["gemma-next:1b", CHAT, EMBED];
    let of_operator = ["gemma-next:1b", CHAT, EMBED, DENIED];
    assert_eq!(names(&front, &user).await, of_user, "as the caller's rights are");
    assert_eq!(names(&front, &operator).await, of_operator);
    let loaded: Value = front.get("/api/ps").send().await.unwrap().json().await.unwrap();
    assert_eq!(loaded["models"][0]["name"], CHAT);
    let openai: Value = front.get("/v1/models").send().await.unwrap().json().await.unwrap();
    assert_eq!(openai["data"].as_array().unwrap().len(), 3);
    let version = async |gateway: &TestGateway| -> Value {
        gateway.get("/api/version").send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(version(&front).await, version(&node).await);
    let shown = front.post("/api/show", &json!({ "model": CHAT })).send().await.unwrap();
    assert_eq!((shown.status().as_u16(), served_by(&shown)), (200, "one"));

    drop(node);
    fleet.store.forget("default", "one").await.unwrap();
    until("the node is gone", || front.gateway.shared.roster.ready_nodes() == 0).await;
    assert_eq!(names(&front, &user).await, of_user, "remembered");
    assert_eq!(names(&front, &operator).await, of_operator);
    let shown = front.post("/api/show", &json!({ "model": CHAT })).send().await.unwrap();
    assert_eq!(shown.status(), 503, "nobody is woken for it");
    assert!(shown.text().await.unwrap().contains("no node is awake"));
    assert_eq!(fleet.store.state("default").await.unwrap().phase, Phase::Asleep);
}

#[tokio::test]
async fn a_model_no_node_has_is_said_so_once_a_node_has_told_its_own() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    let body = json!({ "model": "gemma-none", "messages": [{ "role": "user", "content": "hi" }] });
    let refused = front.post("/api/chat", &body).send().await.unwrap();
    let (status, text) = (refused.status(), refused.text().await.unwrap());
    assert_eq!(status, 404, "{text}");
    assert!(text.contains("model 'gemma-none:latest' not found"), "{text}");
}

#[tokio::test]
async fn a_load_goes_to_a_node_and_an_unload_is_refused() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    let loaded = front.post("/api/generate", &json!({ "model": CHAT })).send().await.unwrap();
    assert_eq!(loaded.status(), 200, "{}", loaded.text().await.unwrap());
    let unload = json!({ "model": CHAT, "keep_alive": 0 });
    let refused = front.post_as(&front.token_in("operators"), "/api/generate", &unload).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("through its front"));
}
