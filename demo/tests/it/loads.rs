//! Loads belong to their first requester, one at a time; keep-alive and runner options end them.

use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};

use crate::raw::{get, post, send};

const LOAD: &str = r#"{"model":"tiny"}"#;

#[tokio::test]
async fn a_load_dies_with_its_first_requester_and_the_next_starts_over() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.hold_loads();
    let first = send(ollama.address(), "/api/generate", LOAD).await;
    ollama.wait_until(|stats| stats.model("tiny").loads_started == 1).await.unwrap();
    let to = ollama.address();
    let second = tokio::spawn(async move { post(to, "/api/generate", LOAD).await });
    ollama.wait_until(|stats| stats.requests == 2).await.unwrap();
    assert!(get(to, "/api/ps").await.text().contains("[]"), "a loading model is absent");
    drop(first);
    ollama.wait_until(|stats| stats.model("tiny").loads_aborted == 1).await.unwrap();
    ollama.release_loads();
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!((ollama.loads_started("tiny"), ollama.loads_finished("tiny")), (2, 1));
    assert!(get(to, "/api/ps").await.text().contains("tiny:latest"));
}

#[tokio::test]
async fn beyond_the_queue_a_cold_model_refuses_and_a_warm_one_never() {
    let ollama = SimulatedOllama::builder().max_queue(2).start().await.unwrap();
    ollama.hold_loads();
    let to = ollama.address();
    let asks: Vec<_> =
        (0..6).map(|_| tokio::spawn(async move { post(to, "/api/generate", LOAD).await.status })).collect();
    ollama.wait_until(|stats| stats.requests == 6).await.unwrap();
    ollama.release_loads();
    let mut statuses = Vec::new();
    for ask in asks {
        statuses.push(ask.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 503, 503, 503], "one served, two waiting");
    for _ in 0..6 {
        assert_eq!(post(to, "/api/generate", LOAD).await.status, 200);
    }
}

#[tokio::test]
async fn another_context_length_reloads_the_model() {
    let ollama = SimulatedOllama::start().await.unwrap();
    let ask = |options: &str| format!(r#"{{"model":"tiny","prompt":"a","options":{options}}}"#);
    for options in ["{}", r#"{"num_ctx":4096}"#, r#"{"num_ctx":2048}"#, r#"{"num_ctx":2048,"seed":1}"#, "{}"]
    {
        assert_eq!(post(ollama.address(), "/api/generate", &ask(options)).await.status, 200);
    }
    assert_eq!(ollama.loads_finished("tiny"), 3);
}

#[tokio::test]
async fn an_unload_lets_the_stream_end_and_then_the_model_is_gone() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.hold_tokens_after(1);
    let to = ollama.address();
    let stream =
        tokio::spawn(async move { post(to, "/api/generate", r#"{"model":"tiny","prompt":"a"}"#).await });
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    let unload = post(to, "/api/generate", r#"{"model":"tiny","keep_alive":0}"#).await;
    assert!(unload.text().contains(r#""done_reason":"unload""#));
    ollama.release_tokens();
    assert!(stream.await.unwrap().text().contains(r#""done":true"#));
    assert!(get(to, "/api/ps").await.text().contains("[]"));
}

#[tokio::test]
async fn keep_alive_ends_and_negative_never_does() {
    let ollama =
        SimulatedOllama::builder().keep_alive(Some(Duration::from_millis(50))).start().await.unwrap();
    let loaded = async || get(ollama.address(), "/api/ps").await.text().contains("tiny");
    post(ollama.address(), "/api/generate", LOAD).await;
    assert!(loaded().await);
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert!(!loaded().await);
    post(ollama.address(), "/api/generate", r#"{"model":"tiny","keep_alive":-1}"#).await;
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert!(loaded().await);
}

#[tokio::test]
async fn a_full_memory_gives_up_the_idlest_model() {
    let builder =
        ["a", "b", "c"].into_iter().fold(SimulatedOllama::builder(), |b, name| b.model(Model::chat(name)));
    let ollama = builder.max_loaded_models(2).start().await.unwrap();
    for name in ["a", "b", "c"] {
        post(ollama.address(), "/api/generate", &format!(r#"{{"model":"{name}"}}"#)).await;
    }
    let ps = get(ollama.address(), "/api/ps").await.text();
    assert!(!ps.contains("a:latest") && ps.contains("b:latest") && ps.contains("c:latest"), "{ps}");
}
