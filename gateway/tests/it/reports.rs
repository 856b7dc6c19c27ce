//! What a node tells the fleet of itself is true and comes in time; and whatever the store does, nobody who is served
//! notices.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use aws_lc_rs::digest;
use demo::ollama::{Fault, Model, SimulatedOllama};
use fleet::report::{NodeState, Report, Role};
use gateway::config::settings::Role as RoleSettings;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::apis::{APIS, logged, until};
use crate::faulty_store::FaultyStore;
use crate::support::{CHAT, PATIENCE, TestGateway, chat, ollama, ollama_with, request};

/// The report that stands in the store, if one does.
pub async fn standing(gateway: &TestGateway) -> Option<Report> {
    let now = jiff::Timestamp::now().as_second();
    let records = gateway.store.reports("default", now).await.unwrap();
    records.into_iter().map(|record| record.report).next()
}

/// Waits for a report that is so.
pub async fn reported(gateway: &TestGateway, so: impl Fn(&Report) -> bool) -> Report {
    let mut seen = None;
    let waiting = async {
        loop {
            match standing(gateway).await {
                Some(report) if so(&report) => return report,
                other => seen = other,
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    match timeout(PATIENCE, waiting).await {
        Ok(report) => report,
        Err(_) => panic!("no such report; the last is {seen:?}"),
    }
}

async fn start(ollama: &SimulatedOllama) -> TestGateway {
    let builder = TestGateway::in_front_of(ollama).await;
    builder.config(|config| config.fleet.address = Some("node-1.internal:8443".to_owned())).start().await
}

/// The SHA-256 of the certificate that a handshake shows, in hexadecimal.
async fn shown(gateway: &TestGateway) -> String {
    let tls = gateway.tls(&[b"http/1.1"]).await;
    let leaf = &tls.get_ref().1.peer_certificates().unwrap()[0];
    digest::digest(&digest::SHA256, leaf).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_node_says_what_it_is() {
    let ollama = ollama().await;
    let gateway = start(&ollama).await;
    let report = reported(&gateway, |report| report.state == NodeState::Ready).await;
    assert_eq!((report.node.as_str(), report.address.as_str()), ("local", "node-1.internal:8443"));
    assert_eq!((report.role, report.slots, report.busy, report.queued), (Role::Node, 2, 0, 0));
    assert_eq!((report.models.as_slice(), report.last_request_at), (&[CHAT.to_owned()][..], None));
    assert_eq!((report.version.as_str(), report.order_seen), (env!("CARGO_PKG_VERSION"), 0));
    assert!(report.sequence > 0 && report.started_at > 1_700_000_000);
    // Peers pin what the handshake shows; also after the files have changed.
    for _ in 0..2 {
        let before = shown(&gateway).await;
        let pinned = reported(&gateway, |report| report.certificate_sha256 == before).await;
        assert_eq!(pinned.started_at, report.started_at);
        gateway.ca.issue();
        let renewed = async {
            while shown(&gateway).await == before {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, renewed).await.expect("the new certificate is served");
    }
}

#[tokio::test]
async fn the_way_to_ready_is_told_at_once() {
    let ollama = ollama().await;
    ollama.fault_on("/api/ps", Fault::CutAfterBytes(0));
    // Were only the clock to tell, nothing would change for longer than anybody here waits.
    let builder = TestGateway::in_front_of(&ollama).await;
    let builder = builder.config(|config| config.fleet.report_every_seconds = Duration::from_secs(60));
    let gateway = builder.start_unready().await;
    gateway.ready().await;
    reported(&gateway, |report| report.state == NodeState::Ready).await;
    // And the fullness of the queue.
    ollama.hold_tokens_after(1);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut raw = gateway.raw().await;
        raw.send(request("POST", "/api/chat", &gateway.token(), &chat(true).to_string())).await;
        streams.push(raw);
    }
    let full = reported(&gateway, |report| report.queued == 1).await;
    assert_eq!((full.busy, full.slots), (2, 2));
    assert!(full.queued_work_seconds > 0.0);
    drop(streams.pop());
    reported(&gateway, |report| report.queued == 0).await;
}

#[tokio::test]
async fn only_what_was_admitted_is_activity_and_counted() {
    let ollama = ollama_with(Model::chat(CHAT).words(200)).await;
    let builder = TestGateway::in_front_of(&ollama).await;
    let gateway = builder
        .config(|config| {
            let user = config.roles.get_mut("user").unwrap();
            *user = RoleSettings { tokens_per_minute: Some(1), ..user.clone() };
        })
        .start()
        .await;
    gateway.get("/api/tags").send().await.unwrap();
    gateway.get("/readyz").send().await.unwrap();
    let unknown = gateway.post("/api/chat", &serde_json::json!({ "model": "gemma-none", "messages": [] }));
    assert_eq!(unknown.send().await.unwrap().status(), 404);
    let began = jiff::Timestamp::now().as_second();
    let report = reported(&gateway, |report| report.counts.requests == 1).await;
    assert_eq!((report.counts.errors, report.counts.refusals, report.last_request_at), (0, 0, None));

    // The first request of a minute is let through whatever its size, the second is refused; unless the minute ends
    // between them.
    for api in &APIS[..2] {
        let answer = gateway.post(api.path, &api.body(true)).send().await.unwrap();
        answer.text().await.unwrap();
    }
    let report = reported(&gateway, |report| report.counts.requests == 3).await;
    assert!(report.last_request_at.is_some_and(|at| at >= began), "{report:?}");
    assert!(report.tokens_per_second > 0.0);
    let counts = report.counts;
    assert_eq!((counts.refusals + counts.request_seconds.total(), counts.errors), (2, 0), "{counts:?}");
    assert!(counts.request_seconds.total() >= 1, "{counts:?}");
    assert_eq!(counts.first_token_seconds.total(), counts.request_seconds.total());
    assert_eq!(counts.inference_seconds.total(), counts.request_seconds.total());
    ollama.fault_on("/api/chat", Fault::EndAfterTokens(4));
    let other = gateway.token_for("bob");
    gateway.post_as(&other, "/api/chat", &chat(true)).send().await.unwrap().text().await.unwrap();
    reported(&gateway, |report| report.counts.errors == 1).await;
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_disturbs_no_stream() {
    let (log, _guard) = logged("info");
    let ollama = ollama_with(Model::chat(CHAT).words(50)).await;
    let dir = TempDir::new().unwrap();
    let store = FaultyStore::open(dir.path());
    let gateway = TestGateway::in_front_of(&ollama).await.store(store.clone()).start().await;
    let answered = async |what: &str| {
        let answer = gateway.post("/api/chat", &chat(true)).send().await.unwrap();
        let text = timeout(PATIENCE, answer.text()).await.expect(what).unwrap();
        assert!(text.contains("\"done\":true"), "{what}: {text}");
    };
    answered("while it works").await;
    ollama.hold_tokens_after(1);
    let mut begun = gateway.raw().await;
    begun.send(request("POST", "/api/chat", &gateway.token(), &chat(true).to_string())).await;
    begun.until("\"done\":false").await;
    store.fail(true);
    let faults = store.faults.load(SeqCst);
    until("reports meet the fault", || store.faults.load(SeqCst) > faults + 1).await;
    ollama.release_tokens();
    begun.until("\"done\":true").await;
    answered("while it fails").await;
    store.hang(true);
    let faults = store.faults.load(SeqCst);
    until("a report hangs", || store.faults.load(SeqCst) > faults).await;
    answered("while it hangs").await;
    assert!(gateway.gateway.shared.is_ready());
    store.hang(false);
    store.fail(false);
    let again = || log.text().contains("load reports are written again");
    until("it is written again", again).await;
    let begins = log.text().matches("load reports cannot be written").count();
    assert_eq!(begins, 1, "told once: {}", log.text());
}
