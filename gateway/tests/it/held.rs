//! What comes to a front while no node is ready is held, then served; what a node refuses before the first byte costs
//! its request nothing but time; what breaks later is said in the family's form.

use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use gateway::config::Config;
use serde_json::Value;

use crate::apis::{Api, FAMILIES, until};
use crate::hops::{Fleet, asked, meets, served_by};
use crate::support::{CHAT, chat, ollama};

#[tokio::test]
async fn a_stream_is_kept_alive_until_a_node_is_ready_and_then_served() {
    let fleet = Fleet::new();
    let front = fleet.front().await.start().await;
    let mut held = Vec::new();
    for family in &FAMILIES {
        let mut answer = front.post(family.path, &family.body(true)).send().await.unwrap();
        let first = answer.chunk().await.unwrap().unwrap();
        let first = String::from_utf8(first.to_vec()).unwrap();
        assert!(served(family, &first).is_empty(), "{first:?}");
        if family.path.starts_with("/v1/chat") {
            assert!(first.contains("about"), "the wait is told: {first:?}");
        }
        held.push((family, answer));
    }
    assert_eq!(front.gateway.shared.queue.load().queued, 3);
    let ollama = ollama().await;
    let _node = fleet.node("one", &ollama).await.start().await;
    for (family, answer) in held {
        let text = answer.text().await.unwrap();
        let served = served(family, &text);
        assert!(family.error_in(served).is_none(), "{served}");
        assert!(served.contains(family.end), "{}: {text:?}", family.path);
    }
    assert_eq!(asked(&ollama), 3);
}

/// What follows the bytes that only keep an answer alive: spaces, comments that tell the wait, pings.
fn served<'a>(family: &Api, text: &'a str) -> &'a str {
    let text = text.trim_start_matches(family.keepalive);
    match text.strip_prefix(':').and_then(|comment| comment.split_once("\n\n")) {
        Some((_, rest)) => served(family, rest),
        None => text,
    }
}

#[tokio::test]
async fn what_is_not_streamed_is_answered_in_time_also_while_nobody_wakes() {
    let fleet = Fleet::new();
    let short = |config: &mut Config| config.limits.answer_seconds = Duration::from_millis(300);
    let front = fleet.front().await.config(short).start().await;
    let refused = front.post("/api/chat", &chat(false)).send().await.unwrap();
    assert_eq!(refused.status(), 504);
    assert_eq!(front.gateway.shared.queue.load().queued, 0);
}

#[tokio::test]
async fn the_time_to_wait_for_a_slot_begins_when_a_node_is_ready() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let short = |config: &mut Config| config.queue.max_wait_seconds = Duration::from_secs(1);
    let front = fleet.front().await.config(short).start().await;
    let answer = front.post("/api/chat", &chat(true)).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let _node = fleet.node("one", &ollama).await.start().await;
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("\n") && text.contains("\"done\":true"), "{text}");
}

/// Fifty wait; the node has two slots.
#[tokio::test]
async fn a_node_that_has_just_become_ready_gets_twice_its_slots_at_once() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    let mut held = Vec::new();
    for _ in 0..50 {
        let request = front.post("/api/chat", &chat(false));
        held.push(front.tasks.spawn(async move { request.send().await.unwrap().status() }));
    }
    until("all are held", || front.gateway.shared.queue.load().queued == 50).await;
    ollama.hold_tokens_after(0);
    let node = fleet.node("one", &ollama).await.start().await;
    let there = || {
        let load = node.gateway.shared.queue.load();
        load.busy + load.queued
    };
    until("the node is full", || there() == 4).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!((there(), front.gateway.shared.queue.load().away), (4, 4));
    }
    ollama.release_tokens();
    for answer in held {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(asked(&ollama), 50, "each once");
    assert_eq!(ollama.most_at_once(CHAT), 2);
}

#[tokio::test]
async fn what_a_full_node_refuses_goes_back_to_its_place() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    // Two run there, one may wait: the fourth is refused.
    let node = fleet.node("one", &ollama).await.config(|config| config.queue.capacity = 1).start().await;
    meets(&front, &[&node]).await;
    ollama.hold_tokens_after(0);
    let ask = |_| {
        let request = front.post("/api/chat", &chat(false));
        front.tasks.spawn(async move { request.send().await.unwrap().status() })
    };
    let sent: Vec<_> = (0..4).map(ask).collect();
    until("one is back", || front.gateway.shared.queue.load().queued == 1).await;
    ollama.release_tokens();
    for answer in sent {
        assert_eq!(answer.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_costs_nothing_but_time() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    fleet.ghost("127.0.0.1:1").await;
    let front = fleet.front().await.start().await;
    until("the ghost is known", || front.gateway.shared.roster.ready_nodes() == 1).await;
    let request = front.post("/api/chat", &chat(false));
    let sent = front.tasks.spawn(async move { request.send().await.unwrap() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sent.is_finished());
    let _node = fleet.node("one", &ollama).await.start().await;
    let answer = sent.await.unwrap();
    assert_eq!((answer.status().as_u16(), served_by(&answer)), (200, "one"));
}

#[tokio::test]
async fn a_node_that_dies_before_the_first_byte_is_replaced_and_one_that_dies_later_is_mourned() {
    let fleet = Fleet::new();
    let endless = || Model::chat(CHAT).endless().speed(1e6, 200.0);
    let start = || SimulatedOllama::builder().model(endless()).parallel(3).start();
    let (first, second) = (start().await.unwrap(), start().await.unwrap());
    let three = |config: &mut Config| config.ollama.as_mut().unwrap().parallel = 3;
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &first).await.config(three).start().await;
    meets(&front, &[&node]).await;
    first.hold_tokens_after(0);
    let mut streams = Vec::new();
    for family in &FAMILIES {
        let answer = front.post(family.path, &family.body(true)).send().await.unwrap();
        streams.push((family, answer));
    }
    until("it has them all", || front.gateway.shared.queue.load().away == 3).await;
    drop(node);
    fleet.store.forget("default", "one").await.unwrap();
    let other = fleet.node("two", &second).await.config(three).start().await;
    until("the other has them all", || asked(&second) == 3).await;
    let mut texts = Vec::new();
    for (family, mut answer) in streams {
        let mut text = String::new();
        while !text.contains("quiet") {
            text.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
        }
        texts.push((family, answer, text));
    }
    drop(other);
    for (family, answer, mut text) in texts {
        text.push_str(&answer.text().await.unwrap());
        let said = family.error_in(&text).unwrap_or_else(|| panic!("{}: {text}", family.path));
        assert!(said.contains("before its answer was complete"), "{said}");
    }
}

#[tokio::test]
async fn a_front_is_ready_without_nodes_and_says_what_it_holds() {
    let fleet = Fleet::new();
    let front = fleet.front().await.start().await;
    assert_eq!(front.get("/readyz").send().await.unwrap().status(), 200);
    let _held = front.post("/api/chat", &chat(true)).send().await.unwrap();
    let load = front.gateway.shared.queue.load();
    assert_eq!((load.slots, load.busy, load.queued), (0, 0, 1));
    let shown: Value = front.get("/fleet").send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["queued"], 1);
}
