//! The step of the journey: from a credential to a [`Caller`].

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleet::shutdown::Tasks;
use fleet::store::Store;
use tokio::sync::OnceCell;

use super::api_keys::{self, ApiKeys, sha256};
use super::fetch::{Fetch, Http};
use super::jwks::{Jwks, NoKey};
use super::jwt::{Claims, Unverified};
use super::memory::Memory;
use super::roles::{BadRole, Roles};
use super::userinfo::Userinfo;
use super::{Caller, Credential, Principal};
use crate::config::Config;
use crate::config::settings;
use crate::error::Refusal;

/// Verified tokens remembered at once; 10,000 are some MB, and more people than one GPU serves.
const MOST_TOKENS: usize = 10_000;

/// After the issuer could not be asked for an e-mail address, a caller has no role by it for this long.
const WITHOUT_EMAIL: Duration = Duration::from_secs(30);

/// What a caller whose issuer has not been reached yet is told to wait.
const ISSUER_RETRY: Duration = Duration::from_secs(5);

/// Why nobody can be identified.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The client for key sets could not be made; most likely the machine has no root certificates.
    #[error("cannot prepare to fetch the issuers' keys: {0}")]
    Client(#[from] reqwest::Error),
    /// A role cannot be read.
    #[error(transparent)]
    Role(#[from] BadRole),
}

/// Everyone we know how to recognise. Shared by all runtimes.
pub struct Identity {
    issuers: Vec<Issuer>,
    roles: Roles,
    keys: ApiKeys,
    userinfo: Userinfo,
    tokens: Memory<[u8; 32], Arc<Known>>,
}

struct Issuer {
    rules: settings::Issuer,
    keys: Arc<Jwks>,
}

/// A token whose signature and claims have been checked.
struct Known {
    /// Place in `Identity::issuers`.
    issuer: usize,
    /// The key set it was checked with.
    generation: u64,
    claims: Claims,
    /// Filled by the first request; others with the same token wait for it.
    settled: OnceCell<Settled>,
}

/// Who it turned out to be, and until when that is believed, in seconds since 1970.
struct Settled {
    caller: Caller,
    until: f64,
}

impl Identity {
    /// Reads issuers and roles, and begins to fetch the issuers' keys, on the current runtime; that one must live as
    /// long as the gateway serves. An issuer that is down is tried again until it answers.
    ///
    /// # Errors
    /// A role that cannot be read, or a machine on which no TLS client can be made.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn new(config: &Config, store: Arc<dyn Store>, tasks: &Tasks) -> Result<Self, IdentityError> {
        Self::with(config, store, tasks, Arc::new(Http::new()?))
    }

    fn with(
        config: &Config,
        store: Arc<dyn Store>,
        tasks: &Tasks,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Self, IdentityError> {
        let issuers = config.issuers.iter().map(|rules| {
            let by_default = || format!("{}/.well-known/jwks.json", rules.issuer.trim_end_matches('/'));
            let url = rules.jwks_url.clone().unwrap_or_else(by_default);
            Issuer { rules: rules.clone(), keys: Arc::new(Jwks::new(url, Arc::clone(&fetch))) }
        });
        let identity = Self {
            issuers: issuers.collect(),
            roles: Roles::new(&config.roles)?,
            keys: ApiKeys::new(store),
            userinfo: Userinfo::new(fetch),
            tokens: Memory::new(MOST_TOKENS),
        };
        for issuer in &identity.issuers {
            tasks.spawn_background(Arc::clone(&issuer.keys).keep_fresh());
        }
        Ok(identity)
    }

    /// Proves who is calling. What begins like one of our API keys is one, in whichever field it came; everything
    /// else must be a token.
    ///
    /// # Errors
    /// 401 with a constant word for the metric (the caller is not told which check failed); 503 while the store, or an
    /// issuer that was never reached, leaves the question open.
    pub async fn identify(&self, credential: Credential<'_>) -> Result<Caller, Refusal> {
        let now = now();
        if api_keys::looks_like_one(credential.secret()) {
            let record = self.keys.check(credential.secret(), now).await?;
            let rights = self.roles.rights(&self.roles.of_key(&record.roles));
            return Ok(Caller { principal: Principal::of_record(&record), rights, forwarded: None });
        }
        self.by_token(credential.secret(), now).await
    }

    async fn by_token(&self, token: &str, now: f64) -> Result<Caller, Refusal> {
        let digest = sha256(token.as_bytes());
        let known = match self.tokens.get(&digest) {
            Some(known) if self.still_holds(&known, now) => known,
            _ => {
                let known = Arc::new(self.verify(token, now).await?);
                self.tokens.put(digest, Arc::clone(&known));
                known
            }
        };
        let settled = known.settled.get_or_init(|| self.settle(&known, token, now)).await;
        Ok(settled.caller.clone())
    }

    /// A token in its last half minute, which only the leeway keeps good, is looked at anew each time.
    fn still_holds(&self, known: &Known, now: f64) -> bool {
        let until = known.settled.get().map_or(known.claims.expires, |settled| settled.until);
        now < until && known.generation == self.issuers[known.issuer].keys.generation()
    }

    async fn verify(&self, token: &str, now: f64) -> Result<Known, Refusal> {
        let token = Unverified::parse(token).map_err(Refusal::Unauthenticated)?;
        let claimed = token.claimed_issuer();
        let by_name = |issuer: &Issuer| claimed.as_deref() == Some(&issuer.rules.issuer);
        let at = self.issuers.iter().position(by_name).ok_or(Refusal::Unauthenticated("issuer"))?;
        let issuer = &self.issuers[at];
        let (key, generation) = issuer.keys.key_for(&token).await.map_err(|missing| match missing {
            NoKey::Refused(reason) => Refusal::Unauthenticated(reason),
            NoKey::Unreachable => Refusal::Overloaded {
                what: "the issuer of your token cannot be reached",
                retry_after: ISSUER_RETRY,
            },
        })?;
        let claims = token.verified(&key, &issuer.rules, now).map_err(Refusal::Unauthenticated)?;
        Ok(Known { issuer: at, generation, claims, settled: OnceCell::new() })
    }

    async fn settle(&self, known: &Known, token: &str, now: f64) -> Settled {
        let (claims, rules) = (&known.claims, &self.issuers[known.issuer].rules);
        let mut until = claims.expires;
        let mut email = claims.email.clone();
        if email.is_none()
            && self.roles.want_email()
            && let Some(url) = &rules.userinfo_url
        {
            match self.userinfo.email(url, token, &claims.subject).await {
                Ok(told) => email = told,
                Err(error) => {
                    tracing::warn!(%url, %error, "userinfo cannot be asked: no role by e-mail for now");
                    until = until.min(now + WITHOUT_EMAIL.as_secs_f64());
                }
            }
        }
        let held = self.roles.of_person(&claims.groups, email.as_deref());
        let principal = Principal::of_token(&rules.issuer, &claims.subject);
        let rights = self.roles.rights(&held);
        Settled { caller: Caller { principal, rights, forwarded: None }, until }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    // Before 1970 every token is from the future, and refused.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests;
