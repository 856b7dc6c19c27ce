//! Honest and hostile clients mixed, for as long as `SOAK_SECONDS` says (20): afterwards no slot is lost, nothing
//! waits, Ollama is idle, no connection is open and memory has not grown, and every honest stream was whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use demo::ollama::{Model, SimulatedOllama};
use fastrand::Rng;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::frames::*;
use super::siege::{Siege, resident};
use crate::support::{CHAT, EMBED, PATIENCE, TestGateway, chat, request};

/// What memory may grow by from the end of the first half to the end of the second.
const GROWTH: usize = 24 << 20;

/// How long it goes on.
fn length() -> Duration {
    let seconds = std::env::var_os("SOAK_SECONDS").and_then(|text| text.to_str()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

/// What became of the honest clients.
#[derive(Default)]
struct Tally {
    whole: AtomicUsize,
    refused: AtomicUsize,
}

/// Asks for a stream of some API again and again; each must be whole, or refused with a status.
async fn honest(siege: Arc<Siege>, tally: Arc<Tally>, n: usize, end: Instant) {
    let token = siege.gateway.token_for(&format!("honest-{n}"));
    let client = siege.gateway.client();
    let apis = [
        ("/api/chat", "\"done\":true"),
        ("/v1/chat/completions", "data: [DONE]"),
        ("/v1/messages", "message_stop"),
    ];
    for round in n.. {
        if Instant::now() > end {
            return;
        }
        let (path, last) = apis[round % apis.len()];
        let mut body = chat(true);
        body["max_tokens"] = json!(20);
        let asked = client.post(siege.gateway.url(path)).bearer_auth(&token).body(body.to_string()).send();
        let answer = timeout(PATIENCE, asked).await.expect("an answer in time");
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{path} {status}: {error}"));
        match status {
            200 => {
                assert!(text.contains(last), "{path} was cut: {text}");
                tally.whole.fetch_add(1, Relaxed);
            }
            429 | 503 => drop(tally.refused.fetch_add(1, Relaxed)),
            other => panic!("{path}: {other} {text}"),
        }
    }
}

/// One misdeed after the other, chosen by `rng`.
async fn hostile(siege: Arc<Siege>, mut rng: Rng, end: Instant) {
    while Instant::now() < end {
        let deed = misdeed(&siege.gateway, &mut rng);
        let _ = timeout(Duration::from_secs(3), deed).await;
        sleep(Duration::from_millis(rng.u64(..30))).await;
    }
}

async fn misdeed(gateway: &TestGateway, rng: &mut Rng) {
    let token = gateway.token_for(&format!("mallory-{}", rng.u8(..4)));
    let body =
        json!({ "model": CHAT, "prompt": "x".repeat(rng.usize(..2000)), "stream": rng.bool() }).to_string();
    let wait = Duration::from_millis(rng.u64(..300));
    match rng.u8(..8) {
        0..4 => over_http1(gateway, rng, &token, &body, wait).await,
        4 => {
            let pairs =
                (0..40).flat_map(|n| [post(2 * n + 1, "/api/generate", &token, &body), reset(2 * n + 1)]);
            Peer::connect(gateway, &[]).await.assault(wait, pairs).await;
        }
        5 => {
            let mut peer = Peer::connect(gateway, &[(INITIAL_WINDOW_SIZE, rng.u32(..100))]).await;
            let posts: Vec<u8> =
                (0..5).flat_map(|n| post(2 * n + 1, "/api/generate", &token, &body)).collect();
            let _ = peer.send(posts).await;
            sleep(wait).await;
        }
        6 => {
            let pings = (0..50).map(|_| frame(PING, 0, 0, &[0; 8]).repeat(20));
            Peer::connect(gateway, &[]).await.deaf_assault(wait, pings).await;
        }
        _ => {
            let embed = json!({ "model": EMBED, "input": ["a", "b"] }).to_string();
            let mut peer = Peer::connect(gateway, &[]).await;
            let _ = peer.send(post(1, "/api/embed", &token, &embed)).await;
            sleep(wait).await;
        }
    }
}

async fn over_http1(gateway: &TestGateway, rng: &mut Rng, token: &str, body: &str, wait: Duration) {
    let mut stream = gateway.tls(&[b"http/1.1"]).await;
    let good = request("POST", "/api/generate", token, body);
    let bytes = match rng.u8(..6) {
        0 => good[..rng.usize(..good.len())].to_owned(), // stops anywhere
        1 => request("POST", "/api/generate", "not.a.token", body),
        2 => request("POST", "/api/generate", token, "{\"model\":"),
        3 => good.replacen("Content-Length", "Transfer-Encoding: chunked\r\nContent-Length", 1),
        _ => good,
    };
    if stream.write_all(bytes.as_bytes()).await.is_err() {
        return;
    }
    let mut piece = [0; 64];
    let _ = timeout(wait, stream.read(&mut piece)).await; // some of the answer, or none
    sleep(wait / 2).await; // slow, then gone
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_everything_nothing_is_left() {
    let ollama = SimulatedOllama::builder()
        .model(Model::chat(CHAT).speed(100_000.0, 4000.0))
        .model(Model::embedding(EMBED))
        .parallel(2)
        .recording(false);
    let siege = Arc::new(Siege::of(ollama.start().await.unwrap()).await);
    let tally = Arc::new(Tally::default());
    let start = Instant::now();
    let end = start + length();
    let mut clients = JoinSet::new();
    for n in 0..6 {
        clients.spawn(honest(siege.clone(), tally.clone(), n, end));
    }
    for n in 0..8 {
        clients.spawn(hostile(siege.clone(), Rng::with_seed(n), end));
    }
    sleep(length() / 2).await;
    let half = resident();
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    siege.others_are_served().await;
    siege.nothing_is_left().await;
    let grown = resident().saturating_sub(half);
    let (whole, refused) = (tally.whole.load(Relaxed), tally.refused.load(Relaxed));
    println!(
        "soak: {whole} honest streams whole, {refused} refused, {} KiB more in the second half",
        grown >> 10
    );
    assert!(whole > 20 && whole > 10 * refused, "{whole} whole, {refused} refused");
    assert!(grown < GROWTH, "{} MiB more after the second half", grown >> 20);
    assert!(siege.ollama.most_at_once(CHAT) <= 2);
}
