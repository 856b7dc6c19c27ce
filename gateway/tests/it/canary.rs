//! Tokens, keys, prompts, answers and header values are in no log line, however much is logged, in no metric and in
//! no error.

use std::time::Duration;

use demo::ollama::{Fault, SimulatedOllama};
use gateway::identity::api_keys;
use serde_json::{Value, json};

use crate::apis::{APIS, Api, h2_chunk, h2_post, logged, places, until};
use crate::support::{TestGateway, ollama, request};

const PROMPT: &str = "canary-of-the-prompt";
const ANSWER: &str = "canary-of-the-answer";
const FIELD: &str = "canary-of-a-field";

fn body(api: Api, stream: bool) -> Value {
    let mut body = api.body(stream);
    for key in ["prompt", "input"] {
        if body.get(key).is_some() {
            body[key] = json!(PROMPT);
        }
    }
    if body.get("messages").is_some() {
        body["messages"] = json!([{ "role": "user", "content": PROMPT }]);
    }
    assert!(body.to_string().contains(PROMPT));
    body
}

fn asking(gateway: &TestGateway, token: &str, api: Api, stream: bool) -> reqwest::RequestBuilder {
    gateway.post_as(token, api.path, &body(api, stream)).header("x-canary", FIELD).header("user-agent", FIELD)
}

/// Everything this API answers, but for the answer itself.
async fn answers_and_refusals(
    gateway: &TestGateway,
    ollama: &SimulatedOllama,
    api: Api,
    [token, key, forged]: [&str; 3],
) -> String {
    let mut told = String::new();
    for credential in [token, key] {
        let line = format!("{{\"model\":\"m\",\"response\":\"{ANSWER}\",\"done\":true}}\n");
        let (status, content_type) = (200, "application/json".to_owned());
        ollama.fault_on(api.path, Fault::Answer { status, content_type, body: line });
        let answer = asking(gateway, credential, api, false).send().await.unwrap();
        assert!(answer.text().await.unwrap().contains(ANSWER), "the answer itself does pass");
    }
    for fault in [Fault::EndAfterTokens(2), Fault::CutAfterBytes(900), Fault::DieAfterTokens(2)] {
        ollama.fault_on(api.path, fault);
        let text = asking(gateway, token, api, true).send().await.unwrap().text().await.unwrap();
        told.push_str(&text);
        places(gateway).await;
    }
    let refused = [
        asking(gateway, forged, api, true),
        asking(gateway, token, api, true).header("x-api-key", key),
        asking(gateway, token, api, true).body(format!("{{\"model\": {PROMPT}")),
        asking(gateway, token, api, true).body(format!("{{\"model\":\"{PROMPT}\",\"prompt\":\"{PROMPT}\"}}")),
        asking(gateway, token, api, true).header("content-encoding", "zstd"),
    ];
    for (n, one) in refused.into_iter().enumerate() {
        let answer = one.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{n} {api:?}");
        let text = answer.text().await.unwrap();
        // A model's name is told to who sent it; that is what stands in the field here.
        told.push_str(&if n == 3 { text.replace(PROMPT, "") } else { text });
    }
    told
}

#[tokio::test]
async fn secrets_and_words_are_nowhere() {
    // The test's own clients speak on this thread too, and are not what is promised about.
    let (log, _guard) = logged("trace,reqwest=off,hyper_util=off");
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.ollama.as_mut().unwrap().stuck_seconds = Duration::from_millis(200);
        config.limits.answer_seconds = Duration::from_millis(500);
    });
    let gateway = builder.start().await;
    let token = gateway.token();
    let (key, _) = api_keys::create(&*gateway.store, "program", Vec::new(), 0, None).await.unwrap();
    let forged = format!("{}x{}", &token[..token.len() - 20], &token[token.len() - 19..]);
    let mut told = String::new();
    for api in APIS {
        told.push_str(&answers_and_refusals(&gateway, &ollama, api, [&token, &key, &forged]).await);
    }
    ollama.fault_on("/api/chat", Fault::Stall);
    told.push_str(&asking(&gateway, &token, APIS[1], true).send().await.unwrap().text().await.unwrap());
    places(&gateway).await;
    let mut h2 = gateway.h2().await;
    let mut answer = h2_post(&gateway, &mut h2, "/api/chat", &body(APIS[1], true)).await;
    while let Some(chunk) = h2_chunk(answer.body_mut()).await {
        chunk.unwrap();
    }
    ollama.hold_tokens_after(1);
    told.push_str(&asking(&gateway, &token, APIS[1], false).send().await.unwrap().text().await.unwrap());
    let mut raw = gateway.raw().await;
    raw.send(request("POST", "/api/chat", &token, &body(APIS[1], true).to_string())).await;
    raw.until("\"done\":false").await;
    drop(raw);
    until("the client is seen to have left", || log.text().contains("\"outcome\":\"left\"")).await;

    let (lines, metrics) = (log.text(), gateway.metrics());
    assert!(lines.contains("\"level\":\"TRACE\"") && lines.contains("\"outcome\":\"broken\""));
    let signature = token.rsplit('.').next().unwrap();
    for secret in [PROMPT, ANSWER, FIELD, &token, &key, &forged, signature] {
        let at = lines
            .find(secret)
            .map(|at| lines[..at].rfind('\n').map_or(&lines[..], |line| &lines[line + 1..]));
        assert_eq!(at.map(|line| line.lines().next()), None, "in a log line: {secret}");
        assert!(!metrics.contains(secret), "in a metric: {secret}");
        assert!(!told.contains(secret), "in an error: {secret}");
    }
}
