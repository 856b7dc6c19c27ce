//! A client that leaves stops its generation, except where a real Ollama would not notice.

use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::raw::send;

const ASK: &str = r#"{"model":"tiny","prompt":"one two three","stream":true}"#;

async fn holding() -> SimulatedOllama {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.hold_tokens_after(1);
    ollama
}

#[tokio::test]
async fn a_closed_connection_frees_the_slot() {
    let ollama = holding().await;
    for (n, path) in ["/api/generate", "/v1/completions"].into_iter().enumerate() {
        let client = send(ollama.address(), path, ASK).await;
        ollama.wait_until(|stats| stats.running == 1).await.unwrap();
        drop(client);
        ollama.wait_until(|stats| stats.cancelled == n + 1 && stats.running == 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_half_closed_connection_is_a_closed_one() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.hold_tokens_after(0);
    let mut client = send(ollama.address(), "/api/generate", ASK).await;
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    client.shutdown().await.unwrap();
    ollama.wait_until(|stats| stats.cancelled == 1).await.unwrap();
    ollama.release_tokens();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "no byte of the answer comes");
}

#[tokio::test]
async fn after_a_chunked_body_nobody_notices() {
    let ollama = holding().await;
    let mut client = TcpStream::connect(ollama.address()).await.unwrap();
    let head = "POST /api/generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = format!("{head}{:x}\r\n{ASK}\r\n0\r\n\r\n", ASK.len());
    client.write_all(request.as_bytes()).await.unwrap();
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    drop(client);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((ollama.running(), ollama.cancelled()), (1, 0));
    ollama.release_tokens();
    ollama.wait_until(|stats| stats.finished == 1 && stats.running == 0).await.unwrap();
    let seen = &ollama.requests()[0];
    assert_eq!((seen.head(), &seen.raw[..]), (head.as_bytes(), request.as_bytes()), "kept as they were sent");
}

#[tokio::test]
async fn a_prompt_is_read_to_the_end_of_its_batch() {
    let model = Model::chat("tiny").speed(2000.0, 100.0).context(100_000);
    let ollama = SimulatedOllama::builder().model(model).start().await.unwrap();
    let prompt = "word ".repeat(50_000);
    let client =
        send(ollama.address(), "/api/generate", &format!(r#"{{"model":"tiny","prompt":"{prompt}"}}"#)).await;
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    let begun = tokio::time::Instant::now();
    drop(client);
    ollama.wait_until(|stats| stats.cancelled == 1).await.unwrap();
    // A batch is 512 tokens: 256 ms of the 25 s that the whole prompt takes.
    assert!(begun.elapsed() > Duration::from_millis(100) && begun.elapsed() < Duration::from_secs(2));
}
