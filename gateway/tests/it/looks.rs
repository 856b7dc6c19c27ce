//! Moderators see what the person sees, delete it, and search in it where that is on; each look is in the audit log with who,
//! whom and what, and with none of the words.

use fleet::store::{AuditEntry, Conversation, Ending, Message, MessageId, Person, Speaker};
use serde_json::{Value, json};

use crate::apis::logged;
use crate::moderation::{ask, log, table};
use crate::support::{CHAT, TestGateway, ollama};

const ONE: &str = "0b6ff2a4-9d4e-4a92-8a53-5b5f50b6c2f1";
const OTHER: &str = "1c6ff2a4-9d4e-4a92-8a53-5b5f50b6c2f2";

fn principal(gateway: &TestGateway, subject: &str) -> String {
    format!("{}#{subject}", gateway.issuer.url())
}

/// Keeps a conversation in which this was said, by turns.
async fn talk(gateway: &TestGateway, subject: &str, id: &str, title: &str, said: &[&str]) {
    let (principal, now) = (principal(gateway, subject), jiff::Timestamp::now());
    let conversation = Conversation {
        principal: principal.clone(),
        id: id.to_owned(),
        title: title.to_owned(),
        model: CHAT.to_owned(),
        created: now.as_second(),
        updated: now.as_second(),
        messages: said.len() as u64,
        ..Conversation::default()
    };
    assert!(gateway.store.begin_conversation(&conversation).await.unwrap());
    for (at, text) in said.iter().enumerate() {
        let message = Message {
            id: MessageId(1_700_000_000_000_000 + at as u64),
            role: if at % 2 == 0 { Speaker::User } else { Speaker::Assistant },
            content: (*text).to_owned(),
            state: Ending::Whole,
            at: 1_700_000_000,
            ..Message::default()
        };
        gateway.store.write_message(&principal, id, &message).await.unwrap();
    }
    gateway.store.saw_person(&Person { principal, seen: now.as_second() }).await.unwrap();
}

/// A gateway where searching is on.
async fn searching(ollama: &demo::ollama::SimulatedOllama) -> TestGateway {
    TestGateway::in_front_of(ollama).await.config(|config| config.conversations.search = true).start().await
}

async fn moderate(gateway: &TestGateway, look: &str, body: Value) -> (u16, Value) {
    ask(gateway, "POST", &gateway.token_in("admins"), &format!("/moderation/{look}"), &body).await
}

