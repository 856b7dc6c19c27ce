//! Trust between the gateways of a fleet: who forwards a request vouches for it, and who receives it believes that
//! and nothing else.
//!
//! A process makes an Ed25519 key at its start ([`NodeKey`]) and puts the public half into its load report. With a
//! forwarded request travels an identity token ([`IDENTITY`]), which says for whom it is, what they may, and that
//! they have been charged; it is good for one request, at one node, for half a minute.
//!
//! The sender calls [`Trust::vouch`] for each attempt, and sends the fields it gets with `Outgoing::headers` to an
//! `Upstream::pinned`. The receiver's journey calls [`Trust::identify`] before the body is read and
//! [`Forwarded::covers`] once it is here. A peer that answers 401 does not know this process yet (a report takes some
//! seconds to get around): for the sender that is a place that refused, no fault of the caller's. So is 503.
//!
//! What a forwarded request is spared at the second hop: host name, network, requests per minute, open requests,
//! tokens and usage, which were the first hop's business; keep-alive bytes and the early 200, since the first hop
//! keeps its client alive and must see a refusal as one. It is never forwarded again: [`Caller::forwarded`].

mod key;
mod token;
mod seen;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{HeaderName, HeaderValue};

pub use self::key::{KeyError, NodeKey};
use self::seen::{Seen, Verdict};
pub use self::token::{Errand, TokenError};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::identity::api_keys::sha256;

/// The field in which the identity token travels. A request that has it is identified by it and nothing else.
pub const IDENTITY: HeaderName = HeaderName::from_static("x-fleet-identity");

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How long a token is good, in seconds: made anew for each attempt, it need only outlive the way to the peer.
pub const LIFETIME: u64 = 30;

/// How far the clocks of two nodes may be apart, in seconds. Machines of one fleet follow one time service and differ
/// by milliseconds; five seconds are for one that has just booted and not yet been set right.
pub const LEEWAY: u64 = 5;

/// What a sender is told to wait when this node cannot remember another token.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// The gateways that this one believes.
pub trait Peers: Send + Sync {
    /// The public key that `node` reports ([`NodeKey::public`]), if that node lives.
    fn public_key(&self, node: &str) -> Option<String>;
}

/// A gateway without a fleet: it believes nobody.
pub struct NoPeers;

impl Peers for NoPeers {
    fn public_key(&self, _: &str) -> Option<String> {
        None
    }
}

/// That a request was forwarded to us, by whom, and what exactly they vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The node that forwarded it.
    pub by: String,
    /// How much of its time in queues it has used up there.
    pub waited: Duration,
    body_sha256: [u8; 32],
}

impl Forwarded {
    /// Is this the body that was vouched for?
    ///
    /// # Errors
    /// 401, as for any credential that does not hold.
    pub fn covers(&self, body: &[u8]) -> Result<(), Refusal> {
        let same = sha256(body) == self.body_sha256;
        if same { Ok(()) } else { Err(Refusal::Unauthenticated("peer_body")) }
    }
}

/// What a process needs to vouch for requests and to believe those of its peers. Shared by all runtimes.
pub struct Trust {
    node: String,
    key: NodeKey,
    peers: Arc<dyn Peers>,
    seen: Mutex<Seen>,
}

impl Trust {
    /// Makes a key for the process that is known as `node`.
    ///
    /// # Errors
    /// [`KeyError`] on a machine without randomness.
    pub fn new(node: &str, peers: Arc<dyn Peers>) -> Result<Self, KeyError> {
        Ok(Self { node: node.to_owned(), key: NodeKey::generate()?, peers, seen: Mutex::default() })
    }

    /// The key of this process: its public half belongs into the load report.
    pub fn key(&self) -> &NodeKey {
        &self.key
    }

    /// The fields that make `receiver` take a request of this process: the request's id and the identity token. For
    /// one attempt: a second one needs its own.
    ///
    /// # Errors
    /// [`TokenError`] where the token would be longer than a peer takes.
    pub fn vouch(
        &self,
        receiver: &str,
        errand: &Errand<'_>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, TokenError> {
        let token = self.key.vouch(&self.node, receiver, errand, now())?;
        let mut token = HeaderValue::try_from(token).map_err(|_| TokenError::Unsendable)?;
        token.set_sensitive(true);
        let id = HeaderValue::from_str(errand.request_id).map_err(|_| TokenError::Unsendable)?;
        Ok(vec![(REQUEST_ID, id), (IDENTITY, token)])
    }

    /// The caller for whom a peer has forwarded this request, whose id is `request_id`. The token is used up by it.
    ///
    /// # Errors
    /// 401 for any token that does not hold for this very head, comes a second time, or is not the only credential;
    /// 503 when more tokens came lately than can be remembered.
    pub fn identify(&self, head: &Parts, request_id: &str) -> Result<Caller, Refusal> {
        let token = only_credential(&head.headers)?;
        self.identify_at(token, head, request_id, now())
    }

    fn identify_at(&self, token: &str, head: &Parts, id: &str, now: u64) -> Result<Caller, Refusal> {
        let claims =
            token::verified(token, &*self.peers, &self.node, now).map_err(Refusal::Unauthenticated)?;
        claims.fit(head, id).map_err(Refusal::Unauthenticated)?;
        let caller = claims.caller().map_err(Refusal::Unauthenticated)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.first_time((claims.iss, claims.jti), now) {
            Verdict::First => Ok(caller),
            Verdict::Again => Err(Refusal::Unauthenticated("peer_replayed")),
            Verdict::Full => Err(Refusal::Overloaded {
                what: "this node has been sent too many requests by its peers",
                retry_after: FULL_RETRY,
            }),
        }
    }
}

/// Does this head claim to be forwarded by a peer?
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(IDENTITY)
}

/// The token, if it stands alone: beside a second credential two readers could see two callers.
fn only_credential(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut tokens = headers.get_all(IDENTITY).iter();
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if !headers.contains_key(AUTHORIZATION) && !headers.contains_key(API_KEY) => {
            token.to_str().map_err(|_| Refusal::Unauthenticated("peer_malformed"))
        }
        _ => Err(Refusal::Unauthenticated("two_credentials")),
    }
}

/// Whole seconds since 1970.
fn now() -> u64 {
    // Before 1970 every token is from the future, and refused.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
