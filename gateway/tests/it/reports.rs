//! What a node tells the fleet of itself is true and comes in time; and whatever the store does, nobody who is served
//! notices.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use aws_lc_rs::digest;
use demo::ollama::{Fault, Model, SimulatedOllama};
use fleet::report::{NodeState, Report, Role};
use fleet::store::Store;
use gateway::config::settings::Role as RoleSettings;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::apis::{APIS, logged, until};
use crate::faulty_store::FaultyStore;
use crate::hops::{Fleet, meets};
use crate::peers::pair;
use crate::support::{CHAT, PATIENCE, TestGateway, chat, ollama, ollama_with, request};

/// The report that stands in the store, if one does.
async fn standing(store: &Arc<dyn Store>, node: &str) -> Option<Report> {
    let now = jiff::Timestamp::now().as_second();
    let records = store.reports("default", now).await.unwrap();
    records.into_iter().map(|record| record.report).find(|report| report.node == node)
}

/// Waits for a report that is so.
pub async fn reported(gateway: &TestGateway, so: impl Fn(&Report) -> bool) -> Report {
    reported_by(&gateway.store, &gateway.gateway.shared.config.fleet.node, so).await
}

/// The same of one node among others.
pub async fn reported_by(store: &Arc<dyn Store>, node: &str, so: impl Fn(&Report) -> bool) -> Report {
    let mut seen = None;
    let waiting = async {
        loop {
            match standing(store, node).await {
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

#[tokio::test]
async fn work_is_counted_as_it_arrives_waits_runs_and_ends() {
    let ollama = ollama().await;
    let gateway = start(&ollama).await;
    let answered = gateway.post("/api/chat", &chat(false)).send().await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answered.text().await.unwrap()).unwrap();
    let tokens = |key: &str| answer[key].as_u64().unwrap();
    let load = reported(&gateway, |report| report.load.finished == 1).await.load;
    assert_eq!(load.finished_prompt_tokens, tokens("prompt_eval_count"));
    assert_eq!(load.finished_output_tokens, tokens("eval_count"));
    let each = load.arrived_prompt_tokens;
    assert!(load.arrived == 1 && each > 0, "{load:?}");
    assert_eq!((load.waiting_prompt_tokens, load.running_prompt_tokens), (0, 0));

    // A list and what is refused are no work.
    gateway.get("/api/tags").send().await.unwrap();
    let unknown = gateway.post("/api/chat", &serde_json::json!({ "model": "gemma-none", "messages": [] }));
    assert_eq!(unknown.send().await.unwrap().status(), 404);
    ollama.hold_tokens_after(2);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut raw = gateway.raw().await;
        raw.send(request("POST", "/api/chat", &gateway.token(), &chat(true).to_string())).await;
        streams.push(raw);
    }
    let load = reported(&gateway, |report| report.load.waiting_prompt_tokens == each).await.load;
    assert_eq!(
        (load.arrived, load.arrived_prompt_tokens, load.running_prompt_tokens),
        (4, 4 * each, 2 * each)
    );
    assert_eq!(load.finished, 1);

    // Who leaves ends a request too, with what was generated for it; who leaves the queue ends none.
    drop(streams.pop());
    reported(&gateway, |report| report.load.waiting_prompt_tokens == 0).await;
    for stream in &mut streams {
        stream.until("\"done\":false").await;
    }
    drop(streams);
    let cut = reported(&gateway, |report| report.load.finished == 3).await.load;
    assert!((2..=4).contains(&(cut.finished_output_tokens - load.finished_output_tokens)), "{cut:?}");
    assert_eq!(cut.finished_prompt_tokens, load.finished_prompt_tokens + 2 * each);
    reported(&gateway, |report| report.load.running_prompt_tokens == 0).await;
}

#[tokio::test]
async fn what_is_handed_on_arrives_at_the_first_and_is_finished_at_the_last() {
    let fleet = Fleet::new();
    let ollama = ollama().await;
    let node = fleet.node("node", &ollama).await.start().await;
    let front = fleet.front().await.start().await;
    meets(&front, &[&node]).await;
    ollama.hold_tokens_after(1);
    let mut raw = front.raw().await;
    raw.send(request("POST", "/api/chat", &front.token(), &chat(true).to_string())).await;
    raw.until("\"done\":false").await;
    let of = async |name: &str, so: &dyn Fn(&Report) -> bool| {
        reported_by(&fleet.store, name, |report| so(report)).await
    };
    let held = of("node", &|report| report.busy == 1).await;
    assert!(held.load.running_prompt_tokens > 0 && held.load.arrived == 0, "{held:?}");
    let holds = of("front", &|report| report.load.arrived == 1).await;
    assert_eq!((holds.slots, holds.busy, holds.load.running_prompt_tokens), (0, 0, 0));
    ollama.release_tokens();
    raw.until("\"done\":true").await;
    let did = of("node", &|report| report.load.finished == 1 && report.tokens_per_second > 0.0).await.load;
    assert!(did.finished_output_tokens > 0 && (did.arrived, did.arrived_prompt_tokens) == (0, 0), "{did:?}");
    let front_did = of("front", &|report| report.counts.requests == 1).await;
    assert_eq!((front_did.load.arrived, front_did.load.finished), (1, 0));
    assert!(front_did.tokens_per_second.abs() < 1e-9, "the node tells");
}

#[tokio::test]
async fn a_node_that_leaves_is_busy_with_what_it_still_relays() {
    let fleet = Fleet::new();
    let [(one, a), (_two, b)] = pair(&fleet).await;
    a.hold_tokens_after(0);
    b.hold_tokens_after(1);
    let mut sent = Vec::new();
    for _ in 0..8 {
        let mut raw = one.raw().await;
        raw.send(request("POST", "/api/chat", &one.token(), &chat(true).to_string())).await;
        sent.push(raw);
    }
    until("some go on", || one.gateway.shared.queue.load().away > 0).await;
    let serving = reported_by(&fleet.store, "one", |report| report.busy == 2).await;
    assert_eq!((serving.state, serving.slots), (NodeState::Ready, 2), "never what runs at a peer");
    one.tasks.drain();
    reported_by(&fleet.store, "one", |report| report.state == NodeState::Draining && report.busy > 2).await;
}
