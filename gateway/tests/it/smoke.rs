//! An unchanged client, over TLS, with a token, gets a streamed answer from Ollama through our queue.

use serde_json::Value;

use crate::support::{TestGateway, chat, ollama};

#[tokio::test]
async fn a_stream_passes_byte_for_byte() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let answer = gateway.post("/api/chat", &chat(true)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert!(
        answer.headers().contains_key("x-request-id") && answer.headers().contains_key("x-queue-wait-ms")
    );
    let text = answer.text().await.unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["done"], true);
    assert!(text.lines().count() > 5);
}
