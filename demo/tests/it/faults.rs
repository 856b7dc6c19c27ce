//! Scripted faults look like the real ones, happen once, and leave the server able to go on.

use demo::ollama::{Fault, SimulatedOllama};
use tokio::io::AsyncReadExt;

use crate::raw::{get, post, send};

const CHAT: &str = r#"{"model":"tiny","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const PATHS: [&str; 3] = ["/api/chat", "/v1/chat/completions", "/v1/responses"];

fn ended(body: &str) -> bool {
    body.contains(r#""done":true"#) || body.contains("[DONE]") || body.contains("response.completed")
}

#[tokio::test]
async fn a_stream_may_end_properly_without_its_marker() {
    let ollama = SimulatedOllama::start().await.unwrap();
    for path in PATHS {
        ollama.fault(Fault::EndAfterTokens(3));
        let answer = post(ollama.address(), path, CHAT).await;
        assert_eq!((answer.status, ended(&answer.text())), (200, false), "{path}");
        assert!(answer.text().contains("cross"), "{path}: {}", answer.text());
        assert!(ended(&post(ollama.address(), path, CHAT).await.text()), "{path}: only once");
    }
}

#[tokio::test]
async fn a_dead_engine_is_started_again() {
    let ollama = SimulatedOllama::start().await.unwrap();
    for (n, path) in PATHS.into_iter().enumerate() {
        ollama.fault(Fault::DieAfterTokens(2));
        assert!(!ended(&post(ollama.address(), path, CHAT).await.text()), "{path}");
        assert_eq!(ollama.loads_started("tiny"), n + 1);
        assert_eq!(ollama.running(), 0);
    }
}

#[tokio::test]
async fn a_killed_engine_takes_what_runs_on_it_along() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.hold_tokens_after(1);
    let to = ollama.address();
    let stream = tokio::spawn(async move { post(to, "/api/chat", CHAT).await });
    ollama.wait_until(|stats| stats.tokens == 1).await.unwrap();
    ollama.kill_engine("tiny");
    assert!(stream.await.unwrap().text().ends_with("unexpected EOF\"}\n"));
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.fault(Fault::CutAfterBytes(300));
    let mut client = send(ollama.address(), "/api/chat", CHAT).await;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer.len(), 300);
    ollama.fault(Fault::ResetAfterBytes(300));
    let mut client = send(ollama.address(), "/api/chat", CHAT).await;
    let end = client.read_to_end(&mut answer).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_load_passes_by_what_counts_tokens_and_takes_what_fails_loads() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.fault(Fault::DieAfterTokens(1));
    ollama.fault(Fault::FailLoad("out of memory".to_owned()));
    let load = async || post(ollama.address(), "/api/generate", r#"{"model":"tiny"}"#).await;
    let failed = load().await;
    assert_eq!((failed.status, failed.text().as_str()), (500, r#"{"error":"out of memory"}"#));
    assert_eq!(load().await.status, 200);
    assert!(!ended(&post(ollama.address(), "/api/chat", CHAT).await.text()));
}

#[tokio::test]
async fn a_stall_is_silence_until_the_client_leaves() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.fault(Fault::StallAfterTokens(2));
    let mut client = send(ollama.address(), "/api/chat", CHAT).await;
    let mut bytes = [0; 64];
    client.read_exact(&mut bytes).await.unwrap();
    ollama.wait_until(|stats| stats.running == 1).await.unwrap();
    drop(client);
    ollama.wait_until(|stats| stats.cancelled == 1).await.unwrap();
}

#[tokio::test]
async fn any_answer_can_be_given_to_any_path() {
    let ollama = SimulatedOllama::start().await.unwrap();
    let fault = Fault::Answer { status: 418, content_type: "text/plain".to_owned(), body: "no".to_owned() };
    ollama.fault_on("/api/ps", fault);
    assert_eq!(get(ollama.address(), "/api/ps").await.status, 418);
    assert_eq!(get(ollama.address(), "/api/ps").await.status, 200);
}

#[tokio::test]
async fn it_goes_down_and_comes_back() {
    let ollama = SimulatedOllama::start().await.unwrap();
    ollama.go_down().await;
    assert!(tokio::net::TcpStream::connect(ollama.address()).await.is_err());
    ollama.come_back().await.unwrap();
    assert_eq!(get(ollama.address(), "/").await.status, 200);
}