#[tokio::test]
async fn a_moderator_sees_what_the_person_sees_and_deletes_it() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let said: Vec<String> = (0..6).map(|at| format!("message {at}")).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    talk(&gateway, "alice", ONE, "About pears", &said).await;
    talk(&gateway, "alice", OTHER, "About apples", &["x"]).await;
    let alice = principal(&gateway, "alice");
    let get = async |path: &str| ask(&gateway, "GET", &gateway.token(), path, &Value::Null).await;

    for (body, query) in
        [(json!({}), ""), (json!({ "search": "PEAR" }), "?search=pear"), (json!({ "limit": 1 }), "?limit=1")]
    {
        let mut wanted = body.clone();
        wanted["principal"] = json!(alice);
        let (status, shown) = moderate(&gateway, "conversations", wanted).await;
        assert_eq!((status, &shown), (200, &get(&format!("/conversations{query}")).await.1), "{body}");
        assert!(!shown["conversations"].as_array().unwrap().is_empty());
    }
    let first = json!({ "principal": alice, "limit": 1 });
    let next = moderate(&gateway, "conversations", first).await.1["next"].clone();
    let second = moderate(&gateway, "conversations", json!({ "principal": alice, "before": next })).await.1;
    assert_eq!((second["conversations"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));

    let one = json!({ "principal": alice, "id": ONE });
    let (status, shown) = moderate(&gateway, "conversation", one.clone()).await;
    assert_eq!((status, &shown), (200, &get(&format!("/conversations/{ONE}")).await.1));
    let page =
        moderate(&gateway, "conversation", json!({ "principal": alice, "id": ONE, "limit": 4 })).await.1;
    let contents = |page: &Value| {
        page["messages"].as_array().unwrap().iter().map(|m| m["content"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(contents(&page), said[2..]);
    let rest = json!({ "principal": alice, "id": ONE, "before": page["earlier"] });
    assert_eq!(contents(&moderate(&gateway, "conversation", rest).await.1), said[..2]);

    let admin = gateway.token_in("admins");
    let (status, told) = ask(&gateway, "DELETE", &admin, "/moderation/conversation", &one).await;
    assert_eq!((status, told), (200, json!({ "deleted": true })));
    assert_eq!(get(&format!("/conversations/{ONE}")).await.0, 404, "gone for the person too");
    assert_eq!(moderate(&gateway, "conversation", one.clone()).await.0, 404);
    assert_eq!(ask(&gateway, "DELETE", &admin, "/moderation/conversation", &one).await.0, 404);
    assert_eq!(get(&format!("/conversations/{OTHER}")).await.0, 200);
    let bobs = json!({ "principal": principal(&gateway, "bob"), "id": OTHER });
    assert_eq!(moderate(&gateway, "conversation", bobs).await.0, 404, "of whom it is must be right");
}

#[tokio::test]
async fn each_look_is_one_entry_without_the_words() {
    let (lines, _guard) = logged("info");
    let ollama = ollama().await;
    let gateway = searching(&ollama).await;
    talk(&gateway, "alice", ONE, "Kassiopeia", &["I love Kassiopeia", "Kassiopeia who?"]).await;
    let (alice, admin) = (principal(&gateway, "alice"), gateway.token_in("admins"));
    for (method, look, body, action, whom, which) in [
        ("POST", "people", json!({}), "people", "", ""),
        ("POST", "conversations", json!({ "principal": alice }), "list", &*alice, ""),
        ("POST", "conversations", json!({ "principal": alice, "search": "Kassiopeia" }), "list", &*alice, ""),
        ("POST", "conversation", json!({ "principal": alice, "id": ONE }), "view", &*alice, ONE),
        (
            "POST",
            "conversation",
            json!({ "principal": alice, "id": ONE, "before": "1700000000000001" }),
            "view",
            &*alice,
            ONE,
        ),
        ("POST", "search", json!({ "text": "Kassiopeia" }), "search", "", ""),
        ("POST", "search", json!({ "text": "Kassiopeia", "principal": alice }), "search", &*alice, ""),
        ("DELETE", "conversation", json!({ "principal": alice, "id": ONE }), "delete", &*alice, ONE),
    ] {
        let before = log(&gateway).await.len();
        let (status, told) = ask(&gateway, method, &admin, &format!("/moderation/{look}"), &body).await;
        assert_eq!(status, 200, "{look}: {told}");
        let entries = log(&gateway).await;
        assert_eq!(entries.len(), before + 1, "one for {look} {body}");
        let AuditEntry { by, action: said, principal, conversation, .. } = &entries[0];
        let expected = (&*self::principal(&gateway, "one-of-admins"), action, whom, which);
        assert_eq!((by.as_str(), said.as_str(), principal.as_str(), conversation.as_str()), expected);
    }
    let told = format!("{:?}\n{}", log(&gateway).await, lines.text()).to_lowercase();
    assert!(
        told.contains("\"action\":\"delete\"") && told.contains(ONE),
        "the log of the process has them too"
    );
    for word in ["kassiopeia", "love"] {
        assert!(!told.contains(word), "{word} in {told}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_no_look() {
    let ollama = ollama().await;
    let gateway = searching(&ollama).await;
    let alice = principal(&gateway, "alice");
    for (look, body, word) in [
        ("conversations", json!({}), "JSON object"),
        ("conversations", json!({ "principal": "" }), "principal"),
        ("conversations", json!({ "principal": "a".repeat(3000) }), "principal"),
        ("conversations", json!({ "principal": alice, "limit": 101 }), "limit"),
        ("conversations", json!({ "principal": alice, "before": "x" }), "before"),
        ("conversations", json!({ "principal": alice, "search": "x".repeat(201) }), "search"),
        ("conversation", json!({ "principal": alice, "id": "../etc" }), "id"),
        ("conversation", json!({ "principal": alice, "id": ONE, "limit": 0 }), "limit"),
        ("conversation", json!({ "principal": alice, "id": ONE, "before": "1" }), "before"),
        ("search", json!({ "text": "ab" }), "3 to 200"),
        ("search", json!({ "text": " ab  " }), "3 to 200"),
        ("search", json!({ "text": "x".repeat(201) }), "3 to 200"),
        ("search", json!({ "text": "abc", "principal": "a\nb" }), "principal"),
        ("search", json!({ "words": "abc" }), "JSON object"),
    ] {
        let (status, told) = moderate(&gateway, look, body.clone()).await;
        assert!(status == 400 && told["error"].as_str().unwrap().contains(word), "{look} {body}: {told}");
    }
    let body = json!({ "principal": alice, "id": ONE });
    for token in [gateway.token(), gateway.token_in("operators")] {
        for look in ["people", "conversations", "conversation", "search", "audit"] {
            let (status, told) = ask(&gateway, "POST", &token, &format!("/moderation/{look}"), &body).await;
            assert!(
                status == 403 && told["error"].as_str().unwrap().contains("only administrators"),
                "{told}"
            );
        }
        assert_eq!(ask(&gateway, "DELETE", &token, "/moderation/conversation", &body).await.0, 403);
    }
    assert!(log(&gateway).await.is_empty());
}

#[tokio::test]
async fn what_was_said_is_searched_where_that_is_on() {
    let ollama = ollama().await;
    let off = TestGateway::in_front_of(&ollama).await.start().await;
    let (status, told) = moderate(&off, "search", json!({ "text": "grüße" })).await;
    assert!(status == 400 && told["error"].as_str().unwrap().contains("search = true"), "{told}");
    assert!(log(&off).await.is_empty());

    let gateway = searching(&ollama).await;
    let many: Vec<String> = (0..120).map(|at| format!("GRÜSSE number {at}")).collect();
    talk(&gateway, "alice", ONE, "One", &["Viele Grüsse", "danke"]).await;
    talk(&gateway, "alice", OTHER, "grüsse in a title only", &["nothing"]).await;
    let answer = json!({ "text": "grÜSSe" });
    let (status, told) = moderate(&gateway, "search", answer.clone()).await;
    assert_eq!((status, &told["complete"], &told["looked_at"]), (200, &json!(true), &json!(2)), "{told}");
    let alice = principal(&gateway, "alice");
    let expected = json!([{
        "principal": alice, "id": ONE, "title": "One", "message": "1700000000000000", "at": 1_700_000_000,
        "excerpt": "Viele Grüsse",
    }]);
    assert_eq!(told["found"], expected);
    let nobody = json!({ "text": "grüsse", "principal": principal(&gateway, "bob") });
    assert_eq!(
        moderate(&gateway, "search", nobody).await.1,
        json!({ "found": [], "complete": true, "looked_at": 0 })
    );

    talk(&gateway, "bob", ONE, "Many", &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (_, told) = moderate(&gateway, "search", answer).await;
    assert_eq!(
        (&told["complete"], &told["looked_at"]),
        (&json!(false), &json!(3)),
        "more than is shown of one"
    );
    let bobs = told["found"].as_array().unwrap().iter().filter(|one| one["title"] == "Many");
    let excerpts: Vec<&str> = bobs.map(|one| one["excerpt"].as_str().unwrap()).collect();
    assert_eq!((excerpts.len(), excerpts[0]), (5, "GRÜSSE number 119"), "the latest");
    let old = json!({ "text": "number 7", "principal": principal(&gateway, "bob") });
    let (_, told) = moderate(&gateway, "search", old).await;
    assert!(told["found"].to_string().contains("number 79"), "past the first page: {told}");
}

#[tokio::test]
async fn without_the_log_no_conversation_is_shown_or_deleted() {
    let ollama = ollama().await;
    let gateway = searching(&ollama).await;
    talk(&gateway, "alice", ONE, "Kassiopeia", &["Kassiopeia"]).await;
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    table(&gateway).execute_batch(full).unwrap();
    let (alice, admin) = (principal(&gateway, "alice"), gateway.token_in("admins"));
    for (method, look, body) in [
        ("POST", "conversations", json!({ "principal": alice })),
        ("POST", "conversation", json!({ "principal": alice, "id": ONE })),
        ("POST", "search", json!({ "text": "Kassiopeia" })),
        ("DELETE", "conversation", json!({ "principal": alice, "id": ONE })),
    ] {
        let (status, told) = ask(&gateway, method, &admin, &format!("/moderation/{look}"), &body).await;
        assert_eq!(status, 503, "{look}: {told}");
        assert!(!told.to_string().contains("Kassiopeia"), "{told}");
    }
    let kept = gateway.store.messages(&alice, ONE, None, 10).await.unwrap();
    assert_eq!(kept[0].content, "Kassiopeia");
}

#[tokio::test]
async fn an_acting_key_has_the_persons_conversations_and_nobody_elses() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    talk(&gateway, "alice", ONE, "hers", &["hello"]).await;
    talk(&gateway, "bob", OTHER, "his", &["hello"]).await;
    let (key, _) = crate::links::linked(&gateway).await;
    let get = async |path: &str| ask(&gateway, "GET", &key, path, &Value::Null).await;
    let (status, list) = get("/conversations").await;
    assert_eq!((status, list["conversations"].as_array().unwrap().len()), (200, 1), "{list}");
    assert_eq!(get(&format!("/conversations/{ONE}")).await.0, 200);
    assert_eq!(get(&format!("/conversations/{OTHER}")).await.0, 404);
}

#[tokio::test]
async fn what_is_in_the_archive_is_seen_found_and_deleted_too() {
    let ollama = ollama().await;
    let folder = tempfile::TempDir::new().unwrap();
    let archive = folder.path().to_str().unwrap().to_owned();
    let builder = TestGateway::in_front_of(&ollama).await.config(|config| {
        config.conversations.search = true;
        config.conversations.archive = Some(archive);
    });
    let gateway = builder.start().await;
    let said: Vec<String> = (0..120).map(|at| format!("Message number {at}.")).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    talk(&gateway, "alice", ONE, "Long", &said).await;
    let alice = principal(&gateway, "alice");
    let path = format!("/conversations/{ONE}");
    let closed = ask(&gateway, "PATCH", &gateway.token(), &path, &json!({ "closed": true })).await;
    assert_eq!((closed.0, &closed.1["archived"]), (200, &json!(true)), "{}", closed.1);
    let left = gateway.store.messages(&alice, ONE, None, 1000).await.unwrap();
    assert!(left.len() < said.len() && files(folder.path()) > 0, "{} are left in the table", left.len());

    let one = json!({ "principal": alice, "id": ONE });
    let mut seen = Vec::new();
    let mut before = Value::Null;
    loop {
        let wanted = json!({ "principal": alice, "id": ONE, "limit": 50, "before": before });
        let page = moderate(&gateway, "conversation", wanted).await.1;
        let page_said = page["messages"].as_array().unwrap().iter().map(|one| one["content"].clone());
        seen.splice(..0, page_said);
        before = page["earlier"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(seen, said);
    for text in ["number 0.", "number 119."] {
        let (_, told) = moderate(&gateway, "search", json!({ "text": text })).await;
        assert_eq!((&told["complete"], told["found"].as_array().unwrap().len()), (&json!(true), 1), "{told}");
        assert!(told["found"][0]["excerpt"].as_str().unwrap().ends_with(text), "{told}");
    }
    let admin = gateway.token_in("admins");
    assert_eq!(ask(&gateway, "DELETE", &admin, "/moderation/conversation", &one).await.0, 200);
    assert_eq!(files(folder.path()), 0, "table and archive");
    assert_eq!(moderate(&gateway, "conversation", one).await.0, 404);
}

/// Files in a folder and all below it.
fn files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}
