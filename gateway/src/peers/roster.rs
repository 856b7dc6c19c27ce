//! Who is in the fleet, from the load reports: read every two seconds, faster while requests are held for the first
//! node.
//!
//! While the store fails the last roster stands, also beyond the time that reports count: nobody can say then whether
//! a node lives but the node itself, and a connection to a dead one fails at once and costs its request nothing. The
//! other way round a store that fails for ten seconds would end all service.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fleet::report::{NodeState, PeerView, Role};
use fleet::store::{Store, StoreError};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use super::reading::Reading;
use crate::config::settings;
use crate::ollama::client::Upstream;
use crate::ollama::names::ModelName;
use crate::request::queue::UpstreamId;
use crate::trust::Peers;

/// How often the reports are read: they are written as often.
const READ_EVERY: Duration = Duration::from_secs(2);
/// The same while requests wait for the first node to be ready.
const READ_WHILE_HOLDING: Duration = Duration::from_millis(500);
/// Longest call to the store: one that hangs must not keep the next from being tried.
const CALL_WITHIN: Duration = Duration::from_secs(3);

/// Another gateway, as it last reported.
#[derive(Debug)]
pub struct Peer {
    /// Its number in the queue; another one after each start.
    pub id: UpstreamId,
    /// What it said of itself.
    pub view: PeerView,
    /// The models in its memory.
    pub models: Vec<ModelName>,
    /// Where it is reached; `None` while it has not said where, or with which certificate.
    pub upstream: Option<Upstream>,
}

impl Peer {
    /// Reads a report.
    pub(super) fn new(id: UpstreamId, view: PeerView) -> Self {
        let models = view.models.iter().filter_map(|name| ModelName::parse(name).ok()).collect();
        let pin = sha256_of(&view.certificate_sha256).filter(|_| !view.address.is_empty());
        let upstream = pin.map(|pin| Upstream::pinned(&view.address, pin));
        Self { id, view, models, upstream }
    }

    /// May requests be sent to it? Fronts serve nobody.
    pub fn is_ready(&self) -> bool {
        self.view.role == Role::Node && self.view.state == NodeState::Ready && self.upstream.is_some()
    }
}

/// 64 hexadecimal digits.
fn sha256_of(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The other gateways of the fleet.
pub struct Roster {
    store: Arc<dyn Store>,
    fleet: String,
    node: String,
    reading: Mutex<Reading>,
    peers: ArcSwap<Vec<Arc<Peer>>>,
    /// Counts successful readings.
    changed: watch::Sender<u64>,
}

impl Roster {
    /// A roster that knows nobody yet; [`Self::run`] reads.
    pub fn new(settings: &settings::Fleet, store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            store,
            fleet: settings.name.clone(),
            node: settings.node.clone(),
            reading: Mutex::default(),
            peers: ArcSwap::default(),
            changed: watch::Sender::new(0),
        })
    }

    /// Everyone else, nodes and fronts, by name.
    pub fn peers(&self) -> Arc<Vec<Arc<Peer>>> {
        self.peers.load_full()
    }

    /// The process with this number, while it lives.
    pub fn peer(&self, id: UpstreamId) -> Option<Arc<Peer>> {
        self.peers.load().iter().find(|peer| peer.id == id).cloned()
    }

    /// How many other nodes are ready.
    pub fn ready_nodes(&self) -> usize {
        self.peers.load().iter().filter(|peer| peer.is_ready()).count()
    }

    /// Sees every reading of the reports.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Reads for ever. `holding`: do requests wait that nobody here can serve?
    pub async fn run(&self, holding: impl Fn() -> bool) {
        let mut failing = false;
        loop {
            let read = self.read().await;
            let failed = read.is_err();
            match read {
                Err(error) if !failing => {
                    tracing::warn!(%error, "load reports cannot be read; the last known nodes stand");
                }
                Ok(()) if failing => tracing::info!("load reports can be read again"),
                _ => {}
            }
            failing = failed;
            self.pause(&holding).await;
        }
    }

    async fn pause(&self, holding: &impl Fn() -> bool) {
        let began = Instant::now();
        loop {
            sleep(READ_WHILE_HOLDING).await;
            if began.elapsed() >= READ_EVERY || self.ready_nodes() == 0 && holding() {
                return;
            }
        }
    }

    /// Reads once.
    ///
    /// # Errors
    /// What the store says, or that it says nothing.
    pub async fn read(&self) -> Result<(), StoreError> {
        let mut reading = self.reading.lock().await;
        let read = timeout(CALL_WITHIN, reading.read(&*self.store, &self.fleet)).await;
        let records =
            read.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())))?;
        self.peers.store(Arc::new(reading.peers(records, &self.node, Instant::now())));
        self.changed.send_modify(|readings| *readings += 1);
        Ok(())
    }
}

impl Peers for Roster {
    fn public_key(&self, node: &str) -> Option<String> {
        let peers = self.peers.load();
        let peer = peers.iter().find(|peer| peer.view.node == node)?;
        Some(peer.view.public_key.clone()).filter(|key| !key.is_empty())
    }
}
