//! A code that an administrator makes becomes a key that acts as a person, once; what it may and what it used is theirs.

use std::time::{Duration, Instant};

use fleet::store::{AuditEntry, LinkCode};
use gateway::config::settings::Role;
use gateway::identity::{api_keys, link_codes};
use serde_json::{Value, json};

use crate::apis::{logged, until};
use crate::hops::{Fleet, meets};
use crate::moderation::{ask, log};
use crate::support::{TestGateway, chat, ollama};

/// The key of a bot.
async fn bot(gateway: &TestGateway) -> String {
    api_keys::create(&*gateway.store, "telegram-bot", Vec::new(), 0, None).await.unwrap().0
}

fn alice(gateway: &TestGateway) -> String {
    format!("{}#alice", gateway.issuer.url())
}

/// A key that acts as alice, with its id.
pub async fn linked(gateway: &TestGateway) -> (String, String) {
    let wanted = json!({ "principal": alice(gateway) });
    let (status, made) = ask(gateway, "POST", &gateway.token_in("admins"), "/fleet/links", &wanted).await;
    assert_eq!(status, 200, "{made}");
    let code = json!({ "code": made["code"], "label": "telegram" });
    let (status, key) = ask(gateway, "POST", &bot(gateway).await, "/links/redeem", &code).await;
    assert_eq!(status, 200, "{key}");
    (key["key"].as_str().unwrap().to_owned(), key["id"].as_str().unwrap().to_owned())
}

/// Asks until the status is this; how long that took.
async fn becomes(gateway: &TestGateway, credential: &str, status: u16) -> Duration {
    let began = Instant::now();
    loop {
        let (now, _) = ask(gateway, "GET", credential, "/api/version", &Value::Null).await;
        if now == status {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{status} does not come, but {now}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_code_becomes_a_key_once() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let (admin, bot) = (gateway.token_in("admins"), bot(&gateway).await);
    let wanted = json!({ "principal": alice(&gateway), "roles": ["operator"] });
    let (status, made) = ask(&gateway, "POST", &admin, "/fleet/links", &wanted).await;
    assert_eq!(status, 200, "{made}");
    let now = jiff::Timestamp::now().as_second();
    let left = made["expires"].as_i64().unwrap() - now;
    assert!((link_codes::GOOD_FOR - 60..=link_codes::GOOD_FOR).contains(&left), "an hour: {left}");
    let code = made["code"].as_str().unwrap();

    let typed = json!({ "code": code.to_lowercase().replace('-', " "), "label": "telegram" });
    let (status, key) = ask(&gateway, "POST", &bot, "/links/redeem", &typed).await;
    assert_eq!((status, &key["principal"]), (200, &json!(alice(&gateway))), "{key}");
    let (status, told) = ask(&gateway, "POST", &bot, "/links/redeem", &json!({ "code": code })).await;
    assert!(status == 404 && told["error"].as_str().unwrap().contains("not good"), "once: {told}");

    let secret = key["key"].as_str().unwrap();
    let (_, used) = ask(&gateway, "GET", secret, "/fleet/usage", &Value::Null).await;
    assert_eq!(used["people"][0]["principal"], json!(alice(&gateway)));
    assert_eq!(ask(&gateway, "GET", secret, "/fleet/history", &Value::Null).await.0, 200, "with its role");
    let (_, keys) = ask(&gateway, "GET", &admin, "/fleet/keys", &Value::Null).await;
    let find = |id: &Value| keys["keys"].as_array().unwrap().iter().find(|key| key["id"] == *id).cloned();
    let listed = find(&key["id"]).unwrap();
    assert_eq!((&listed["owner"], &listed["acts_as"]), (&json!("telegram"), &json!(alice(&gateway))));
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["acts_as"].is_null()), "the bot's own");

    let entries = log(&gateway).await;
    let line = |entry: &AuditEntry| (entry.action.clone(), entry.by.clone(), entry.principal.clone());
    let one = |by: &str| ("link".to_owned(), by.to_owned(), alice(&gateway));
    let expected = [one("key#telegram-bot"), one(&format!("{}#one-of-admins", gateway.issuer.url()))];
    assert_eq!(entries.iter().map(line).collect::<Vec<_>>(), expected, "the newest first");
    assert!(
        entries[0].detail.contains(key["id"].as_str().unwrap()) && entries[1].detail.contains("operator")
    );
    let bare: String = code.chars().filter(|c| *c != '-').collect();
    for text in [code, &bare, secret] {
        assert!(entries.iter().all(|entry| !entry.detail.contains(text)));
    }
}

#[tokio::test]
async fn only_administrators_make_codes_and_only_for_somebody() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let wanted = json!({ "principal": alice(&gateway) });
    for token in [gateway.token(), gateway.token_in("operators"), bot(&gateway).await] {
        assert_eq!(ask(&gateway, "POST", &token, "/fleet/links", &wanted).await.0, 403);
    }
    let admin = gateway.token_in("admins");
    for (body, words) in [
        (json!({ "principal": "alice" }), "principal"),
        (json!({ "principal": format!("key#{}", "a".repeat(3000)) }), "principal"),
        (json!({ "principal": alice(&gateway), "roles": ["king"] }), "no role"),
        (json!({ "principal": alice(&gateway), "rolls": [] }), "JSON object"),
        (json!({}), "JSON object"),
    ] {
        let (status, told) = ask(&gateway, "POST", &admin, "/fleet/links", &body).await;
        assert!(status == 400 && told["error"].as_str().unwrap().contains(words), "{told}");
    }
    assert!(log(&gateway).await.is_empty(), "what is refused is no change");
}

