//! A leader's order empties a node without ending it: at once not ready, after a while closed, and back to serving when
//! the order is taken back or lapses. A signal on top is final.

use std::time::Duration;

use fleet::report::{NodeState, Order, OrderKind};
use gateway::drain::Phase;
use tokio::time::timeout;

use crate::apis::{h2_post, until};
use crate::reports::reported;
use crate::speak::Answer;
use crate::support::{PATIENCE, TestGateway, chat, ollama, request};

/// A gateway that takes requests for so long after an order, and whose own deadline would be felt.
async fn node(ollama: &demo::ollama::SimulatedOllama, accept_for: u64) -> TestGateway {
    let builder = TestGateway::in_front_of(ollama).await.config(|config| {
        config.drain.accept_for_seconds = Duration::from_millis(accept_for);
        config.drain.deadline_seconds = Duration::from_millis(accept_for.max(300));
        config.fleet.report_every_seconds = Duration::from_millis(200);
    });
    let gateway = builder.start().await;
    reported(&gateway, |report| report.state == NodeState::Ready).await;
    gateway
}

async fn order(gateway: &TestGateway, kind: OrderKind, seq: u64, left: i64) {
    let until = jiff::Timestamp::now().as_second() + left;
    assert!(gateway.store.order("default", "local", &Order { kind, seq, until }).await.unwrap());
}

async fn reached(gateway: &TestGateway, phase: Phase) {
    timeout(PATIENCE, gateway.gateway.shared.drain.reached(phase)).await.expect("the phase comes");
}

async fn serves(gateway: &TestGateway) {
    until("it serves", || gateway.gateway.shared.drain.phase() == Phase::Serving).await;
}

#[tokio::test]
async fn an_order_is_obeyed_echoed_and_taken_back() {
    let ollama = ollama().await;
    let gateway = node(&ollama, 60_000).await;
    let mut kept = gateway.raw().await;
    kept.send(request("GET", "/api/tags", &gateway.token(), "")).await;
    assert!(!kept.until("}]}").await.contains("connection: close"));
    order(&gateway, OrderKind::Drain, 4, 60).await;
    let report = reported(&gateway, |report| report.order_seen == 4).await;
    assert!((report.busy, report.queued) == (0, 0));
    reported(&gateway, |report| report.state == NodeState::Draining).await;
    assert_eq!(Answer::of(gateway.get("/readyz")).await.status, 503);
    // The load balancer goes on sending for a while.
    kept.send(request("POST", "/api/chat", &gateway.token(), &chat(false).to_string())).await;
    assert!(kept.rest().await.contains("connection: close"), "and the connection does close");
    order(&gateway, OrderKind::None, 5, 0).await;
    let report =
        reported(&gateway, |report| report.order_seen == 5 && report.state == NodeState::Ready).await;
    assert_eq!(report.order_seen, 5);
    assert_eq!(Answer::of(gateway.get("/readyz")).await.status, 200);
}

#[tokio::test]
async fn a_closed_node_finishes_what_runs_refuses_what_is_new_and_opens_again() {
    let ollama = ollama().await;
    let gateway = node(&ollama, 50).await;
    let mut idle = gateway.raw().await;
    idle.send(request("GET", "/api/tags", &gateway.token(), "")).await;
    idle.until("}]}").await;
    ollama.hold_tokens_after(1);
    let mut streams = Vec::new();
    for waiting in [0, 0, 1] {
        let mut raw = gateway.raw().await;
        raw.send(request("POST", "/api/chat", &gateway.token(), &chat(true).to_string())).await;
        let load = || gateway.gateway.shared.queue.load();
        until("it is taken in", || load().queued == waiting && load().busy > streams.len().min(1)).await;
        streams.push(raw);
    }
    order(&gateway, OrderKind::Drain, 1, 60).await;
    reached(&gateway, Phase::Closing).await;
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    let held = reported(&gateway, |report| report.state == NodeState::Draining).await;
    assert_eq!((held.busy, held.queued), (2, 1), "who waits keeps the place");
    // Whoever comes now is told so, on a connection that ends with it.
    for _ in 0..2 {
        let refused = Answer::of(gateway.post("/api/chat", &chat(true))).await;
        assert_eq!((refused.status, refused.field("connection")), (503, Some("close")), "{refused:?}");
        assert!(refused.field("retry-after").is_some());
    }
    assert_eq!(Answer::of(gateway.get("/readyz")).await.status, 503);
    // An order has no deadline: the node's own would have passed by now.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(gateway.gateway.shared.drain.phase(), Phase::Closing);
    ollama.release_tokens();
    for mut stream in streams {
        let text = stream.rest().await;
        assert!(text.contains("\"done\":true") && text.ends_with("0\r\n\r\n"), "{text}");
    }
    reported(&gateway, |report| {
        report.state == NodeState::Draining && (report.busy, report.queued) == (0, 0)
    })
    .await;
    assert!(!gateway.has_ended(), "an order ends no process");
    order(&gateway, OrderKind::None, 2, 0).await;
    serves(&gateway).await;
    let mut kept = gateway.raw().await;
    for _ in 0..2 {
        kept.send(request("POST", "/api/chat", &gateway.token(), &chat(false).to_string())).await;
        let text = kept.until("\"done\":true").await;
        assert!(text.starts_with("HTTP/1.1 200") && !text.contains("connection: close"), "{text}");
        kept.until("}").await;
    }
    let mut h2 = gateway.h2().await;
    assert_eq!(h2_post(&gateway, &mut h2, "/api/chat", &chat(false)).await.status(), 200);
}

#[tokio::test]
async fn an_order_that_is_not_renewed_lapses() {
    let ollama = ollama().await;
    let gateway = node(&ollama, 50).await;
    order(&gateway, OrderKind::Drain, 9, 3).await;
    reached(&gateway, Phase::Closing).await;
    serves(&gateway).await;
    let report = reported(&gateway, |report| report.state == NodeState::Ready).await;
    assert_eq!(report.order_seen, 9);
    assert_eq!(Answer::of(gateway.post("/api/chat", &chat(false))).await.status, 200);
}

#[tokio::test]
async fn a_signal_on_top_of_an_order_is_final() {
    let ollama = ollama().await;
    let gateway = node(&ollama, 50).await;
    order(&gateway, OrderKind::Drain, 1, 60).await;
    reached(&gateway, Phase::Closing).await;
    gateway.tasks.drain();
    order(&gateway, OrderKind::None, 2, 0).await;
    until("serve returns", || gateway.has_ended()).await;
    assert!(gateway.gateway.shared.drain.phase() >= Phase::Closing);
}

#[tokio::test]
async fn a_notice_leaves_by_its_own_deadline() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await;
    let gateway =
        gateway.config(|config| config.drain.deadline_seconds = Duration::from_secs(600)).start().await;
    ollama.hold_tokens_after(1);
    let mut stream = gateway.raw().await;
    stream.send(request("POST", "/api/chat", &gateway.token(), &chat(true).to_string())).await;
    stream.until("\"done\":false").await;
    gateway.gateway.shared.drain.leave_by(tokio::time::Instant::now() + Duration::from_millis(500));
    until("serve returns", || gateway.has_ended()).await;
    assert!(!stream.rest().await.contains("\"done\":true"), "cut, visibly");
}
