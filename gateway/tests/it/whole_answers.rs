//! A request that does not stream gets its answer whole, with a true status, and in time or not at all.

use std::time::{Duration, Instant};

use demo::ollama::{Fault, Model};

use crate::apis::{APIS, assert_plain, h2_chunk, h2_try_post, metric, quick, until};
use crate::support::{CHAT, TestGateway, ollama, ollama_with};

#[tokio::test]
async fn no_byte_comes_early_and_the_end_of_patience_is_a_504() {
    let ollama = ollama().await;
    let builder = quick(&ollama).await.config(|config| {
        config.queue.keepalive_after_seconds = Duration::from_millis(50);
        config.queue.keepalive_every_seconds = Duration::from_millis(50);
        config.limits.answer_seconds = Duration::from_millis(300);
    });
    let gateway = builder.start().await;
    ollama.hold_tokens_after(0);
    for (n, api) in APIS.into_iter().enumerate() {
        let began = Instant::now();
        let answer = gateway.post(api.path, &api.body(false)).send().await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(300));
        assert_eq!(answer.status(), 504, "{api:?}");
        assert_eq!(answer.headers()["x-should-retry"], "false");
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_plain(&api.error_of(&answer.json().await.unwrap()));
        ollama.wait_until(|stats| stats.cancelled > n && stats.running == 0).await.unwrap();
    }
    until("all slots are free", || gateway.gateway.shared.queue.load().busy == 0).await;
}

/// A client that knows the length asks for nothing behind the last byte: the end must not wait for that.
#[tokio::test]
async fn one_with_a_length_is_answered_counted_and_free_at_its_last_byte() {
    let ollama = ollama_with(Model::chat(CHAT).words(5)).await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for (n, api) in APIS.into_iter().enumerate() {
        let answer = gateway.post(api.path, &api.body(false)).send().await.unwrap();
        assert!(answer.headers().contains_key("content-length"), "{api:?}");
        answer.text().await.unwrap();
        assert_eq!(gateway.gateway.shared.queue.load().busy, 0, "{api:?}");
        let name = format!("gateway_requests_total{{route=\"{}\",outcome=\"answered\"}}", api.path);
        assert_eq!(metric(&gateway, &name), 1.0, "{api:?}");
        let tokens = "gateway_tokens_total{kind=\"output\",model=\"gemma3n:e4b\"}";
        assert_eq!(metric(&gateway, tokens) as usize, 5 * (n + 1), "{api:?}");
    }
}

#[tokio::test]
async fn it_is_what_ollama_wrote() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for api in APIS {
        let (content_type, body) = ("application/json".to_owned(), "{\"odd\" : 1 }\n".to_owned());
        ollama.fault_on(api.path, Fault::Answer { status: 200, content_type, body: body.clone() });
        let answer = gateway.post(api.path, &api.body(false)).send().await.unwrap();
        assert_eq!(answer.headers()["content-length"], body.len().to_string());
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert!(answer.headers().contains_key("x-queue-wait-ms"));
        assert_eq!(answer.text().await.unwrap(), body, "{api:?}");
    }
}

/// Small answers have a length, long ones are chunked; cut, neither may look whole.
#[tokio::test]
async fn a_cut_one_is_visibly_cut() {
    for (words, bytes) in [(5, 250), (2000, 3000)] {
        let ollama = ollama_with(Model::chat(CHAT).words(words)).await;
        let gateway = TestGateway::in_front_of(&ollama).await.start().await;
        for (n, fault) in [Fault::CutAfterBytes(bytes), Fault::ResetAfterBytes(bytes)].into_iter().enumerate()
        {
            let api = APIS[1];
            ollama.fault_on(api.path, fault.clone());
            // Where the break comes with the head, not even that may have left.
            if let Ok(answer) = gateway.post(api.path, &api.body(false)).send().await {
                assert_eq!(answer.status(), 200, "{fault:?}");
                assert!(answer.text().await.is_err(), "{fault:?} {words}");
            }
            ollama.fault_on(api.path, fault.clone());
            let mut h2 = gateway.h2().await;
            if let Ok(mut answer) = h2_try_post(&gateway, &mut h2, api.path, &api.body(false)).await {
                let broke = loop {
                    match h2_chunk(answer.body_mut()).await {
                        Some(Ok(_)) => {}
                        Some(Err(_)) => break true,
                        None => break false,
                    }
                };
                assert!(broke, "{fault:?} {words}");
            }
            let broken = "gateway_requests_total{route=\"/api/chat\",outcome=\"broken\"}";
            assert_eq!(metric(&gateway, broken) as usize, 2 * (n + 1), "{fault:?}");
        }
    }
}
