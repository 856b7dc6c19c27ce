//! Administrators see which models they could have, and whether each fits the nodes: also while these sleep.

use std::sync::Arc;
use std::time::Duration;

use fleet::report::{NodeState, Report, Role};
use fleet::store::{SqliteStore, Store};
use gateway::config::load;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{CHAT, TestGateway, ollama};

/// Long, for a machine under load: what is waited for comes by itself.
const LONG: Duration = Duration::from_secs(30);
/// A T4's.
const GPU: u64 = 15_360 << 20;
/// Free on a node's disk.
const DISK: u64 = 10_000 << 20;

async fn ask(gateway: &TestGateway, token: &str) -> (u16, Value) {
    let request = gateway.client().get(gateway.url("/fleet/catalogue")).bearer_auth(token);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The catalogue, once a node has said what room it has.
async fn told(gateway: &TestGateway) -> Value {
    let token = gateway.token_in("admins");
    let looking = async {
        loop {
            let (_, told) = ask(gateway, &token).await;
            if told["node"]["as_of"].is_i64() {
                return told;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, looking).await.expect("a node says what room it has")
}

fn model<'a>(told: &'a Value, name: &str) -> &'a Value {
    let models = told["models"].as_array().unwrap();
    models.iter().find(|model| model["name"] == name).unwrap_or_else(|| panic!("{name} in {told}"))
}

#[tokio::test]
async fn administrators_see_what_fits_their_nodes() {
    let ollama = ollama().await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_owned();
    let measures = |config: &mut gateway::config::Config| {
        let ollama = config.ollama.as_mut().unwrap();
        (ollama.gpu_memory_bytes, ollama.models_directory) = (Some(GPU), Some(directory));
    };
    let gateway = TestGateway::in_front_of(&ollama).await.config(measures).start().await;
    for token in [gateway.token(), gateway.token_in("operators")] {
        assert_eq!(ask(&gateway, &token).await.0, 403);
    }
    let told = told(&gateway).await;
    assert_eq!(told["node"]["gpu_memory_bytes"], json!(GPU), "{told}");
    let small = model(&told, CHAT);
    assert_eq!((&small["here"], &small["fits"]["memory"]), (&json!(true), &json!("yes")), "{small}");
    assert_eq!(small["instance_type"], "g4dn.xlarge");
    for field in ["title", "parameters", "licence", "source", "note"] {
        assert!(!small[field].as_str().unwrap().is_empty(), "{field} of {small}");
    }
    assert!(small["memory_bytes"].as_u64() > small["download_bytes"].as_u64(), "{small}");
    assert!(small["context"].is_u64() && small["languages"].is_array(), "{small}");
    let large = model(&told, "gemma3:27b");
    assert_eq!((&large["here"], &large["fits"]["memory"]), (&json!(false), &json!("no")), "{large}");
    let sentence = large["fits"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("16.1 GB") && sentence.contains("g6.xlarge would do"), "{sentence}");
    // How much disk there is, is this machine's: both must go together.
    let free = told["node"]["disk_free_bytes"].as_u64().unwrap();
    let needed = large["download_bytes"].as_u64().unwrap() + 2_000_000_000;
    assert_eq!(large["fits"]["disk"], if needed <= free { "yes" } else { "no" }, "{free}");
}

#[tokio::test]
async fn a_front_remembers_what_its_nodes_had() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("fleet.db")).unwrap()) as Arc<dyn Store>;
    let kind = |config: &mut gateway::config::Config| {
        config.catalogue.instance_type = Some("g6.xlarge".to_owned());
    };
    let front = TestGateway::front().await.sharing(&store).config(kind).start().await;
    let (_, before) = ask(&front, &front.token_in("admins")).await;
    let (guessed, nothing) = (&before["node"]["gpu_memory_bytes"], &before["node"]["as_of"]);
    assert_eq!((guessed, nothing), (&json!(23_034_u64 << 20), &Value::Null), "{before}");
    assert_eq!(model(&before, "gemma3:27b")["fits"]["memory"], "yes");
    assert_eq!(model(&before, "gemma3:27b")["fits"]["disk"], "unknown");

    let report = Report {
        node: "one".to_owned(),
        role: Role::Node,
        state: NodeState::Ready,
        gpu_memory_bytes: Some(GPU),
        disk_free_bytes: Some(DISK),
        ..Report::default()
    };
    // A report counts for ten seconds: on a slow machine it is written until it was read.
    let reporting = async {
        loop {
            store.write_report("default", &report, Timestamp::now().as_second()).await.unwrap();
            sleep(Duration::from_millis(500)).await;
        }
    };
    let awake = tokio::select! {
        told = told(&front) => told,
        () = reporting => unreachable!("it reports for ever"),
    };
    assert_eq!(
        (&awake["node"]["gpu_memory_bytes"], &awake["node"]["disk_free_bytes"]),
        (&json!(GPU), &json!(DISK))
    );
    assert_eq!(
        model(&awake, "gemma3:27b")["fits"],
        json!({
            "memory": "no", "disk": "no",
            "sentence": "It needs 22.6 GB of GPU memory and the nodes have 16.1 GB: g6.xlarge would do. It takes 17.0 GB of \
                         disk and 10.5 GB are free, of which 2.0 GB stay free: delete a model, or give the nodes a larger disk."
        })
    );
    store.forget("default", "one").await.unwrap();
    let asleep = told(&front).await;
    for known in ["gpu_memory_bytes", "disk_free_bytes"] {
        assert_eq!(asleep["node"][known], awake["node"][known], "nobody is there, and it is known");
    }
}

#[test]
fn a_catalogue_with_mistakes_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    std::fs::write(&path, "[[models]]\nname = \"a b\"\n").unwrap();
    let tree = |extra: Value| {
        let mut tree = json!({
            "issuers": [{ "issuer": "https://a.example/", "kind": "oidc", "audiences": ["api"] }]
        });
        tree.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        load::from_tree(tree)
    };
    let mistakes = tree(json!({ "catalogue": { "file": path } })).unwrap_err().mistakes;
    assert!(
        !mistakes.is_empty() && mistakes.iter().all(|mistake| mistake.starts_with("catalogue.file: ")),
        "{mistakes:?}"
    );
    for (key, costs) in [
        ("costs.gpu_hour", json!({ "gpu_hour": -1.0 })),
        ("costs.tag_key", json!({ "tag_key": " " })),
        ("costs.region", json!({ "region": "" })),
    ] {
        let mistakes = tree(json!({ "costs": costs })).unwrap_err().mistakes;
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(&format!("{key}: ")), "{mistakes:?}");
    }
    let mistakes = tree(json!({ "ollama": { "gpu_memory_bytes": 0 } })).unwrap_err().mistakes;
    assert!(mistakes.len() == 1 && mistakes[0].starts_with("ollama.gpu_memory_bytes: "), "{mistakes:?}");
    assert!(tree(json!({ "costs": { "gpu_hour": 0.526, "budget": 0 } })).is_ok());
}
