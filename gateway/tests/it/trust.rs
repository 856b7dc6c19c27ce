//! What a peer forwards is believed by its token and nothing else, charged once, and treated as the second hop it is.
//! The tests play the sender: with the key of a real gateway, over a pinned connection to another.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use demo::ollama::{Model, SimulatedOllama};
use gateway::config::Config;
use gateway::identity::{Principal, Priority, Rights};
use gateway::ollama::client::{Answer, Client, ClientError, More, Outgoing, Upstream};
use gateway::ollama::names::{ModelName, ModelPattern};
use gateway::trust::{Errand, IDENTITY, NodeKey, Peers};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::apis::{FAMILIES, logged, metric, until};
use crate::support::{CHAT, DENIED, EMBED, PATIENCE, TestGateway, chat, ollama, ollama_with, request};

const ID: &str = "of-the-first-hop";

/// The keys that the node finds in its peers' reports.
#[derive(Default)]
struct Reports(Mutex<HashMap<String, String>>);

impl Peers for Reports {
    fn public_key(&self, node: &str) -> Option<String> {
        self.0.lock().unwrap().get(node).cloned()
    }
}

/// The first hop, and the second with its Ollama.
struct Pair {
    front: TestGateway,
    node: TestGateway,
    ollama: SimulatedOllama,
    reports: Arc<Reports>,
    client: Client,
}

async fn pair() -> Pair {
    pair_before(ollama().await, |_| {}).await
}

async fn pair_before(behind: SimulatedOllama, change: impl FnOnce(&mut Config)) -> Pair {
    let name = |name: &str| {
        let name = name.to_owned();
        move |config: &mut Config| config.fleet.node = name
    };
    let reports = Arc::new(Reports::default());
    let front = TestGateway::in_front_of(&behind).await.config(name("front")).start_unready().await;
    let node = TestGateway::in_front_of(&behind).await.config(name("node")).config(change);
    let node = node.among(reports.clone()).start().await;
    reports.0.lock().unwrap().insert("front".to_owned(), front.gateway.shared.trust.key().public());
    Pair { front, node, ollama: behind, reports, client: Client::default() }
}

/// Somebody who may use the models that users may.
fn alice() -> (Principal, Rights) {
    let models = ["gemma*", EMBED].map(|text| ModelPattern::parse(text).unwrap()).to_vec();
    let rights = Rights {
        models,
        requests_per_minute: 1,
        requests_burst: 1,
        tokens_per_minute: 1,
        open_requests: 1,
        priority: Priority::Normal,
        operate: false,
        manage_models: false,
    };
    (Principal::of_token("https://issuer.example", "alice"), rights)
}

/// What of an honest attempt is changed.
struct Attempt<'a> {
    sender: &'a str,
    key: Option<&'a NodeKey>,
    receiver: &'a str,
    method: &'static str,
    path: &'static str,
    vouched_path: &'a str,
    body: String,
    vouched_body: String,
    model: Option<&'a str>,
    waited: Duration,
    made: i64,
}

