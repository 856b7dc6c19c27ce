//! Administrators see who talks, and what is done to people; whatever they look at or change is in the audit log first, and
//! where that cannot be written, nothing is shown or changed.

use fleet::store::{AuditEntry, Person, Usage};
use gateway::identity::api_keys;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{TestGateway, ollama};

/// Asks with a JSON body; the status, and the answer's JSON.
pub async fn ask(gateway: &TestGateway, method: &str, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = gateway.client().request(method.parse().unwrap(), gateway.url(path)).bearer_auth(token);
    let answer = request.body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// The whole audit log, the newest first.
pub async fn log(gateway: &TestGateway) -> Vec<AuditEntry> {
    gateway.store.audit("default", None, 1000).await.unwrap()
}

/// The table, past the gateway.
pub fn table(gateway: &TestGateway) -> Connection {
    let file = Connection::open(gateway.dir.path().join("fleet.db")).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    file
}

async fn audit(gateway: &TestGateway, wanted: &Value) -> Value {
    let (status, page) = ask(gateway, "POST", &gateway.token_in("admins"), "/moderation/audit", wanted).await;
    assert_eq!(status, 200, "{page}");
    page
}

#[tokio::test]
async fn everybody_who_talks_asks_or_is_shut_out_is_there() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let admin = gateway.token_in("admins");
    gateway
        .store
        .saw_person(&Person { principal: "key#talks".to_owned(), seen: 1_800_000_000 })
        .await
        .unwrap();
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let used = Usage { requests: 2, prompt_tokens: 7, generated_tokens: 5, gpu_seconds: 1.5 };
    gateway.store.add_usage("key#asks", &today, &used).await.unwrap();
    let denial = json!({ "principal": "key#out", "reason": "has left" });
    assert_eq!(ask(&gateway, "POST", &admin, "/fleet/denials", &denial).await.0, 200);
    let (status, told) = ask(&gateway, "POST", &admin, "/moderation/people", &json!({})).await;
    assert_eq!(status, 200, "{told}");
    let one = |principal: &str| {
        told["people"].as_array().unwrap().iter().find(|one| one["principal"] == principal).cloned().unwrap()
    };
    let expected = json!({
        "principal": "key#asks", "seen": null, "denied": false,
        "requests": 2, "prompt_tokens": 7, "output_tokens": 5, "gpu_seconds": 1.5,
    });
    assert_eq!(one("key#asks"), expected);
    assert_eq!(
        (&one("key#talks")["seen"], &one("key#talks")["requests"]),
        (&json!(1_800_000_000), &json!(0))
    );
    assert_eq!(one("key#out")["denied"], json!(true));
    for body in [json!({ "a": 1 }), json!([]), Value::Null] {
        assert_eq!(ask(&gateway, "POST", &admin, "/moderation/people", &body).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn changes_of_keys_and_denials_are_in_the_log() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let admin = gateway.token_in("admins");
    let by = format!("{}#one-of-admins", gateway.issuer.url());
    let key = json!({ "owner": "nightly", "roles": ["operator"] });
    let (_, made) = ask(&gateway, "POST", &admin, "/fleet/keys", &key).await;
    let id = made["id"].as_str().unwrap();
    let denial = json!({ "principal": "key#nightly", "reason": "a reason that stays out of the log" });
    for (method, path, body, status) in [
        ("POST", "/fleet/denials", &denial, 200),
        ("DELETE", "/fleet/denials", &json!({ "principal": "key#nightly" }), 200),
        ("DELETE", "/fleet/denials", &json!({ "principal": "key#nightly" }), 400),
        ("DELETE", "/fleet/keys", &json!({ "id": id }), 200),
        ("DELETE", "/fleet/keys", &json!({ "id": "0123456789ab" }), 400),
        ("DELETE", "/fleet/keys", &json!({ "id": &id[..6] }), 400),
        ("POST", "/fleet/keys", &json!({ "owner": "" }), 400),
        ("GET", "/fleet/keys", &Value::Null, 200),
        ("GET", "/fleet/denials", &Value::Null, 200),
    ] {
        assert_eq!(ask(&gateway, method, &admin, path, body).await.0, status, "{method} {path} {body}");
    }
    let entries = log(&gateway).await;
    let actions: Vec<&str> = entries.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        ["key", "deny", "allow", "revoke"],
        "what failed changed nothing, a list is no look at anybody"
    );
    for (number, entry) in (1..).zip(entries.iter().rev()) {
        assert_eq!(
            (entry.number, entry.by.as_str(), entry.principal.as_str()),
            (number, &*by, "key#nightly")
        );
        assert!((jiff::Timestamp::now().as_second() - entry.at).abs() < 300);
    }
    assert!(entries[3].detail.contains(id) && entries[3].detail.contains("operator"), "{entries:?}");
    assert!(entries[0].detail.contains(id));
    let told = format!("{entries:?}");
    assert!(!told.contains("stays out") && !told.contains(made["key"].as_str().unwrap()));
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_reading_it_adds_nothing() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for at in 1..=7 {
        let entry = AuditEntry { at, action: "view".to_owned(), ..AuditEntry::default() };
        gateway.store.append_audit("default", &entry).await.unwrap();
    }
    let mut before = Value::Null;
    let mut numbers = Vec::new();
    loop {
        let page = audit(&gateway, &json!({ "before": before, "limit": 3 })).await;
        assert_eq!(page["intact"], json!(true), "{page}");
        numbers.extend(page["entries"].as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()));
        assert!(page["entries"].as_array().unwrap().iter().all(|one| one["at"] == one["number"]));
        before = page["next"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(log(&gateway).await.len(), 7);
    for wanted in
        [json!({ "limit": 0 }), json!({ "limit": 201 }), json!({ "before": -1 }), json!({ "after": 1 })]
    {
        let (status, _) =
            ask(&gateway, "POST", &gateway.token_in("admins"), "/moderation/audit", &wanted).await;
        assert_eq!(status, 400, "{wanted}");
    }
}

#[tokio::test]
async fn a_log_that_was_changed_past_us_shows_it() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for at in 1..=6 {
        let entry = AuditEntry { at, by: "mallory".to_owned(), ..AuditEntry::default() };
        gateway.store.append_audit("default", &entry).await.unwrap();
    }
    let changes = [
        "UPDATE audit SET document = json_set(document, '$.by', 'nobody') WHERE number = 3",
        "DELETE FROM audit WHERE number = 3",
    ];
    for change in changes {
        let error = table(&gateway).execute(change, []).expect_err("the file itself refuses");
        assert!(error.to_string().contains("audit"), "{error}");
    }
    assert_eq!(audit(&gateway, &json!({})).await["intact"], json!(true));
    let file = table(&gateway);
    let triggers: Vec<String> = file
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(triggers.len() >= 2, "{triggers:?}");
    triggers.iter().for_each(|name| file.execute_batch(&format!("DROP TRIGGER \"{name}\"")).unwrap());
    let document: String =
        file.query_row("SELECT document FROM audit WHERE number = 3", [], |row| row.get(0)).unwrap();
    for change in changes {
        assert_eq!(file.execute(change, []).unwrap(), 1);
        for (wanted, intact) in [
            (json!({}), false),
            (json!({ "limit": 2 }), true),
            (json!({ "limit": 4 }), false),
            (json!({ "before": 4, "limit": 1 }), false),
            (json!({ "before": 3 }), true),
        ] {
            let page = audit(&gateway, &wanted).await;
            assert_eq!(page["intact"], json!(intact), "{change}: {wanted}: {page}");
        }
        file.execute(
            "INSERT OR REPLACE INTO audit (fleet, number, document) VALUES ('default', 3, ?1)",
            [&document],
        )
        .unwrap();
        assert_eq!(audit(&gateway, &json!({})).await["intact"], json!(true), "as it was");
    }
}

#[tokio::test]
async fn where_the_log_cannot_be_written_nothing_is_shown_or_changed() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let admin = gateway.token_in("admins");
    let (_, old) = api_keys::create(&*gateway.store, "old", Vec::new(), 0, None).await.unwrap();
    gateway.store.saw_person(&Person { principal: "key#talks".to_owned(), seen: 1 }).await.unwrap();
    let denial = json!({ "principal": "key#out", "reason": "has left" });
    assert_eq!(ask(&gateway, "POST", &admin, "/fleet/denials", &denial).await.0, 200);
    let link = json!({ "principal": "key#talks" });
    let (_, made) = ask(&gateway, "POST", &admin, "/fleet/links", &link).await;
    let code = json!({ "code": made["code"] });
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    table(&gateway).execute_batch(full).unwrap();
    let (keys, denials, entries) =
        (gateway.store.keys().await, gateway.store.denials().await, log(&gateway).await);
    for (method, path, body) in [
        ("POST", "/moderation/people", json!({})),
        ("POST", "/fleet/denials", json!({ "principal": "key#talks", "reason": "x" })),
        ("DELETE", "/fleet/denials", json!({ "principal": "key#out" })),
        ("POST", "/fleet/keys", json!({ "owner": "new" })),
        ("DELETE", "/fleet/keys", json!({ "id": old.hash.id() })),
        ("POST", "/fleet/links", link.clone()),
        ("POST", "/links/redeem", code.clone()),
    ] {
        let (status, told) = ask(&gateway, method, &admin, path, &body).await;
        assert_eq!(status, 503, "{method} {path}: {told}");
        let sentence = told["error"].as_str().unwrap();
        assert!(sentence.contains("audit log cannot be written"), "{sentence}");
        assert_eq!(told.as_object().unwrap().len(), 1, "nothing else: {told}");
    }
    assert_eq!(gateway.store.keys().await, keys);
    assert_eq!(gateway.store.denials().await, denials);
    assert_eq!(log(&gateway).await, entries);
    table(&gateway).execute_batch("DROP TRIGGER full").unwrap();
    let (status, key) = ask(&gateway, "POST", &admin, "/links/redeem", &code).await;
    assert_eq!(status, 200, "the code is good as before: {key}");
}