#[tokio::test]
async fn a_code_that_is_wrong_or_over_is_nothing_and_few_are_tried() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let bot = bot(&gateway).await;
    let (over, good) = (link_codes::make().unwrap(), link_codes::make().unwrap());
    let now = jiff::Timestamp::now().as_second();
    let keep = async |code: &str, expires: i64| {
        let hash = link_codes::hash(code).unwrap();
        let kept = LinkCode { hash, principal: alice(&gateway), expires, ..LinkCode::default() };
        gateway.store.put_link_code(&kept).await.unwrap();
    };
    keep(&over, now).await;
    keep(&good, now + 3000).await;
    let redeem = async |who: &str, code: &str| {
        ask(&gateway, "POST", who, "/links/redeem", &json!({ "code": code })).await
    };
    let mut sentences = Vec::new();
    for code in [&over, &link_codes::make().unwrap(), "", "hello", &"A".repeat(5000)] {
        let (status, told) = redeem(&bot, code).await;
        assert_eq!(status, 404, "{told}");
        sentences.push(told["error"].clone());
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "nobody hears which it was");
    for label in ["", " ", "a\nb", &"a".repeat(129)] {
        let body = json!({ "code": good, "label": label });
        assert_eq!(ask(&gateway, "POST", &bot, "/links/redeem", &body).await.0, 400, "{label:?}");
    }
    // While what flows back is seconds away, a good one is refused too: else guessing would go on.
    loop {
        let (status, told) = redeem(&bot, "wrong").await;
        let far =
            ["in 4 s", "in 5 s", "in 6 s"].iter().any(|wait| told["error"].as_str().unwrap().contains(wait));
        if status == 404 || !far {
            continue;
        }
        let refused = Instant::now();
        let (status, told) = redeem(&bot, &good).await;
        assert!(status == 429 || refused.elapsed() > Duration::from_secs(2), "{status} {told}");
        if status == 429 {
            break;
        }
        keep(&good, now + 3000).await; // this machine was too slow for the question
    }
    let (status, key) = redeem(&gateway.token(), &good).await;
    assert_eq!(status, 200, "others are not touched by it: {key}");
    let entries = log(&gateway).await;
    let by = alice(&gateway);
    assert_eq!(entries.iter().filter(|entry| entry.by == by).count(), 1, "what failed changed nothing");
}

#[tokio::test]
async fn an_acting_key_has_the_persons_limits_and_use() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        let user = Role {
            requests_per_minute: Some(1),
            requests_burst: Some(4),
            ..config.roles.remove("user").unwrap()
        };
        config.roles.insert("user".to_owned(), user);
        let roomy = |role: &mut Role| role.requests_burst = Some(1000);
        roomy(config.roles.get_mut("admin").unwrap());
    });
    let gateway = builder.start().await;
    let (key, _) = linked(&gateway).await;
    for credential in [&key, &gateway.token(), &key, &gateway.token()] {
        assert_eq!(ask(&gateway, "POST", credential, "/api/chat", &chat(false)).await.0, 200);
    }
    for credential in [&key, &gateway.token()] {
        assert_eq!(
            ask(&gateway, "GET", credential, "/api/version", &Value::Null).await.0,
            429,
            "of both together"
        );
    }
    until("they are accounted", || gateway.gateway.shared.queue.load().busy == 0).await;
    gateway.gateway.shared.books.usage.write().await;
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let used = gateway.store.usage_since(&today).await.unwrap();
    let sum: u64 =
        used.iter().filter(|line| line.principal == alice(&gateway)).map(|line| line.usage.requests).sum();
    assert!(sum >= 4, "{used:?}");
    assert!(used.iter().all(|line| line.principal != "key#telegram"), "nothing is the label's");
}

#[tokio::test]
async fn an_acting_key_is_out_with_its_person_and_by_its_id() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let admin = gateway.token_in("admins");
    let (key, id) = linked(&gateway).await;
    becomes(&gateway, &key, 200).await;
    let denial = json!({ "principal": alice(&gateway), "reason": "has left" });
    assert_eq!(ask(&gateway, "POST", &admin, "/fleet/denials", &denial).await.0, 200);
    becomes(&gateway, &key, 403).await;
    let allowed = json!({ "principal": alice(&gateway) });
    assert_eq!(ask(&gateway, "DELETE", &admin, "/fleet/denials", &allowed).await.0, 200);
    assert_eq!(ask(&gateway, "DELETE", &admin, "/fleet/keys", &json!({ "id": id })).await.0, 200);
    becomes(&gateway, &key, 401).await;
    becomes(&gateway, &gateway.token(), 200).await;
    let entries = log(&gateway).await;
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["revoke", "allow", "deny", "link", "link"]);
    assert!(entries.iter().all(|entry| entry.principal == alice(&gateway)), "whom it concerns: {entries:?}");
    assert!(entries[0].detail.contains(&id));
}

#[tokio::test]
async fn a_node_behind_a_front_knows_the_person_too() {
    let (lines, _guard) = logged("info");
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let front = fleet.front().await.start().await;
    let node = fleet.node("one", &ollama).await.start().await;
    meets(&front, &[&node]).await;
    let (key, _) = linked(&front).await;
    let (status, told) = ask(&front, "POST", &key, "/api/chat", &chat(false)).await;
    assert_eq!(status, 200, "{told}");
    let chats = || {
        let all = lines.text();
        let parsed = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let chats = parsed.filter(|line| line["message"] == "request" && line["route"] == "/api/chat");
        chats.map(|line| line["caller"].clone()).collect::<Vec<_>>()
    };
    until("front and node have accounted it", || chats().len() == 2).await;
    assert_eq!(chats(), [json!(alice(&front)), json!(alice(&front))]);
}
