//! What the issuer remembers: keys, users, grants under way, and how it misbehaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::claims::{Claims, Kind};
use super::keys::{Algorithm, SigningKey};

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// The name to sign in with, and the subject of the tokens.
    pub name: String,
    /// The password.
    pub password: String,
    /// The groups in the tokens.
    pub groups: Vec<String>,
    /// A verified address.
    pub email: String,
}

/// How every endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    /// As it should.
    #[default]
    Well,
    /// Never.
    Stalled,
    /// 200 with something that is no JSON.
    Garbage,
    /// 500.
    Broken,
}

/// A sign-in on its way to tokens, by its code or refresh token.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) user: User,
    pub(super) client_id: String,
    pub(super) audience: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
}

/// Requests answered (or stalled), by endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fetches {
    pub(super) keys: usize,
    pub(super) configuration: usize,
    pub(super) userinfo: usize,
}

/// The issuer's memory.
pub(super) struct State {
    pub(super) url: String,
    pub(super) kind: Kind,
    pub(super) users: Vec<User>,
    /// The keys that sign now; then those still published. Newest first.
    generations: Vec<Vec<Arc<SigningKey>>>,
    /// Keys published as they were given.
    pub(super) extra_keys: Vec<Value>,
    pub(super) codes: HashMap<String, Grant>,
    pub(super) refresh_tokens: HashMap<String, Grant>,
    /// What `userinfo` answers, by access token.
    pub(super) people: HashMap<String, Value>,
}

impl State {
    pub(super) fn new(url: String, kind: Kind, users: Vec<User>) -> anyhow::Result<Self> {
        Ok(Self {
            url,
            kind,
            users,
            generations: vec![fresh_keys()?],
            extra_keys: Vec::new(),
            codes: HashMap::new(),
            refresh_tokens: HashMap::new(),
            people: HashMap::new(),
        })
    }

    /// New keys sign from now on; the ones before stay published.
    pub(super) fn rotate(&mut self) -> anyhow::Result<()> {
        self.generations.insert(0, fresh_keys()?);
        self.generations.truncate(2);
        Ok(())
    }

    /// Publishes only the keys that sign.
    pub(super) fn forget_old_keys(&mut self) {
        self.generations.truncate(1);
    }

    /// The key that signs with `algorithm` now.
    pub(super) fn key(&self, algorithm: Algorithm) -> Option<Arc<SigningKey>> {
        self.generations.first()?.iter().find(|key| key.algorithm() == algorithm).cloned()
    }

    /// The published key set.
    pub(super) fn key_set(&self) -> Value {
        let own = self.generations.iter().flatten().map(|key| key.jwk());
        json!({"keys": own.chain(self.extra_keys.iter().cloned()).collect::<Vec<_>>()})
    }

    /// Signs an honest token and remembers whom it is about, for `userinfo`.
    pub(super) fn issue(&mut self, algorithm: Algorithm, claims: &Claims) -> anyhow::Result<String> {
        let key = self.key(algorithm).ok_or_else(|| anyhow::anyhow!("no key for {}", algorithm.name()))?;
        let token = key.token(&key.header(), &claims.payload(&self.url))?;
        let mut person = json!({"sub": claims.subject()});
        if let Some((email, verified)) = claims.email_of().or_else(|| self.email_of(claims.subject())) {
            person["email"] = email.into();
            person["email_verified"] = verified.into();
        }
        self.people.insert(token.clone(), person);
        Ok(token)
    }

    fn email_of(&self, name: &str) -> Option<(String, bool)> {
        self.users.iter().find(|user| user.name == name).map(|user| (user.email.clone(), true))
    }
}

fn fresh_keys() -> anyhow::Result<Vec<Arc<SigningKey>>> {
    Algorithm::ALL.into_iter().map(|algorithm| SigningKey::generate(algorithm).map(Arc::new)).collect()
}

/// State, mood and counters, shared by the handle and the endpoints.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) mood: watch::Sender<Mood>,
    pub(super) fetches: watch::Sender<Fetches>,
    /// Origins whose pages may read the answers; all of them when empty.
    pub(super) origins: Vec<String>,
}

impl Shared {
    pub(super) fn new(state: State, origins: Vec<String>) -> Self {
        Self {
            state: Mutex::new(state),
            mood: watch::Sender::default(),
            fetches: watch::Sender::default(),
            origins,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
