//! A front's list of models: what a node last said it has, and what the fleet is told to have. It is remembered while
//! the fleet sleeps; asking for it wakes nobody.
//!
//! Nodes are asked in the gateway's own name and with all rights: one list then serves every caller, who is shown what
//! their own rights cover.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fleet::store::{Store, WantedModel};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::places::Places;
use super::roster::{Peer, Roster};
use crate::error::Refusal;
use crate::identity::{Principal, Priority, Rights};
use crate::ollama::client::{Client, ClientError, Outgoing};
use crate::ollama::known::{Known, named};
use crate::ollama::names::{ModelName, ModelPattern};
use crate::trust::{Errand, Trust};

/// How old a list may be that is shown while a node is ready, and how often one is asked at most.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How often a node is asked without need, so that there is a list when the fleet falls asleep.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// Until a node is ready, how often we look for one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the store and a node may take together: these answers need no GPU.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// How long a deleted model is left out of what nodes tell: they look for wishes every ten seconds, and a deletion takes
/// a moment.
const DELETED: Duration = Duration::from_secs(30);
/// The largest list taken.
const LIST_BYTES: usize = 8 << 20;

/// What a front knows of the fleet's models.
pub struct Catalogue {
    store: Arc<dyn Store>,
    fleet: String,
    own: Principal,
    trust: Arc<Trust>,
    roster: Arc<Roster>,
    places: Arc<Places>,
    client: Client,
    known: ArcSwap<Known>,
    asked: Mutex<Asked>,
}

/// What was told, by whom.
#[derive(Default)]
struct Asked {
    at: Option<Instant>,
    /// By a node.
    told: Vec<(ModelName, Value)>,
    /// By the store.
    wanted: Vec<(ModelName, Value)>,
    /// What was deleted here, and when: nodes need some seconds to follow.
    deleted: HashMap<ModelName, Instant>,
}

impl Catalogue {
    /// Knows nothing yet.
    pub fn new(
        settings: &crate::config::settings::Fleet,
        store: Arc<dyn Store>,
        trust: Arc<Trust>,
        roster: Arc<Roster>,
        places: Arc<Places>,
    ) -> Self {
        let known = Known { reachable: true, ..Known::default() };
        Self {
            store,
            fleet: settings.name.clone(),
            own: Principal::of_key(&format!("gateway:{}", settings.node)),
            trust,
            roster,
            places,
            client: Client::default(),
            known: ArcSwap::from_pointee(known),
            asked: Mutex::default(),
        }
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Keeps the list, for ever.
    pub async fn run(&self) {
        loop {
            self.fresh().await;
            let known = self.known.load().listed.is_some();
            let pause = if known && self.roster.ready_nodes() > 0 { ASK_EVERY } else { LOOK_EVERY };
            sleep(pause).await;
        }
    }

    /// Returns with a list that is not older than two seconds, as far as somebody is there to tell.
    pub async fn fresh(&self) {
        let mut asked = self.asked.lock().await; // one asks, the others get what it was told
        if asked.at.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            return;
        }
        if timeout(ASK_WITHIN, self.ask(&mut asked)).await.is_err() {
            tracing::warn!("the list of models was not told in time; the last one stands");
        }
        asked.at = Some(Instant::now());
    }

    /// Models were pulled: the list is read again before it is shown.
    pub async fn changed(&self) {
        self.asked.lock().await.at = None;
    }

    /// Nobody wants this model any more: it is shown no longer, though nodes may still have it for some seconds.
    pub async fn deleted(&self, model: &ModelName) {
        let mut asked = self.asked.lock().await;
        asked.deleted.insert(model.clone(), Instant::now());
        asked.told.retain(|(name, _)| name != model);
        asked.wanted.retain(|(name, _)| name != model);
        let mut known = Known::clone(&self.known.load());
        known.tags.retain(|(name, _)| name != model);
        self.known.store(Arc::new(known));
    }

