//! A client that does not read holds little memory, and after the stall limit neither a slot nor the upstream. Who
//! reads slowly, and who shares its connection, lives on.

use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use tokio::io::AsyncReadExt;

use crate::apis::{APIS, Hop, h2_chunk, h2_post, h2_wide, metric, until};
use crate::support::{CHAT, TestGateway, chat, ollama_with, request};

/// Tokens of an answer that fits into no buffer: some 7 MB of lines. Behind them the generation is held, so that it
/// ends by being cancelled only.
const TOKENS: u64 = 60_000;
const STALL: Duration = Duration::from_millis(500);

async fn talkative() -> SimulatedOllama {
    let ollama = ollama_with(Model::chat(CHAT).endless().context(1_000_000)).await;
    ollama.hold_tokens_after(TOKENS);
    ollama
}

/// A gateway whose Ollama is behind a hop that counts what the gateway has taken.
async fn impatient(ollama: &SimulatedOllama) -> (TestGateway, Hop) {
    let hop = Hop::to(ollama.address().port(), Duration::from_secs(60)).await;
    let url = format!("http://127.0.0.1:{}", hop.port);
    let builder = TestGateway::in_front_of(ollama).await.config(|config| {
        config.ollama.as_mut().unwrap().url = url;
        config.limits.output_tokens = 1_000_000;
        config.limits.write_stall_seconds = STALL;
        config.limits.write_bytes_per_second = 100_000;
        config.queue.max_wait_seconds = Duration::from_secs(80_000);
    });
    (builder.start().await, hop)
}

fn stalled(gateway: &TestGateway) -> f64 {
    metric(gateway, "gateway_requests_total{route=\"/api/chat\",outcome=\"stalled\"}")
}

async fn ended(ollama: &SimulatedOllama, gateway: &TestGateway, hop: &Hop) {
    ollama.wait_until(|stats| stats.cancelled == 1 && stats.running == 0).await.unwrap();
    until("the slot is free", || gateway.gateway.shared.queue.load().busy == 0).await;
    assert_eq!(stalled(gateway), 1.0);
    // 32 KiB ahead and what kernels hold; the answer has 7 MB.
    assert!(hop.passed() < 2 << 20, "{} bytes were taken for a client that takes none", hop.passed());
}

#[tokio::test]
async fn over_http1_it_is_ended_with_its_connection() {
    let ollama = talkative().await;
    let (gateway, hop) = impatient(&ollama).await;
    let mut raw = gateway.raw().await;
    raw.send(request("POST", "/api/chat", &gateway.token(), &APIS[1].body(true).to_string())).await;
    ended(&ollama, &gateway, &hop).await;
    // Whatever it reads now, it is no whole answer.
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), raw.stream.read_to_end(&mut rest)).await;
    end.expect("the connection is closed").map(drop).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&rest).contains("\"done\":true") && !rest.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn over_http2_its_siblings_live_on() {
    let ollama = talkative().await;
    let (gateway, hop) = impatient(&ollama).await;
    let mut h2 = h2_wide(&gateway).await;
    let unread = h2_post(&gateway, &mut h2, "/api/chat", &APIS[1].body(true)).await;
    let mut short = chat(true);
    short["options"] = serde_json::json!({ "num_predict": 3 });
    while stalled(&gateway) == 0.0 {
        let mut sibling = h2_post(&gateway, &mut h2, "/api/chat", &short).await;
        let mut text = String::new();
        while let Some(chunk) = h2_chunk(sibling.body_mut()).await {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
        assert!(text.contains("\"done\":true"), "{text}");
    }
    ollama.wait_until(|stats| stats.cancelled == 1 && stats.running == 0).await.unwrap();
    drop((unread, hop));
    let mut after = h2_post(&gateway, &mut h2, "/api/chat", &short).await;
    while let Some(chunk) = h2_chunk(after.body_mut()).await {
        chunk.unwrap();
    }
    until("the slots are free", || gateway.gateway.shared.queue.load().busy == 0).await;
}

/// In sips, over several stall limits. Well above the least rate: kernels hand over in lumps of some 100 KB, which
/// weigh more in half a second than in the thirty of the default.
#[tokio::test]
async fn a_slow_reader_above_the_rate_is_served() {
    let ollama = talkative().await;
    let (gateway, _hop) = impatient(&ollama).await;
    let mut raw = gateway.raw().await;
    raw.send(request("POST", "/api/chat", &gateway.token(), &APIS[1].body(true).to_string())).await;
    let mut sip = vec![0; 75_000];
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await; // the reader's own pace
        raw.stream.read_exact(&mut sip).await.expect("it is served");
    }
    assert_eq!((stalled(&gateway), ollama.cancelled(), ollama.running()), (0.0, 0, 1));
}
