//! Lists are answered from what is known, and show each caller their own models; a model that a caller may not use
//! does not exist for them, on any route.

use demo::ollama::SimulatedOllama;
use gateway::request::route::{Action, ROUTES};
use reqwest::Method;
use serde_json::{Value, json};

use crate::speak::Answer;
use crate::support::{CHAT, DENIED, EMBED, PATIENCE, TestGateway, ollama};

async fn list(gateway: &TestGateway, token: &str, path: &str) -> Value {
    let answer = Answer::of(gateway.client().get(gateway.url(path)).bearer_auth(token)).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let mut names: Vec<_> =
        list.as_array().unwrap().iter().map(|m| m[key].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Puts the denied model in memory beside the pinned one, and waits until the gateway has seen it.
async fn load_denied(gateway: &TestGateway) {
    let load = json!({ "model": DENIED });
    let answer = Answer::of(gateway.post_as(&gateway.token_in("operators"), "/api/generate", &load)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = async {
        while gateway.gateway.shared.keeper().unwrap().known().running.len() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("both models are seen");
}

#[tokio::test]
async fn each_caller_sees_their_models() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    load_denied(&gateway).await;
    let (user, operator) = (gateway.token(), gateway.token_in("operators"));
    for (token, mine, running) in
        [(&user, vec![CHAT, EMBED], vec![CHAT]), (&operator, vec![CHAT, EMBED, DENIED], vec![CHAT, DENIED])]
    {
        assert_eq!(names(&list(&gateway, token, "/api/tags").await["models"], "name"), mine);
        assert_eq!(names(&list(&gateway, token, "/api/ps").await["models"], "name"), running);
        let models = list(&gateway, token, "/v1/models").await;
        assert_eq!(
            (models["object"].as_str(), names(&models["data"], "id")),
            (Some("list"), mine.iter().map(|m| (*m).to_owned()).collect())
        );
        for name in mine {
            let model = list(&gateway, token, &format!("/v1/models/{name}")).await;
            assert_eq!((model["id"].as_str(), model["object"].as_str()), (Some(name), Some("model")));
            assert!(model["created"].as_i64().unwrap() > 0 && model["owned_by"].is_string(), "{model}");
        }
    }
}

#[tokio::test]
async fn an_operator_without_models_still_sees_what_runs() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await;
    let set = |config: &mut gateway::config::Config| {
        config.roles.get_mut("user").unwrap().models = Some(Vec::new());
        config.roles.get_mut("operator").unwrap().models = None;
    };
    let gateway = builder.config(set).start().await;
    let (user, operator) = (gateway.token(), gateway.token_in("operators"));
    for token in [&user, &operator] {
        assert_eq!(list(&gateway, token, "/api/tags").await, json!({ "models": [] }));
        assert_eq!(list(&gateway, token, "/v1/models").await, json!({ "object": "list", "data": [] }));
    }
    assert_eq!(list(&gateway, &user, "/api/ps").await, json!({ "models": [] }));
    assert_eq!(names(&list(&gateway, &operator, "/api/ps").await["models"], "name"), [CHAT]);
}

fn looks(ollama: &SimulatedOllama) -> usize {
    ollama.requests().iter().filter(|seen| seen.target != "/api/ps").count() // the gateway's own, every two seconds
}

#[tokio::test]
async fn lists_cost_ollama_nothing() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let (before, client, token) = (looks(&ollama), gateway.client(), gateway.token());
    let mine = format!("/v1/models/{CHAT}");
    let hidden = format!("/v1/models/{DENIED}");
    for _ in 0..20 {
        for path in
            ["/api/tags", "/api/ps", "/v1/models", &mine, &hidden, "/api/version", "/api/status", "/fleet"]
        {
            let answer = Answer::of(client.get(gateway.url(path)).bearer_auth(&token)).await;
            assert_eq!(answer.status, if path == hidden { 404 } else { 200 }, "{path}");
            assert_eq!(answer.field("cache-control"), Some("no-store"), "{path}");
        }
    }
    assert_eq!(looks(&ollama), before);
    let looked = ollama.requests().iter().filter(|seen| seen.target == "/api/ps").count();
    assert!(looked < 20, "{looked} looks at what runs");
}

#[tokio::test]
async fn version_status_and_fleet_have_the_shapes_clients_want() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let token = gateway.token();
    let version = list(&gateway, &token, "/api/version").await;
    let numbers = version["version"].as_str().unwrap().split('.').map(|part| part.parse::<u32>().is_ok());
    assert_eq!(numbers.collect::<Vec<_>>(), [true; 3], "{version}");
    let cloud = list(&gateway, &token, "/api/status").await;
    assert_eq!(cloud["cloud"]["disabled"], true);
    let fleet = list(&gateway, &token, "/fleet").await;
    assert_eq!(
        (&fleet["fleet"], &fleet["state"], &fleet["slots"]),
        (&json!("default"), &json!("awake"), &json!(2))
    );
    for number in ["busy", "queued", "queued_work_seconds", "oldest_wait_seconds"] {
        assert!(fleet[number].is_number(), "{number} in {fleet}");
    }
}

#[tokio::test]
async fn a_model_that_is_not_ones_own_does_not_exist_on_any_route() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await;
    // Somebody who may pull and delete, but not this model.
    let set = |config: &mut gateway::config::Config| {
        config.roles.get_mut("admin").unwrap().models = Some(vec!["gemma*".to_owned()]);
    };
    let gateway = builder.config(set).start().await;
    let (user, admin) = (gateway.token(), gateway.token_in("admins"));
    let (before, client) = (ollama.inferences().len(), gateway.client());
    let absent = "gemma-absent:latest";
    for route in ROUTES {
        let names = matches!(route.action, Action::Ask(_) | Action::OpenAiModel);
        if !names {
            continue;
        }
        let token =
            if route.path.ends_with("/pull") || route.path.ends_with("/delete") { &admin } else { &user };
        let method: Method = route.methods.split(", ").next().unwrap().parse().unwrap();
        let ask = |name: &str| {
            let body = json!({
                "model": name, "prompt": "hi", "input": "hi", "max_tokens": 5, "stream": false,
                "messages": [{ "role": "user", "content": "hi" }],
            });
            let url = gateway.url(&route.path.replace("{model}", name));
            let request = client.request(method.clone(), url).bearer_auth(token);
            Answer::of(if method == Method::GET { request } else { request.body(body.to_string()) })
        };
        let denied = ask(DENIED).await;
        assert_eq!(denied.status, 404, "{}: {denied:?}", route.path);
        for spelling in ["SECRET", "registry.ollama.ai/library/secret:latest"] {
            if method != Method::GET {
                assert_eq!(ask(spelling).await.status, 404, "{spelling} on {}", route.path);
            }
        }
        if route.path != "/api/pull" {
            // Not told apart from one that is not there at all.
            let unknown = ask(absent).await;
            assert_eq!(unknown.status, 404, "{}: {unknown:?}", route.path);
            let shape = |answer: &Answer, name: &str| {
                let id = answer.field("x-request-id").unwrap();
                answer.body.replace(name.trim_end_matches(":latest"), "NAME").replace(id, "ID")
            };
            assert_eq!(shape(&denied, DENIED), shape(&unknown, absent), "{}", route.path);
        }
    }
    assert_eq!(ollama.inferences().len(), before);
    let asked = ["/api/show", "/api/pull", "/api/delete"];
    assert!(ollama.requests().iter().all(|seen| !asked.contains(&seen.target.as_str())));
}