    /// May the fleet have this model? Only a node knows that for sure: without its word, or with a name that somebody
    /// has heard of, the answer is yes.
    ///
    /// # Errors
    /// 404 where a node has told all its models, and this one is not among them.
    pub async fn find(&self, model: &ModelName) -> Result<(), Refusal> {
        if self.may_have(model) {
            return Ok(());
        }
        self.fresh().await;
        if self.may_have(model) { Ok(()) } else { Err(Refusal::NoModel(model.to_string())) }
    }

    fn may_have(&self, model: &ModelName) -> bool {
        let known = self.known.load();
        let in_memory = || self.roster.peers().iter().any(|peer| peer.models.contains(model));
        known.listed.is_none() || known.has(model) || in_memory()
    }

    async fn ask(&self, asked: &mut Asked) {
        let mut known = Known::clone(&self.known.load());
        if let Ok(wanted) = self.store.models(&self.fleet).await {
            asked.wanted = wanted.into_iter().filter_map(entry).collect();
        }
        if let Some(peer) = self.places.any(None, &[]) {
            match self.lists_of(&peer).await {
                Ok((tags, running, version)) => {
                    asked.told = tags;
                    (known.running, known.version) = (running, version.or(known.version));
                    known.listed = Some(Instant::now());
                }
                Err(error) => tracing::debug!(node = peer.view.node, %error, "a node tells no models"),
            }
        } else {
            known.running.clear();
        }
        asked.deleted.retain(|_, at| at.elapsed() < DELETED);
        let Asked { told, wanted, deleted, .. } = asked;
        deleted.retain(|model, _| !wanted.iter().any(|(name, _)| name == model)); // wanted again
        told.retain(|(name, _)| !deleted.contains_key(name));
        known.tags.clone_from(told);
        let missing = asked.wanted.iter().filter(|(name, _)| !known.has(name)).cloned().collect::<Vec<_>>();
        known.tags.extend(missing);
        self.known.store(Arc::new(known));
    }

    async fn lists_of(&self, peer: &Peer) -> Result<Lists, ClientError> {
        let tags = named(&self.get(peer, "/api/tags").await?)?;
        let running = named(&self.get(peer, "/api/ps").await?)?;
        let version = self.get(peer, "/api/version").await.ok();
        let version: Value =
            version.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok((tags, running, version["version"].as_str().map(str::to_owned)))
    }

    async fn get(&self, peer: &Peer, path: &'static str) -> Result<bytes::Bytes, ClientError> {
        let upstream = peer.upstream.as_ref().ok_or(ClientError::Protocol("the node has no address"))?;
        let request_id = format!("{:032x}", fastrand::u128(..));
        let errand = Errand {
            principal: &self.own,
            rights: &everything(),
            model: None,
            method: "GET",
            path,
            body: b"",
            request_id: &request_id,
            waited: Duration::ZERO,
        };
        let headers = self.trust.vouch(&peer.view.node, &errand);
        let headers = headers.map_err(|_| ClientError::Protocol("no token can be made"))?;
        let request = Outgoing { method: "GET", path, body: None, headers };
        let mut answer = self.client.send(upstream, &request).await?;
        if answer.status != StatusCode::OK {
            return Err(ClientError::Protocol("a list was refused"));
        }
        answer.body.collect(LIST_BYTES).await
    }
}

/// Tags, what is in memory, version.
type Lists = (Vec<(ModelName, Value)>, Vec<(ModelName, Value)>, Option<String>);

/// A wanted model in the form of a list's entry.
fn entry(model: WantedModel) -> Option<(ModelName, Value)> {
    let name = ModelName::parse(&model.name).ok()?;
    let at = jiff::Timestamp::from_second(model.requested_at).unwrap_or_default();
    let entry = json!({
        "name": name.as_str(),
        "model": name.as_str(),
        "modified_at": at.to_string(),
        "size": 0,
        "digest": "",
        "details": {},
    });
    Some((name, entry))
}

/// Sees every model.
fn everything() -> Rights {
    Rights {
        models: ModelPattern::parse("*").into_iter().collect(),
        requests_per_minute: 0,
        requests_burst: 0,
        tokens_per_minute: 0,
        open_requests: 0,
        priority: Priority::Normal,
        operate: true,
        manage_models: false,
    }
}
