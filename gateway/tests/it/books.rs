//! Administrators keep keys and denials through the gateway, callers see what they have used; and the page is served.

use std::time::Duration;

use fleet::store::Usage;
use serde_json::{Value, json};

use crate::apis::until;
use crate::support::{TestGateway, chat, ollama};

async fn ask(gateway: &TestGateway, method: &str, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = gateway.client().request(method.parse().unwrap(), gateway.url(path)).bearer_auth(token);
    let answer = request.body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn keys_are_made_listed_and_ended_by_administrators() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let (admin, user) = (gateway.token_in("admins"), gateway.token());
    let wanted = json!({ "owner": "nightly", "roles": ["operator"], "expires_seconds": 3600 });
    assert_eq!(ask(&gateway, "POST", &user, "/fleet/keys", &wanted).await.0, 403);
    let (status, made) = ask(&gateway, "POST", &admin, "/fleet/keys", &wanted).await;
    assert_eq!(status, 200, "{made}");
    let key = made["key"].as_str().unwrap();
    assert_eq!(ask(&gateway, "POST", key, "/api/chat", &chat(false)).await.0, 200);
    let (_, list) = ask(&gateway, "GET", &admin, "/fleet/keys", &Value::Null).await;
    let listed = &list["keys"][0];
    assert_eq!(
        (&listed["id"], &listed["owner"], &listed["disabled"]),
        (&made["id"], &json!("nightly"), &json!(false))
    );
    assert!(!list.to_string().contains(key), "a key is shown once");
    let id = json!({ "id": made["id"] });
    assert_eq!(ask(&gateway, "DELETE", &user, "/fleet/keys", &id).await.0, 403);
    assert_eq!(ask(&gateway, "DELETE", &admin, "/fleet/keys", &id).await.0, 200);
    let mut over = 200;
    for _ in 0..40 {
        over = ask(&gateway, "GET", key, "/api/version", &Value::Null).await.0;
        if over == 401 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(over, 401, "a key is believed for some seconds at most");
    for (body, words) in [
        (json!({ "owner": " " }), "owner"),
        (json!({ "owner": "a", "roles": ["king"] }), "no role"),
        (json!({ "owner": "a", "expires_seconds": 0 }), "expires_seconds"),
        (json!({ "owner": "a", "rolls": [] }), "JSON object"),
        (json!([]), "JSON object"),
    ] {
        let (status, told) = ask(&gateway, "POST", &admin, "/fleet/keys", &body).await;
        assert!(status == 400 && told["error"].as_str().unwrap().contains(words), "{told}");
    }
    assert_eq!(ask(&gateway, "DELETE", &admin, "/fleet/keys", &json!({ "id": "0" })).await.0, 400);
}

#[tokio::test]
async fn people_are_shut_out_and_let_in_by_administrators() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let (admin, user) = (gateway.token_in("admins"), gateway.token());
    let alice = format!("{}#alice", gateway.issuer.url());
    let denial = json!({ "principal": alice, "reason": "has left" });
    assert_eq!(ask(&gateway, "POST", &user, "/fleet/denials", &denial).await.0, 403);
    assert_eq!(ask(&gateway, "POST", &admin, "/fleet/denials", &denial).await.0, 200);
    let (_, list) = ask(&gateway, "GET", &admin, "/fleet/denials", &Value::Null).await;
    assert_eq!(
        (&list["denials"][0]["principal"], &list["denials"][0]["reason"]),
        (&json!(alice), &json!("has left"))
    );
    let principal = gateway::identity::Principal::of_token(&gateway.issuer.url(), "alice");
    until("she is out", || gateway.gateway.shared.denials.denies(&principal)).await;
    assert_eq!(ask(&gateway, "GET", &user, "/api/version", &Value::Null).await.0, 403);
    let (status, _) = ask(&gateway, "DELETE", &admin, "/fleet/denials", &json!({ "principal": alice })).await;
    assert_eq!(status, 200);
    until("she is in", || !gateway.gateway.shared.denials.denies(&principal)).await;
    let own = json!({ "principal": format!("{}#one-of-admins", gateway.issuer.url()), "reason": "x" });
    let (status, told) = ask(&gateway, "POST", &admin, "/fleet/denials", &own).await;
    assert!(status == 400 && told["error"].as_str().unwrap().contains("yourself"), "{told}");
    let nobody = json!({ "principal": "nobody", "reason": "x" });
    assert_eq!(ask(&gateway, "POST", &admin, "/fleet/denials", &nobody).await.0, 400);
}

#[tokio::test]
async fn callers_see_what_they_have_used() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let answer: Value = gateway.post("/api/chat", &chat(false)).send().await.unwrap().json().await.unwrap();
    until("it is accounted", || gateway.gateway.shared.queue.load().busy == 0).await;
    gateway.gateway.shared.books.usage.write().await;
    let (_, used) = ask(&gateway, "GET", &gateway.token(), "/fleet/usage", &Value::Null).await;
    let day = &used["people"][0]["days"][0];
    assert_eq!(day["output_tokens"], answer["eval_count"], "{used}");
    assert!(day["requests"].as_u64().unwrap() >= 1);
    let (_, other) = ask(&gateway, "GET", &gateway.token_for("bob"), "/fleet/usage", &Value::Null).await;
    assert_eq!(other["people"][0]["days"], json!([]), "nobody else's");
}

