//! Ollama may go and come back: who waits through a short absence is served, a long one is a 503, and nothing needs
//! a hand to recover.

use std::time::{Duration, Instant};

use crate::apis::{APIS, assert_plain, until};
use crate::support::{TestGateway, chat, ollama};

#[tokio::test]
async fn a_request_that_meets_a_dead_upstream_is_served_when_it_is_back() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    assert_eq!(gateway.post("/api/chat", &chat(false)).send().await.unwrap().status(), 200);
    ollama.go_down().await;
    let asked = [true, false].map(|stream| gateway.post("/api/chat", &chat(stream)).send());
    let back = async {
        until("both are in their place again", || {
            let load = gateway.gateway.shared.queue.load();
            (load.queued, load.slots) == (2, 0)
        })
        .await;
        ollama.come_back().await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(asked), back);
    for answer in answers {
        assert!(answer.unwrap().text().await.unwrap().contains("\"done\":true"));
    }
}

#[tokio::test]
async fn a_long_absence_is_a_503_and_over_by_itself() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    ollama.go_down().await;
    let began = Instant::now();
    for _ in 0..2 {
        let answer = gateway.post("/api/chat", &chat(true)).send().await.unwrap();
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
        assert_plain(&APIS[1].error_of(&answer.json().await.unwrap()));
    }
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    ollama.come_back().await.unwrap();
    gateway.ready().await;
    assert_eq!(gateway.post("/api/chat", &chat(true)).send().await.unwrap().status(), 200);
}