impl Attempt<'_> {
    fn of(path: &'static str, body: &Value) -> Self {
        Self {
            sender: "front",
            key: None,
            receiver: "node",
            method: "POST",
            path,
            vouched_path: path,
            body: body.to_string(),
            vouched_body: body.to_string(),
            model: None,
            waited: Duration::ZERO,
            made: 0,
        }
    }

    /// The fields that go out with it.
    fn fields(&self, pair: &Pair) -> Vec<(HeaderName, HeaderValue)> {
        let (principal, rights) = alice();
        let model = self.model.map(|model| ModelName::parse(model).unwrap());
        let errand = Errand {
            principal: &principal,
            rights: &rights,
            model: model.as_ref(),
            method: self.method,
            path: self.vouched_path,
            body: self.vouched_body.as_bytes(),
            request_id: ID,
            waited: self.waited,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        match self.key {
            None if self.made == 0 && self.sender == "front" => {
                pair.front.gateway.shared.trust.vouch(self.receiver, &errand).unwrap()
            }
            key => {
                let key = key.unwrap_or(pair.front.gateway.shared.trust.key());
                let at = now.saturating_add_signed(self.made);
                let token = key.vouch(self.sender, self.receiver, &errand, at).unwrap();
                vec![
                    (HeaderName::from_static("x-request-id"), HeaderValue::from_static(ID)),
                    (IDENTITY, token.parse().unwrap()),
                ]
            }
        }
    }

    async fn send(&self, pair: &Pair) -> Answer {
        self.send_with(pair, self.fields(pair)).await.unwrap()
    }

    async fn send_with(
        &self,
        pair: &Pair,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Answer, ClientError> {
        let body = (self.method == "POST").then(|| Bytes::from(self.body.clone()));
        let request = Outgoing { method: self.method, path: self.path, body, headers };
        timeout(PATIENCE, pair.client.send(&pair.upstream(), &request)).await.expect("an answer in time")
    }
}

impl Pair {
    /// The node, by the certificate it has.
    fn upstream(&self) -> Upstream {
        let pem = std::fs::read(&self.node.ca.files.certificate).unwrap();
        let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
        Upstream::pinned(&format!("127.0.0.1:{}", self.node.port), sha256.as_ref().try_into().unwrap())
    }

    fn asked(&self, path: &str) -> usize {
        self.ollama.requests().iter().filter(|seen| seen.target == path).count()
    }
}

async fn text(mut answer: Answer) -> String {
    let body = timeout(PATIENCE, answer.body.collect(1 << 20)).await.expect("a body in time").unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// An Ollama whose chat model never ends by itself.
async fn endless() -> SimulatedOllama {
    ollama_with(Model::chat(CHAT).endless().speed(1_000_000.0, 200.0)).await
}

#[tokio::test]
async fn a_forwarded_request_is_answered_in_every_family_streamed_or_not() {
    let pair = pair().await;
    for api in FAMILIES {
        for stream in [true, false] {
            let answer = Attempt::of(api.path, &api.body(stream)).send(&pair).await;
            assert_eq!(answer.status, 200, "{}", api.path);
            assert!(answer.queue_wait.is_some());
            let text = text(answer).await;
            assert!(!stream || text.contains(api.end), "{}: {text}", api.path);
            assert!(stream || serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        }
        assert_eq!(pair.asked(api.path), 2);
    }
    for seen in pair.ollama.requests() {
        assert_eq!(seen.header(IDENTITY.as_str()), None, "the token stays between the hops");
    }
}

#[tokio::test]
async fn a_list_is_forwarded_with_the_callers_eyes() {
    let pair = pair().await;
    let tags = Attempt { method: "GET", vouched_body: String::new(), ..Attempt::of("/api/tags", &json!({})) };
    let answer = tags.send(&pair).await;
    assert_eq!(answer.status, 200);
    let text = text(answer).await;
    assert!(text.contains(CHAT) && !text.contains(DENIED), "{text}");
    let vouched = Attempt { vouched_body: "{}".to_owned(), ..tags };
    assert_eq!(vouched.send(&pair).await.status, 401, "no such body comes with a list");
}

/// One refusal: status, form and words as for any bad credential, and nothing reaches Ollama.
async fn check(pair: &Pair, what: &str, sent: Result<Answer, ClientError>, label: &str, expected: &str) {
    let answer = sent.unwrap();
    assert_eq!(answer.status, 401, "{what}");
    assert_eq!(text(answer).await, expected, "{what}");
    let counted = metric(&pair.node, &format!("gateway_refusals_total{{reason=\"{label}\"}}"));
    assert!(counted >= 1.0, "{what} is counted as {label}");
    assert_eq!(pair.asked("/api/chat"), 0, "{what}");
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_like_any_other() {
    let pair = pair().await;
    let usual = pair.node.client().post(pair.node.url("/api/chat")).body("{}").send().await.unwrap();
    let usual = usual.text().await.unwrap();
    let stranger = NodeKey::generate().unwrap();
    let honest = || Attempt::of("/api/chat", &chat(false));
    for (what, label, attempt) in [
        ("expired", "peer_expired", Attempt { made: -3600, ..honest() }),
        ("from the future", "peer_early", Attempt { made: 3600, ..honest() }),
        ("for another node", "peer_audience", Attempt { receiver: "front", ..honest() }),
        ("by nobody we know", "peer_unknown", Attempt { sender: "stranger", ..honest() }),
        ("by another key", "bad_signature", Attempt { key: Some(&stranger), ..honest() }),
        ("for another path", "peer_path", Attempt { vouched_path: "/api/generate", ..honest() }),
        ("for another body", "peer_body", Attempt { vouched_body: chat(true).to_string(), ..honest() }),
    ] {
        check(&pair, what, attempt.send_with(&pair, attempt.fields(&pair)).await, label, &usual).await;
    }
    let bearer = |token: &str| {
        (HeaderName::from_static("authorization"), HeaderValue::from_str(&format!("Bearer {token}")).unwrap())
    };
    let key = || (HeaderName::from_static("x-api-key"), HeaderValue::from_static("ollm_x"));
    let identity = |token: &str| (IDENTITY, HeaderValue::from_str(token).unwrap());
    let fields = || honest().fields(&pair);
    let token = fields()[1].1.to_str().unwrap().to_owned();
    let other_id = (HeaderName::from_static("x-request-id"), HeaderValue::from_static("another-id"));
    for (what, label, fields) in [
        ("beside a bearer", "two_credentials", [fields(), vec![bearer(&pair.node.token())]].concat()),
        ("beside a key", "two_credentials", [fields(), vec![key()]].concat()),
        ("twice", "two_credentials", [fields(), vec![identity(&token)]].concat()),
        ("of another request", "peer_request_id", vec![other_id, fields()[1].clone()]),
        ("nonsense", "segments", vec![identity("opensesame")]),
        ("a caller's own", "type", vec![identity(&pair.node.token())]),
        ("as a bearer", "type", vec![bearer(&token)]),
    ] {
        check(&pair, what, honest().send_with(&pair, fields).await, label, &usual).await;
    }
}

#[tokio::test]
async fn a_token_is_good_once() {
    let pair = pair().await;
    let attempt = Attempt::of("/api/chat", &chat(false));
    let fields = attempt.fields(&pair);
    assert_eq!(attempt.send_with(&pair, fields.clone()).await.unwrap().status, 200);
    assert_eq!(attempt.send_with(&pair, fields).await.unwrap().status, 401);
    assert_eq!(metric(&pair.node, "gateway_refusals_total{reason=\"peer_replayed\"}"), 1.0);
    assert_eq!(attempt.send(&pair).await.status, 200, "a new one for the same request");
    assert_eq!(pair.asked("/api/chat"), 2);
}

#[tokio::test]
async fn a_peer_that_has_gone_is_believed_no_more() {
    let pair = pair().await;
    let attempt = Attempt::of("/api/chat", &chat(false));
    assert_eq!(attempt.send(&pair).await.status, 200);
    pair.reports.0.lock().unwrap().clear();
    assert_eq!(attempt.send(&pair).await.status, 401);
}

#[tokio::test]
async fn the_rights_in_the_token_are_looked_at_again() {
    let pair = pair().await;
    let mut denied = chat(false);
    denied["model"] = json!(DENIED);
    assert_eq!(Attempt::of("/api/chat", &denied).send(&pair).await.status, 404);
    let other = Attempt { model: Some("gemma3n:e2b"), ..Attempt::of("/api/chat", &chat(false)) };
    assert_eq!(other.send(&pair).await.status, 404, "a token for one model opens no other");
    let one = Attempt { model: Some(CHAT), ..Attempt::of("/api/chat", &chat(false)) };
    assert_eq!(one.send(&pair).await.status, 200);
    let pull = Attempt::of("/api/pull", &json!({ "model": CHAT }));
    assert_eq!(pull.send(&pair).await.status, 403);
    assert_eq!(pair.asked("/api/pull"), 0);
}

#[tokio::test]
async fn host_and_network_were_the_first_hops_business() {
    let pair = pair_before(ollama().await, |config| {
        config.access.hosts = vec!["llm.example".to_owned()];
        config.access.allowed_networks = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    assert_eq!(pair.node.post("/api/chat", &chat(false)).send().await.unwrap().status(), 421);
    let attempt = Attempt::of("/api/chat", &chat(false));
    assert_eq!(attempt.send(&pair).await.status, 200);
    let forged = vec![(IDENTITY, HeaderValue::from_static("a.b.c"))];
    assert_eq!(attempt.send_with(&pair, forged).await.unwrap().status, 401);
    let root = Attempt { method: "GET", ..Attempt::of("/", &json!({})) };
    let open = root.send(&pair).await;
    assert_eq!(open.status, 421, "the field opens nothing that needs no credential");
}

#[tokio::test]
async fn it_is_charged_once() {
    let (log, _guard) = logged("info");
    let pair = pair().await;
    let attempt = Attempt::of("/api/chat", &chat(true));
    for _ in 0..5 {
        // More than Alice's requests, and tokens, a minute: those were counted at the first hop.
        let answer = attempt.send(&pair).await;
        assert_eq!(answer.status, 200);
        assert!(text(answer).await.contains("\"done\":true"));
    }
    let lines = || -> Vec<Value> {
        let all = log.text();
        let parsed = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed.filter(|line| line["forwarded_by"] == "front").collect()
    };
    until("five lines", || lines().len() == 5).await;
    let line = lines().pop().unwrap();
    assert_eq!((&line["caller"], &line["request_id"]), (&json!("https://issuer.example#alice"), &json!(ID)));
    assert!(line["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{line}");
    assert!(!log.text().contains("eyJ"), "no token in the log");
    let done = "gateway_requests_total{route=\"/api/chat\",outcome=\"answered\"}";
    assert_eq!(metric(&pair.node, done), 5.0);
    pair.node.gateway.shared.books.usage.write().await;
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let usage = pair.node.store.usage("https://issuer.example#alice", &today).await.unwrap();
    assert_eq!((usage.requests, usage.generated_tokens), (0, 0));
}

/// The first hop keeps its client alive, and must see a refusal as one.
#[tokio::test]
async fn nothing_goes_out_before_or_between_the_models_own_bytes() {
    let pair = pair_before(ollama().await, |config| {
        config.queue.keepalive_after_seconds = Duration::from_millis(50);
        config.queue.keepalive_every_seconds = Duration::from_millis(50);
    })
    .await;
    pair.ollama.hold_tokens_after(0);
    let attempt = Attempt::of("/api/chat", &chat(true));
    let headers = attempt.fields(&pair);
    let mut sending = Box::pin(attempt.send_with(&pair, headers));
    // An own client's stream is committed meanwhile, and kept alive.
    let mut own = pair.node.raw().await;
    own.send(request("POST", "/api/chat", &pair.node.token(), &chat(true).to_string())).await;
    tokio::select! {
        _ = own.until("200 OK") => {}
        _ = &mut sending => panic!("a head before the answer"),
    }
    assert!(timeout(Duration::from_millis(200), &mut sending).await.is_err(), "no head before the answer");
    pair.ollama.hold_tokens_after(2);
    let mut answer = sending.await.unwrap();
    assert_eq!(answer.status, 200);
    let mut got = Vec::new();
    let mut read = async |patience| {
        let next = poll_fn(|cx| answer.body.poll_more(cx, |bytes| got.extend_from_slice(bytes)));
        timeout(patience, next).await.map(|more| {
            assert_eq!(more.unwrap(), More::Data);
            got.iter().filter(|byte| **byte == b'\n').count()
        })
    };
    while read(PATIENCE).await.expect("two tokens") < 2 {}
    assert!(read(Duration::from_millis(400)).await.is_err(), "silence behind two tokens");
    pair.ollama.release_tokens();
    assert!(text(answer).await.contains("\"done\":true"));
}

#[tokio::test]
async fn what_it_has_waited_is_not_waited_again() {
    let pair = pair_before(endless().await, |_| {}).await;
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(Attempt::of("/api/chat", &chat(true)).send(&pair).await);
    }
    let late = Attempt { waited: Duration::from_secs(3600), ..Attempt::of("/api/chat", &chat(true)) };
    let refused = late.send(&pair).await;
    assert!(matches!(refused.status.as_u16(), 503 | 504), "{}", refused.status);
}

#[tokio::test]
async fn a_sender_that_goes_stops_the_generation_and_frees_the_slot() {
    let pair = pair_before(endless().await, |_| {}).await;
    let answer = Attempt::of("/api/chat", &chat(true)).send(&pair).await;
    assert_eq!(answer.status, 200);
    assert_eq!(pair.node.gateway.shared.queue.load().busy, 1);
    drop(answer);
    pair.ollama.wait_until(|stats| stats.cancelled == 1 && stats.running == 0).await.unwrap();
    until("the slot is free", || pair.node.gateway.shared.queue.load().busy == 0).await;
}

#[tokio::test]
async fn a_node_that_leaves_sends_it_back() {
    let pair = pair_before(endless().await, |config| {
        config.drain.accept_for_seconds = Duration::ZERO;
        config.drain.deadline_seconds = Duration::from_secs(60);
    })
    .await;
    let running = Attempt::of("/api/chat", &chat(true)).send(&pair).await;
    let mut open = pair.node.raw().await;
    open.send("POST /api/chat HTTP/1.1\r\n").await; // a connection without a byte would be closed
    tokio::time::sleep(Duration::from_millis(100)).await;
    pair.node.tasks.drain();
    until("it closes", || pair.node.gateway.shared.drain.phase() == gateway::drain::Phase::Closing).await;
    // Nobody listens any more; a connection that was there already is told.
    let attempt = Attempt::of("/api/chat", &chat(false));
    let fields = attempt.fields(&pair);
    let unreached = attempt.send_with(&pair, fields.clone()).await;
    assert!(matches!(unreached, Err(ClientError::Connect(_))));
    let mut head = format!("Host: node\r\nContent-Length: {}\r\n", attempt.body.len());
    for (name, value) in &fields {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    open.send(format!("{head}\r\n{}", attempt.body)).await;
    let refused = open.until("\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: "), "{refused}");
    drop(running);
}
