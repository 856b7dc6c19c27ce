//! What an administrator pulls or deletes on any gateway, every node of the fleet has or has no longer, also one that
//! wakes later; the client sees how far they are.

use std::time::Duration;

use demo::ollama::{Fault, SimulatedOllama};
use fleet::store::{Phase, Progress, ProgressState, Store, WantedModel};
use serde_json::{Value, json};

use crate::apis::until;
use crate::faulty_store::FaultyStore;
use crate::hops::{Fleet, meets};
use crate::support::{Builder, CHAT, DENIED, PATIENCE, TestGateway, ollama};

const NEW: &str = "gemma-new:1b";

async fn pull(gateway: &TestGateway, body: Value) -> reqwest::Response {
    gateway.post_as(&gateway.token_in("admins"), "/api/pull", &body).send().await.unwrap()
}

/// The lines of a streamed pull, without keep-alive bytes.
async fn lines(answer: reqwest::Response) -> Vec<Value> {
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

async fn delete(gateway: &TestGateway, model: &str) -> (u16, String) {
    let asking = gateway.client().delete(gateway.url("/api/delete")).bearer_auth(gateway.token_in("admins"));
    let answer = asking.body(json!({ "model": model }).to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn lists(gateway: &TestGateway, model: &str) -> bool {
    let list: Value = gateway.get("/api/tags").send().await.unwrap().json().await.unwrap();
    list["models"].as_array().unwrap().iter().any(|entry| entry["name"] == model)
}

/// What `/fleet` tells operators of a model.
async fn told(gateway: &TestGateway, model: &str) -> Value {
    let asking = gateway.client().get(gateway.url("/fleet")).bearer_auth(gateway.token_in("operators"));
    let fleet: Value = asking.send().await.unwrap().json().await.unwrap();
    let models = fleet["models"].as_array().unwrap();
    models.iter().find(|entry| entry["name"] == model).cloned().unwrap_or_default()
}

fn has(gateway: &TestGateway, model: &str) -> bool {
    let keeper = gateway.gateway.shared.keeper().unwrap();
    keeper.known().tags.iter().any(|(name, _)| name.as_str() == model)
}

fn pulls(ollama: &SimulatedOllama) -> usize {
    ollama.requests().iter().filter(|seen| seen.target == "/api/pull").count()
}

/// A front and two nodes that know each other.
async fn three(fleet: &Fleet) -> (TestGateway, [(TestGateway, SimulatedOllama); 2]) {
    let front = fleet.front().await.start().await;
    let (a, b) = (ollama().await, ollama().await);
    let one = fleet.node("one", &a).await.start().await;
    let two = fleet.node("two", &b).await.start().await;
    meets(&front, &[&one, &two]).await;
    meets(&one, &[&two]).await;
    (front, [(one, a), (two, b)])
}

#[tokio::test]
async fn a_pull_at_the_front_reaches_every_node_and_a_delete_at_one_takes_it_from_all() {
    let fleet = Fleet::new();
    let (front, [(one, _a), (two, _b)]) = three(&fleet).await;
    let told_client = lines(pull(&front, json!({ "model": NEW })).await).await;
    assert_eq!(told_client[0], json!({ "status": "pulling manifest" }));
    assert_eq!(told_client.last().unwrap(), &json!({ "status": "success" }));
    let whole = &told_client[told_client.len() - 2];
    assert!(whole["total"].as_u64().unwrap() > 0 && whole["completed"] == whole["total"], "{whole}");
    assert!(whole["status"].as_str().unwrap().contains("2 of 2 nodes"), "{whole}");
    assert!(has(&one, NEW) && has(&two, NEW));
    assert!(lists(&front, NEW).await && lists(&one, NEW).await, "in the lists at once");
    let told_operator = told(&front, NEW).await;
    for node in ["one", "two"] {
        assert_eq!(told_operator["progress"][node]["state"], "present", "{told_operator}");
    }
    let user: Value = front.get("/fleet").send().await.unwrap().json().await.unwrap();
    assert!(user.get("models").is_none(), "machines are the operators' business");

    assert_eq!(delete(&one, NEW).await, (200, String::new()));
    assert!(!has(&one, NEW), "gone here with the answer");
    until("gone there too", || !has(&two, NEW)).await;
    assert!(fleet.store.models("default").await.unwrap().is_empty());
    assert_eq!(delete(&one, NEW).await.0, 404);
}

#[tokio::test]
async fn a_deleted_model_leaves_the_fronts_list_at_once_and_what_pulls_did_not_bring_stays() {
    let fleet = Fleet::new();
    let (front, [(one, a), (_two, b)]) = three(&fleet).await;
    lines(pull(&front, json!({ "model": NEW })).await).await;
    assert!(lists(&front, NEW).await);
    assert_eq!(delete(&front, NEW).await, (200, String::new()));
    assert!(!lists(&front, NEW).await, "though nodes need some seconds");
    assert_eq!(delete(&front, NEW).await.0, 404);
    until("no node has it", || !has(&one, NEW)).await;

    for gateway in [&front, &one] {
        let (status, text) = delete(gateway, DENIED).await;
        assert_eq!(status, 403, "{text}");
        assert!(text.contains("before anybody pulled it"), "{text}");
    }
    let (status, text) = delete(&one, CHAT).await;
    assert!(status == 403 && text.contains("ollama.models"), "pinned: {status} {text}");
    // Pulled or not, what was there stays: the pull renewed it.
    let renewed = lines(pull(&front, json!({ "model": DENIED })).await).await;
    assert_eq!(renewed.last().unwrap()["status"], "success");
    assert_eq!((pulls(&a), pulls(&b)), (2, 2));
    assert_eq!(delete(&front, DENIED).await.0, 403);
    assert!(has(&one, DENIED));
    assert!(fleet.store.models("default").await.unwrap().is_empty(), "and is no longer wanted");
}

#[tokio::test]
async fn while_the_fleet_sleeps_a_pull_is_a_wish_that_wakes_nobody() {
    let fleet = Fleet::new();
    let front = fleet.front().await.start().await;
    let told = lines(pull(&front, json!({ "model": NEW })).await).await;
    let statuses: Vec<_> = told.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pulling manifest", "wanted; nodes pull it when they wake", "success"]);
    assert!(lists(&front, NEW).await);
    assert_eq!(fleet.store.state("default").await.unwrap().phase, Phase::Asleep);
    let ollama = ollama().await;
    let node = fleet.node("one", &ollama).await.start().await;
    until("the node that woke has it", || has(&node, NEW)).await;
    // It goes with the wish also where the node was started anew in between.
    drop(node);
    let node = fleet.node("one", &ollama).await.start().await;
    until("the wish is known", || has(&node, NEW)).await;
    tokio::time::sleep(Duration::from_millis(1500)).await; // a look
    assert_eq!(pulls(&ollama), 1, "it was there");
    assert_eq!(delete(&front, NEW).await.0, 200);
    until("gone", || !has(&node, NEW)).await;
}

#[tokio::test]
async fn a_model_that_no_node_can_pull_is_an_error_and_no_longer_wanted() {
    let fleet = Fleet::new();
    let (front, [(_one, a), (_two, b)]) = three(&fleet).await;
    let failing = |ollama: &SimulatedOllama| {
        let body =
            "{\"status\":\"pulling manifest\"}\n{\"error\":\"pull model manifest: file does not exist\"}\n";
        let content_type = "application/x-ndjson".to_owned();
        ollama.fault_on("/api/pull", Fault::Answer { status: 200, content_type, body: body.to_owned() });
    };
    failing(&a);
    failing(&b);
    let told = lines(pull(&front, json!({ "model": NEW })).await).await;
    assert_eq!(told.last().unwrap(), &json!({ "error": "pull model manifest: file does not exist" }));
    assert!(fleet.store.models("default").await.unwrap().is_empty());
    assert!(!lists(&front, NEW).await);

    failing(&a);
    let told = lines(pull(&front, json!({ "model": NEW })).await).await;
    let end: Vec<_> = told.iter().rev().take(2).map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(end, ["success", "1 of 2 nodes have it; the others try again"]);
    let wish = &fleet.store.models("default").await.unwrap()[0];
    assert_eq!(wish.progress["one"].state, ProgressState::Failed);
    assert_eq!(wish.progress["one"].error.as_deref(), Some("pull model manifest: file does not exist"));

    failing(&a);
    failing(&b);
    let whole = pull(&front, json!({ "model": "gemma-other", "stream": false })).await;
    let (status, text) = (whole.status().as_u16(), whole.text().await.unwrap());
    assert_eq!(status, 502, "{text}");
    assert!(text.contains("file does not exist"), "{text}");
}

#[tokio::test]
async fn what_gone_nodes_said_of_a_wish_does_not_pile_up() {
    let (fleet, ollama) = (Fleet::new(), ollama().await);
    let wish = WantedModel { name: CHAT.to_owned(), source: CHAT.to_owned(), ..WantedModel::default() };
    fleet.store.want_model("default", &wish).await.unwrap();
    for gone in 0..301 {
        let said = Progress { state: ProgressState::Present, ..Progress::default() };
        fleet.store.write_progress("default", &wish, &format!("i-{gone}"), &said).await.unwrap();
    }
    let node = fleet.node("one", &ollama).await.start().await;
    let alone = async {
        loop {
            let wish = fleet.store.models("default").await.unwrap().remove(0);
            if wish.progress.keys().eq(["one"]) {
                return wish.progress["one"].state;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let state = tokio::time::timeout(3 * PATIENCE, alone).await.expect("only the living node is told of");
    assert_eq!((state, pulls(&ollama)), (ProgressState::Present, 0));
    assert!(has(&node, CHAT));
}

async fn lone(ollama: &SimulatedOllama, name: &str) -> Builder {
    let name = name.to_owned();
    TestGateway::in_front_of(ollama).await.config(move |config| config.fleet.node = name)
}

#[tokio::test]
async fn a_command_fetches_in_the_place_of_ollama_and_its_progress_is_told() {
    let ollama = ollama().await;
    let dir = tempfile::TempDir::new().unwrap();
    let mark = dir.path().join("done");
    let script = "echo 5 10; while [ ! -e \"$0\" ]; do sleep 0.05; done; echo 10 10";
    let command = ["sh", "-c", script, mark.to_str().unwrap(), "{name}"].map(str::to_owned);
    let gateway = lone(&ollama, "one").await.config(move |config| {
        config.ollama.as_mut().unwrap().fetch_command = command.to_vec();
        config.queue.keepalive_every_seconds = Duration::from_millis(50);
    });
    let gateway = gateway.start().await;
    let mut answer = pull(&gateway, json!({ "model": NEW })).await;
    let mut seen = String::new();
    while !seen.contains("\"completed\":5") {
        seen.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert_eq!(pulls(&ollama), 0);
    assert_eq!(told(&gateway, NEW).await["progress"]["one"]["state"], "pulling");
    let by_hand = reqwest::Client::new().post(format!("{}/api/pull", ollama.url()));
    by_hand.body(json!({ "model": NEW, "stream": false }).to_string()).send().await.unwrap();
    std::fs::write(&mark, "").unwrap();
    seen.push_str(&answer.text().await.unwrap());
    assert!(seen.contains("\"completed\":10") && seen.ends_with("{\"status\":\"success\"}\n"), "{seen}");
    assert!(lists(&gateway, NEW).await);
}

#[tokio::test]
async fn a_wish_that_is_taken_back_ends_the_pull() {
    let ollama = ollama().await;
    ollama.fault_on("/api/pull", Fault::Stall);
    let gateway = lone(&ollama, "one").await.start().await;
    let answer = pull(&gateway, json!({ "model": NEW })).await;
    until("the pull is under way", || pulls(&ollama) == 1).await;
    assert_eq!(delete(&gateway, NEW).await.0, 200);
    let told = lines(answer).await;
    let error = told.last().unwrap()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("somebody deleted it"), "{error}");
    let again = lines(pull(&gateway, json!({ "model": NEW })).await).await;
    assert_eq!(again.last().unwrap()["status"], "success", "the line is free for the next");
}

#[tokio::test]
async fn while_the_store_is_down_models_are_served_and_not_changed() {
    let (ollama, dir) = (ollama().await, tempfile::TempDir::new().unwrap());
    let store = FaultyStore::open(dir.path());
    let gateway = lone(&ollama, "one").await.store(store.clone()).start().await;
    assert_eq!(
        lines(pull(&gateway, json!({ "model": NEW })).await).await.last().unwrap()["status"],
        "success"
    );
    store.fail(true);
    for (status, text) in [delete(&gateway, NEW).await, {
        let answer = pull(&gateway, json!({ "model": "gemma-other" })).await;
        assert!(answer.headers().contains_key("retry-after"));
        (answer.status().as_u16(), answer.text().await.unwrap())
    }] {
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("cannot be changed at this moment"), "{text}");
    }
    tokio::time::sleep(Duration::from_millis(2500)).await; // a look or two
    assert!(has(&gateway, NEW), "an unreadable list is not an empty one");
    store.fail(false);
    assert_eq!(delete(&gateway, NEW).await, (200, String::new()));
    assert!(!has(&gateway, NEW));
    assert_eq!(store.models("default").await.unwrap().len(), 0);
}
