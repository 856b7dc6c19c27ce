//! What lies in the archive is seen, searched, cut and removed like what lies in the table.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::conversations::{Person, given, last, without_titles};
use crate::support::{TestGateway, ollama};

/// Every file below.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.into_iter().flat_map(|entry| below(entry.path())).collect()
}

#[tokio::test]
async fn a_closed_conversation_goes_to_the_archive_and_is_gone_on_with() {
    let (ollama, folder) = (ollama().await, TempDir::new().unwrap());
    let place = folder.path().to_str().unwrap().to_owned();
    let builder = TestGateway::in_front_of(&ollama).await.config(without_titles);
    let gateway = builder.config(|config| config.conversations.archive = Some(place)).start().await;
    let alice = Person::of(&gateway);
    let id = alice.begin(json!({ "title": "Ports" })).await;
    for n in 0..3 {
        last(&alice.say(&id, &json!({ "content": format!("Question {n}") })).await, "message");
    }
    let before = alice.view(&id).await;
    let path = format!("/conversations/{id}");
    let closed = alice.told(200, Method::PATCH, &path, Some(&json!({ "closed": true }))).await;
    assert_eq!(
        (&closed["closed"], &closed["archived"], &closed["messages"]),
        (&json!(true), &json!(true), &json!(6))
    );
    let principal = format!("{}#alice", gateway.issuer.url());
    assert_eq!(
        gateway.store.messages(&principal, &id, None, 10).await.unwrap(),
        [],
        "the table is free of it"
    );
    assert_eq!(files(folder.path()).len(), 2, "one to restore from, one to read");
    assert_eq!(alice.view(&id).await["messages"], before["messages"], "unseen");
    let pages = alice.get(&format!("{path}?limit=4")).await;
    let earlier = pages["earlier"].as_str().unwrap();
    let first = alice.get(&format!("{path}?limit=4&before={earlier}")).await;
    assert_eq!(first["messages"].as_array().unwrap().len(), 2);
    let export = alice.get("/conversations/export").await;
    assert_eq!(export["conversations"][0]["transcript"], before["messages"]);

    alice.told(200, Method::PATCH, &path, Some(&json!({ "closed": false }))).await;
    let again = alice.say(&id, &json!({ "regenerate": true })).await;
    assert_eq!(
        last(&again, "message")["conversation"]["messages"],
        6,
        "the last answer came from the archive"
    );
    assert_eq!(given(&ollama).pop().unwrap().len(), 5);
    let second = before["messages"][2]["id"].clone();
    let edited = alice.say(&id, &json!({ "content": "Other", "replaces": second })).await;
    assert_eq!(last(&edited, "message")["conversation"]["messages"], 4);
    let contents: Vec<_> = alice.transcript(&id).await.into_iter().map(|one| one.2).collect();
    assert_eq!((contents.len(), contents[0].as_str(), contents[2].as_str()), (4, "Question 0", "Other"));
    alice.told(204, Method::DELETE, &path, None).await;
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "removed there too");
}
