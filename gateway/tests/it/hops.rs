//! Several real gateways with one store, and real TLS between them.

use std::sync::Arc;
use std::time::Duration;

use demo::ollama::SimulatedOllama;
use fleet::report::{NodeState, Report, Role};
use fleet::store::{SqliteStore, Store};
use reqwest::Response;
use tempfile::TempDir;

use crate::apis::until;
use crate::support::{Builder, TestGateway};

/// A fleet's store, in a file of its own.
pub struct Fleet {
    _dir: TempDir,
    pub store: Arc<dyn Store>,
}

impl Fleet {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("fleet.db")).unwrap());
        Self { _dir: dir, store }
    }

    /// A front to be started. Silence is short: tests see what keeps a client alive.
    pub async fn front(&self) -> Builder {
        self.member(TestGateway::front().await, "front").config(|config| {
            config.queue.keepalive_after_seconds = Duration::from_millis(100);
            config.queue.keepalive_every_seconds = Duration::from_millis(50);
        })
    }

    /// A node to be started.
    pub async fn node(&self, name: &str, ollama: &SimulatedOllama) -> Builder {
        self.member(TestGateway::in_front_of(ollama).await, name)
    }

    fn member(&self, builder: Builder, name: &str) -> Builder {
        let name = name.to_owned();
        builder.sharing(&self.store).config(move |config| {
            config.fleet.node = name;
            config.fleet.report_every_seconds = Duration::from_millis(200);
        })
    }

    /// A node that is not there reports that it is ready, at this address.
    pub async fn ghost(&self, address: &str) {
        let report = Report {
            node: "ghost".to_owned(),
            address: address.to_owned(),
            role: Role::Node,
            state: NodeState::Ready,
            slots: 2,
            models: vec![crate::support::CHAT.to_owned()],
            sequence: 1,
            certificate_sha256: "ab".repeat(32),
            public_key: "none".to_owned(),
            ..Report::default()
        };
        self.store.write_report("default", &report, jiff::Timestamp::now().as_second()).await.unwrap();
    }
}

/// Waits until `gateway` knows so many ready nodes beside itself, and they know it.
pub async fn meets(gateway: &TestGateway, nodes: &[&TestGateway]) {
    let own = gateway.gateway.shared.config.fleet.node.clone();
    until("the gateways know each other", || {
        let known = |node: &&TestGateway| {
            let shared = &node.gateway.shared;
            shared.roster.peers().iter().any(|peer| peer.view.node == own)
        };
        gateway.gateway.shared.roster.ready_nodes() >= nodes.len() && nodes.iter().all(known)
    })
    .await;
}

/// Questions that have reached this Ollama; a gateway's own loads ask nothing.
pub fn asked(ollama: &SimulatedOllama) -> usize {
    ollama.inferences().iter().filter(|seen| !seen.json()["messages"].is_null()).count()
}

/// The node that served.
pub fn served_by(answer: &Response) -> &str {
    answer.headers()["x-served-by"].to_str().unwrap()
}
