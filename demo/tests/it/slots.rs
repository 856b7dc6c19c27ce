//! A loaded model takes as many requests at once as it has slots; the rest wait without bound and never get a 503.

use std::time::{Duration, Instant};

use demo::ollama::{Model, SimulatedOllama};

use crate::raw::post;

#[tokio::test]
async fn no_more_run_than_there_are_slots_and_the_rest_wait() {
    let ollama = SimulatedOllama::builder().parallel(2).max_queue(1).start().await.unwrap();
    let to = ollama.address();
    post(to, "/api/generate", r#"{"model":"tiny"}"#).await;
    ollama.hold_tokens_after(0);
    let ask =
        || tokio::spawn(async move { post(to, "/api/generate", r#"{"model":"tiny","prompt":"a"}"#).await });
    let asks: Vec<_> = (0..10).map(|_| ask()).collect();
    ollama.wait_until(|stats| (stats.running, stats.waiting) == (2, 8)).await.unwrap();
    ollama.release_tokens();
    for ask in asks {
        assert_eq!(ask.await.unwrap().status, 200);
    }
    assert_eq!((ollama.most_at_once("tiny"), ollama.running()), (2, 0));
}

#[tokio::test]
async fn embedding_models_have_one_slot() {
    let ollama = SimulatedOllama::builder()
        .parallel(4)
        .model(Model::embedding("tinyembed").speed(1000.0, f64::INFINITY))
        .start()
        .await
        .unwrap();
    let to = ollama.address();
    let ask =
        || tokio::spawn(async move { post(to, "/api/embed", r#"{"model":"tinyembed","input":"a"}"#).await });
    let asks: Vec<_> = (0..4).map(|_| ask()).collect();
    for ask in asks {
        assert_eq!(ask.await.unwrap().status, 200);
    }
    assert_eq!(ollama.most_at_once("tinyembed"), 1);
}

#[tokio::test]
async fn streams_slow_each_other_down() {
    let model = Model::chat("tiny").speed(f64::INFINITY, 200.0).words(20);
    let ollama = SimulatedOllama::builder().parallel(4).model(model).start().await.unwrap();
    let to = ollama.address();
    let ask =
        || tokio::spawn(async move { post(to, "/api/generate", r#"{"model":"tiny","prompt":"a"}"#).await });
    ask().await.unwrap();
    let begun = Instant::now();
    ask().await.unwrap();
    let alone = begun.elapsed();
    let begun = Instant::now();
    for ask in (0..4).map(|_| ask()).collect::<Vec<_>>() {
        ask.await.unwrap();
    }
    // 1 + 0.3 x 3 = 1.9 times as long; the rest is a slow machine.
    assert!(begun.elapsed() > alone.mul_f64(1.3), "{:?} beside {alone:?}", begun.elapsed());
    assert!(alone >= Duration::from_millis(100));
}

#[tokio::test]
async fn without_a_limit_an_answer_ends_at_ten_contexts() {
    let ollama =
        SimulatedOllama::builder().model(Model::chat("tiny").endless().context(32)).start().await.unwrap();
    let ask = r#"{"model":"tiny","prompt":"a","stream":false}"#;
    let answer = post(ollama.address(), "/api/generate", ask).await;
    assert!(
        answer.text().contains(r#""eval_count":320"#) && answer.text().contains(r#""done_reason":"length""#)
    );
    let ask = r#"{"model":"tiny","prompt":"a","stream":false,"options":{"num_predict":3}}"#;
    assert!(post(ollama.address(), "/api/generate", ask).await.text().contains(r#""eval_count":3,"#));
}
