//! Callers who wait for the same slots get equal shares of the work, however much each of them asks for.

use std::collections::BTreeMap;

use demo::ollama::{Model, SimulatedOllama};
use serde_json::json;

use crate::apis::{h2_wide, until};
use crate::support::{CHAT, TestGateway, chat, ollama_with};

/// Who, how many requests, of how many tokens each. The first asks for ten times as much as each of the others.
const CALLERS: [(&str, usize, u64); 5] =
    [("a", 100, 20), ("b", 10, 20), ("c", 5, 40), ("d", 20, 10), ("e", 10, 20)];

/// Jain's index: 1 where all shares are equal, 1/n where one has everything.
fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = (shares.iter().sum::<f64>(), shares.iter().map(|x| x * x).sum::<f64>());
    sum * sum / (shares.len() as f64 * squares)
}

/// Tokens that each caller was let in with, until the first has been let in with all of theirs.
fn while_all_wait(ollama: &SimulatedOllama) -> BTreeMap<String, u64> {
    let mut served = BTreeMap::new();
    for seen in ollama.inferences().iter().filter(|seen| seen.target == "/api/chat") {
        let body = seen.json();
        let who = body["messages"][0]["content"].as_str().unwrap().to_owned();
        let sum = served.entry(who.clone()).or_insert(0);
        *sum += body["options"]["num_predict"].as_u64().unwrap();
        if CALLERS.iter().any(|(name, requests, tokens)| *name == who && *sum == *requests as u64 * tokens) {
            break;
        }
    }
    served
}

#[tokio::test]
async fn a_caller_who_asks_for_ten_times_as_much_is_served_as_much() {
    let ollama = ollama_with(Model::chat(CHAT).endless().speed(1e6, 1000.0)).await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        let ollama = config.ollama.as_mut().unwrap();
        (ollama.prefill_tokens_per_second, ollama.decode_tokens_per_second) = (1e6, 700.0);
    });
    let gateway = builder.start().await;
    ollama.hold_tokens_after(0);
    let mut h2 = h2_wide(&gateway).await;
    let mut more = h2_wide(&gateway).await;
    let mut answers = Vec::new();
    for (who, requests, tokens) in CALLERS {
        for _ in 0..requests {
            let mut body = chat(true);
            body["messages"][0]["content"] = json!(who);
            body["options"] = json!({ "num_predict": tokens });
            let head = http::Request::post(gateway.url("/api/chat"))
                .header("authorization", format!("Bearer {}", gateway.token_for(who)));
            let connection = if answers.len() < 90 { &mut h2 } else { &mut more };
            let (answer, mut send) = connection.send_request(head.body(()).unwrap(), false).unwrap();
            send.send_data(body.to_string().into(), true).unwrap();
            answers.push((answer, send));
        }
    }
    until("all wait", || gateway.gateway.shared.queue.load().queued == answers.len() - 2).await;
    ollama.release_tokens();
    // Work counts while everybody waits: until the first caller has nothing left.
    let mut served = BTreeMap::new();
    until("one caller has been served whole", || {
        served = while_all_wait(&ollama);
        CALLERS.iter().any(|(who, requests, tokens)| served.get(*who) == Some(&(*requests as u64 * tokens)))
    })
    .await;
    let shares: Vec<f64> = served.values().map(|&tokens| tokens as f64).collect();
    println!("note: Jain index {:.4} of the tokens served to five callers: {served:?}", jain(&shares));
    assert!(shares.len() == 5 && jain(&shares) > 0.95, "{served:?}");
}
