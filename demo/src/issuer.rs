//! A small OIDC issuer on a loopback address, for tests and the demo.
//!
//! It signs people in by authorization code with PKCE, publishes its keys, rotates them on command, and misbehaves
//! when told to. It is no identity provider: users and passwords are plain text in memory, keys live as long as it.
//!
//! - `web`: the endpoints, CORS, misbehaviour
//! - `sign_in`, `exchange`: `/authorize`; `/token` and `/userinfo`
//! - `claims`, `keys`: what tokens say, and what signs them
//! - `state`: what it remembers

mod web;
mod sign_in;
mod exchange;
mod claims;
mod keys;
mod state;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::Value;
use tokio::net::TcpListener;

pub use self::claims::{Claims, Kind};
pub use self::keys::{Algorithm, SigningKey, b64};
pub use self::state::User;
use self::state::{Mood, Shared, State};
use crate::tasks::Tasks;

/// Settings of an issuer.
#[derive(Debug, Clone)]
pub struct Builder {
    address: SocketAddr,
    kind: Kind,
    users: Vec<User>,
    origins: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { address, kind: Kind::Oidc, users: Vec::new(), origins: Vec::new() }
    }
}

impl Builder {
    /// Where to listen; by default a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Whose habits the tokens of `/token` follow.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds somebody who can sign in.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// A page's origin that may read the answers; with none given every origin may.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.to_owned());
        self
    }

    /// Makes keys, listens and serves.
    ///
    /// # Errors
    /// When the address cannot be listened on, or no key can be made.
    pub async fn start(self) -> anyhow::Result<Issuer> {
        let listener = TcpListener::bind(self.address).await.context("listening for the issuer")?;
        let address = listener.local_addr().context("listening for the issuer")?;
        let state = State::new(format!("http://{address}"), self.kind, self.users)?;
        let shared = Arc::new(Shared::new(state, self.origins));
        let issuer = Issuer { address, shared, tasks: Tasks::default(), listening: Mutex::default() };
        issuer.listen(listener);
        Ok(issuer)
    }
}

/// A running issuer. Dropping it stops it.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
    listening: Mutex<Tasks>,
}

impl Issuer {
    /// Settings to start one with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One without users, on a free port.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start() -> anyhow::Result<Self> {
        Self::builder().start().await
    }

    fn listen(&self, listener: TcpListener) {
        let (shared, tasks) = (self.shared.clone(), self.tasks.child());
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = tasks.clone();
        let connections = tasks.clone();
        tasks.spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(web::connection(stream, shared.clone()));
                }
            }
        });
    }

    /// The `iss` of its tokens: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its key set is.
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.url())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An honest token, signed with RS256.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn token(&self, claims: &Claims) -> anyhow::Result<String> {
        self.token_by(Algorithm::Rs256, claims)
    }

    /// An honest token, signed with the current key of `algorithm`.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn token_by(&self, algorithm: Algorithm, claims: &Claims) -> anyhow::Result<String> {
        self.shared.lock().issue(algorithm, claims)
    }

    /// The current private key of `algorithm`, to sign anything with.
    ///
    /// # Errors
    /// Never in practice: there is one of each.
    pub fn key(&self, algorithm: Algorithm) -> anyhow::Result<Arc<SigningKey>> {
        self.shared.lock().key(algorithm).ok_or_else(|| anyhow!("no key for {}", algorithm.name()))
    }

    /// Signs with new keys from now on. The ones before stay published until the next rotation.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn rotate(&self) -> anyhow::Result<()> {
        self.shared.lock().rotate()
    }

    /// Publishes only the keys that sign now.
    pub fn forget_old_keys(&self) {
        self.shared.lock().forget_old_keys();
    }

    /// Publishes a further key, as it is.
    pub fn publish(&self, jwk: Value) {
        self.shared.lock().extra_keys.push(jwk);
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.borrow().keys
    }

    /// How often `/userinfo` was asked.
    pub fn userinfo_fetches(&self) -> usize {
        self.shared.fetches.borrow().userinfo
    }

    /// How often the configuration was asked for.
    pub fn configuration_fetches(&self) -> usize {
        self.shared.fetches.borrow().configuration
    }

    /// Waits (at most 5 s) until the key set was asked for `count` times.
    ///
    /// # Errors
    /// When it was not.
    pub async fn wait_for_fetches(&self, count: usize) -> anyhow::Result<()> {
        let mut fetches = self.shared.fetches.subscribe();
        let waited =
            tokio::time::timeout(Duration::from_secs(5), fetches.wait_for(|f| f.keys >= count)).await;
        waited.map_err(|_| anyhow!("the key set was fetched {} times, not {count}", self.fetches()))??;
        Ok(())
    }

    /// Every endpoint takes requests and answers none until [`Self::recover`].
    pub fn stall(&self) {
        self.shared.mood.send_replace(Mood::Stalled);
    }

    /// Every endpoint answers 200 with something that is no JSON.
    pub fn answer_garbage(&self) {
        self.shared.mood.send_replace(Mood::Garbage);
    }

    /// Every endpoint answers 500.
    pub fn answer_500(&self) {
        self.shared.mood.send_replace(Mood::Broken);
    }

    /// Ends stall, garbage and 500.
    pub fn recover(&self) {
        self.shared.mood.send_replace(Mood::Well);
    }

    /// Stops listening and cuts every connection.
    pub async fn go_down(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listening.end_and_wait().await;
    }

    /// Listens again on the same address, well.
    ///
    /// # Errors
    /// When somebody else took the port meanwhile.
    pub async fn come_back(&self) -> anyhow::Result<()> {
        self.recover();
        let listener = TcpListener::bind(self.address).await.context("listening for the issuer again")?;
        self.listen(listener);
        Ok(())
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.tasks.end();
    }
}
