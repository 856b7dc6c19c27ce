//! Administrators pull and delete models, and everybody sees the result at once; nobody else does either.

use serde_json::{Value, json};

use crate::apis::metric;
use crate::support::{DENIED, TestGateway, chat, ollama};

const PULLED: &str = "gemma-new:1b";

async fn names(gateway: &TestGateway) -> Vec<String> {
    let list: Value = gateway.get("/api/tags").send().await.unwrap().json().await.unwrap();
    list["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap().to_owned()).collect()
}

async fn delete(gateway: &TestGateway, token: &str, model: &str) -> u16 {
    let asking = gateway.client().delete(gateway.url("/api/delete")).bearer_auth(token);
    asking.body(json!({ "model": model }).to_string()).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_pulled_model_is_there_at_once_and_a_deleted_one_gone() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let admin = gateway.token_in("admins");
    assert!(!names(&gateway).await.contains(&PULLED.to_owned()));
    let answer = gateway.post_as(&admin, "/api/pull", &json!({ "model": PULLED })).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    let progress = answer.text().await.unwrap();
    assert!(
        progress.contains("\"completed\":") && progress.ends_with("{\"status\":\"success\"}\n"),
        "{progress}"
    );
    assert!(names(&gateway).await.contains(&PULLED.to_owned()), "in the list at once");
    let mut body = chat(false);
    body["model"] = json!(PULLED);
    assert_eq!(gateway.post("/api/chat", &body).send().await.unwrap().status(), 200);
    assert_eq!(delete(&gateway, &admin, PULLED).await, 200);
    assert!(!names(&gateway).await.contains(&PULLED.to_owned()), "gone at once");
    assert_eq!(gateway.post("/api/chat", &body).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn nobody_else_may_and_no_foreign_registry_is_asked() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let before = ollama.requests().len();
    for token in [gateway.token(), gateway.token_in("operators")] {
        let answer = gateway.post_as(&token, "/api/pull", &json!({ "model": PULLED })).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert_eq!(delete(&gateway, &token, DENIED).await, 403);
    }
    let admin = gateway.token_in("admins");
    for foreign in ["127.0.0.1:9/library/x", "evil.example/a/b:c", "hf.co/me/x"] {
        for key in ["model", "name"] {
            let answer = gateway.post_as(&admin, "/api/pull", &json!({ key: foreign })).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{foreign}");
        }
    }
    let changing = |target: &str| target == "/api/pull" || target == "/api/delete";
    assert!(!ollama.requests()[before..].iter().any(|seen| changing(&seen.target)));
    assert_eq!(metric(&gateway, "gateway_refusals_total{reason=\"forbidden\"}"), 10.0);
}
