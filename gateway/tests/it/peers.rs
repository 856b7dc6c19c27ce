//! A node that is much fuller than another hands over to it, once; a node that leaves hands over what waits.

use std::time::Duration;

use demo::ollama::SimulatedOllama;
use serde_json::json;

use crate::apis::until;
use crate::hops::{Fleet, asked, meets, served_by};
use crate::support::{CHAT, EMBED, TestGateway, chat, ollama};

/// Two nodes that know each other.
pub async fn pair(fleet: &Fleet) -> [(TestGateway, SimulatedOllama); 2] {
    let (a, b) = (ollama().await, ollama().await);
    let one = fleet.node("one", &a).await.start().await;
    let two = fleet.node("two", &b).await.start().await;
    meets(&one, &[&two]).await;
    meets(&two, &[&one]).await;
    [(one, a), (two, b)]
}

type Asked = tokio::task::JoinHandle<reqwest::Response>;

fn ask(gateway: &TestGateway, times: usize) -> Vec<Asked> {
    let ask = |_| {
        let request = gateway.post("/api/chat", &chat(false));
        gateway.tasks.spawn(async move { request.send().await.unwrap() })
    };
    (0..times).map(ask).collect()
}

#[tokio::test]
async fn a_full_node_hands_over_to_one_that_has_the_model_and_never_a_second_time() {
    let fleet = Fleet::new();
    let [(one, a), (two, b)] = pair(&fleet).await;
    // A third, idle like the second, but without the model in memory.
    let c = ollama().await;
    let cold = fleet.node("three", &c).await.config(|config| {
        config.ollama.as_mut().unwrap().models = vec![EMBED.to_owned()];
    });
    let cold = cold.start().await;
    meets(&one, &[&two, &cold]).await;
    a.hold_tokens_after(0);
    b.hold_tokens_after(0);
    // Two run here; of those that wait, as many as fit go to the second node: two run there, and two wait.
    let sent = ask(&one, 10);
    until("the second is full", || {
        let load = two.gateway.shared.queue.load();
        (load.busy, load.queued) == (2, 2)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let load = two.gateway.shared.queue.load();
    assert_eq!((load.busy, load.queued, load.away), (2, 2, 0), "one hop, though the third is idle");
    assert!(c.inferences().iter().all(|seen| seen.json()["model"] != CHAT));
    a.release_tokens();
    b.release_tokens();
    let mut by = Vec::new();
    for answer in sent {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        by.push(served_by(&answer).to_owned());
    }
    assert!(by.iter().any(|node| node == "one") && by.iter().any(|node| node == "two"), "{by:?}");
    assert!(!by.iter().any(|node| node == "three"), "{by:?}");
}

#[tokio::test]
async fn a_node_with_a_free_slot_keeps_its_requests() {
    let fleet = Fleet::new();
    let [(one, _a), (_two, b)] = pair(&fleet).await;
    for answer in ask(&one, 2) {
        assert_eq!(served_by(&answer.await.unwrap()), "one");
    }
    assert_eq!(asked(&b), 0);
}

#[tokio::test]
async fn a_node_that_leaves_hands_over_what_waits() {
    let fleet = Fleet::new();
    let [(one, a), (two, b)] = pair(&fleet).await;
    a.hold_tokens_after(0);
    let running = ask(&one, 2);
    until("both run", || one.gateway.shared.queue.load().busy == 2).await;
    let small = json!({ "model": CHAT, "messages": [{ "role": "user", "content": "a" }], "stream": false,
        "options": { "num_predict": 1 } });
    // So little work that nobody would hand it over without need.
    let request = one.post("/api/chat", &small);
    let waiting = one.tasks.spawn(async move { request.send().await.unwrap() });
    until("it waits", || one.gateway.shared.queue.load().queued == 1).await;
    one.tasks.drain();
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status().as_u16(), served_by(&answer)), (200, "two"));
    assert_eq!(asked(&b), 1);
    a.release_tokens();
    for answer in running {
        assert_eq!(served_by(&answer.await.unwrap()), "one", "what runs ends where it began");
    }
    drop(two);
}