#[tokio::test]
async fn administrators_see_what_everybody_has_used() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let (alice, bob, admin) = (gateway.token(), gateway.token_for("bob"), gateway.token_in("admins"));
    for token in [&alice, &bob] {
        assert_eq!(ask(&gateway, "POST", token, "/api/chat", &chat(false)).await.0, 200);
    }
    until("they are accounted", || gateway.gateway.shared.queue.load().busy == 0).await;
    gateway.gateway.shared.books.usage.write().await;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let one = Usage { requests: 1, prompt_tokens: 7, ..Usage::default() };
    // Away from the edge by a day: midnight may pass meanwhile.
    for (owner, back) in [("recent", 29), ("gone", 32)] {
        let day = today.checked_sub(jiff::Span::new().days(back)).unwrap().to_string();
        gateway.store.add_usage(&format!("key#{owner}"), &day, &one).await.unwrap();
    }
    let used = async |token: &str| ask(&gateway, "GET", token, "/fleet/usage", &Value::Null).await.1;
    let all = used(&admin).await;
    let principal = |subject: &str| format!("{}#{subject}", gateway.issuer.url());
    let names: Vec<&str> =
        all["people"].as_array().unwrap().iter().map(|one| one["principal"].as_str().unwrap()).collect();
    assert_eq!(names, [&principal("alice"), &principal("bob"), "key#recent"], "{all}");
    assert_eq!(all["people"][2]["days"][0]["prompt_tokens"], 7);
    for (at, token) in [&alice, &bob].into_iter().enumerate() {
        let own = used(token).await;
        assert!(own["people"][0]["days"][0]["requests"].as_u64().unwrap() >= 1, "{own}");
        assert_eq!(
            own["people"],
            json!([all["people"][at]]),
            "one's own, and the same as administrators see"
        );
    }
    assert_eq!(used(&gateway.token_in("operators")).await["people"][0]["days"], json!([]), "their own");
}

#[tokio::test]
async fn the_page_is_served_where_it_is_configured() {
    let ollama = ollama().await;
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>hello").unwrap();
    let directory = folder.path().to_owned();
    let with = |config: &mut gateway::config::Config| config.ui.directory = Some(directory);
    let gateway = TestGateway::in_front_of(&ollama).await.config(with).start().await;
    let get = async |path: &str| gateway.client().get(gateway.url(path)).send().await.unwrap();
    let page = get("/ui/translate").await;
    assert_eq!(
        (page.status().as_u16(), page.headers()["cache-control"].to_str().unwrap()),
        (200, "no-cache")
    );
    assert_eq!(page.text().await.unwrap(), "<p>hello");
    assert_eq!(get("/ui/missing.js").await.status(), 404);
    assert_eq!(get("/ui/..%2fsecret").await.status(), 400);
    let without = TestGateway::in_front_of(&ollama).await.start().await;
    assert_eq!(without.client().get(without.url("/ui/")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn operators_see_the_last_hours() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let operator = gateway.token_in("operators");
    let (status, told) = ask(&gateway, "GET", &operator, "/fleet/history", &Value::Null).await;
    assert_eq!((status, &told["every_seconds"]), (200, &json!(30)));
    assert_eq!(told["points"].as_array().unwrap().len(), 1, "the first at once: {told}");
    assert_eq!(ask(&gateway, "GET", &gateway.token(), "/fleet/history", &Value::Null).await.0, 403);
}

#[tokio::test]
async fn operators_hold_nodes_for_a_while() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let (operator, user) = (gateway.token_in("operators"), gateway.token());
    let hold = json!({ "nodes": 2, "seconds": 600 });
    assert_eq!(ask(&gateway, "POST", &user, "/fleet/hold", &hold).await.0, 403);
    let (status, told) = ask(&gateway, "POST", &operator, "/fleet/hold", &hold).await;
    assert_eq!((status, &told["state"]), (200, &json!("waking")), "{told}");
    let held = gateway.store.state("default").await.unwrap().hold.unwrap();
    let left = held.until - jiff::Timestamp::now().as_second();
    assert!(held.nodes == 2 && (500..=600).contains(&left), "{held:?}");
    for body in [
        json!({ "nodes": 101, "seconds": 60 }),
        json!({ "nodes": 1 }),
        json!({ "nodes": 1, "seconds": 604_801 }),
    ] {
        assert_eq!(ask(&gateway, "POST", &operator, "/fleet/hold", &body).await.0, 400, "{body}");
    }
    assert_eq!(ask(&gateway, "POST", &operator, "/fleet/hold", &json!({ "nodes": 0 })).await.0, 200);
    assert!(gateway.store.state("default").await.unwrap().hold.is_none());
}
