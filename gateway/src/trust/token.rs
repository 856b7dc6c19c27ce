//! The identity token: a compact JWS (RFC 7515) of a type of its own, so that neither it nor a caller's token is ever
//! taken for the other. Made by the first hop, read by the second as strictly as an issuer's.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::key::{NodeKey, b64};
use super::{Forwarded, LEEWAY, LIFETIME, Peers};
use crate::identity::api_keys::sha256;
use crate::identity::jwk::Key;
use crate::identity::jwt::{Reason, Unverified};
use crate::identity::strict;
use crate::identity::{Caller, Principal, Priority, Rights};
use crate::ollama::names::{ModelName, ModelPattern};
use crate::request::authenticate::LONGEST;

/// The token's `typ` (RFC 8725, 3.11: another kind of token, another type).
const TYPE: &str = "fleet-identity+jwt";

/// The longest name of a caller taken from a peer, in bytes: an issuer's address, `#`, and a subject of 255.
const LONGEST_PRINCIPAL: usize = 2048;

/// Why no token can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The rights, the caller's name or the path are longer than a peer takes.
    #[error("the identity token would have {0} bytes, more than the {LONGEST} that a peer takes")]
    TooLong(usize),
    /// A part of it cannot stand in a header field.
    #[error("the identity token or the request id cannot stand in a header field")]
    Unsendable,
    /// There is no randomness for its number.
    #[error("the system has no randomness to give")]
    NoRandomness,
}

/// What is vouched for: this very request, for this caller, who has been authenticated, limited and charged.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// Whose request it is.
    pub principal: &'a Principal,
    /// What they may.
    pub rights: &'a Rights,
    /// The one model that the request is about: the token then opens no other. `None` for lists.
    pub model: Option<&'a ModelName>,
    /// The method, as it is sent.
    pub method: &'a str,
    /// The literal path, as it is sent.
    pub path: &'a str,
    /// The body, as it is sent; empty where there is none.
    pub body: &'a [u8],
    /// The request's id at the first hop, which the second takes over.
    pub request_id: &'a str,
    /// How much of `queue.max_wait_seconds` it has used up at the first hop.
    pub waited: Duration,
}

/// What the token says. Members that are not known are left aside, so that two versions of a fleet can work together
/// while it is renewed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub iss: String,
    aud: String,
    iat: u64,
    exp: u64,
    pub jti: String,
    sub: String,
    rights: Allowed,
    request: Request,
    /// The caller has been limited and charged by the first hop. A token without this opens nothing.
    charged: bool,
}

/// The rights that matter behind the limits.
#[derive(Debug, Serialize, Deserialize)]
struct Allowed {
    models: Vec<String>,
    operate: bool,
    manage_models: bool,
    priority: Priority,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: String,
    method: String,
    path: String,
    body_sha256: String,
    waited_ms: u64,
}

impl NodeKey {
    /// The token by which `sender`, whose key this is, vouches for `errand` to `receiver`, at the time `now` (seconds
    /// since 1970).
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn vouch(
        &self,
        sender: &str,
        receiver: &str,
        errand: &Errand<'_>,
        now: u64,
    ) -> Result<String, TokenError> {
        let mut number = [0; 16];
        aws_lc_rs::rand::fill(&mut number).map_err(|_| TokenError::NoRandomness)?;
        let claims = Claims {
            iss: sender.to_owned(),
            aud: receiver.to_owned(),
            iat: now,
            exp: now + LIFETIME,
            jti: b64(&number),
            sub: errand.principal.as_str().to_owned(),
            rights: Allowed::of(errand),
            request: Request {
                id: errand.request_id.to_owned(),
                method: errand.method.to_owned(),
                path: errand.path.to_owned(),
                body_sha256: b64(&sha256(errand.body)),
                waited_ms: errand.waited.as_millis().try_into().unwrap_or(u64::MAX),
            },
            charged: true,
        };
        let token = self.token(&json!({ "alg": "EdDSA", "typ": TYPE, "kid": sender }), &json!(claims));
        if token.len() > LONGEST { Err(TokenError::TooLong(token.len())) } else { Ok(token) }
    }

    /// A compact JWS of these two parts.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| b64(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{signature}")
    }
}

impl Allowed {
    fn of(errand: &Errand<'_>) -> Self {
        let models = match errand.model {
            Some(model) => vec![model.to_string()],
            None => errand.rights.models.iter().map(ModelPattern::to_string).collect(),
        };
        let Rights { operate, manage_models, priority, .. } = *errand.rights;
        Self { models, operate, manage_models, priority }
    }

    /// The limits were the first hop's: nothing here ever asks for them.
    fn rights(&self) -> Result<Rights, Reason> {
        let models = self.models.iter().map(|text| ModelPattern::parse(text).map_err(|_| "peer_rights"));
        Ok(Rights {
            models: models.collect::<Result<_, _>>()?,
            requests_per_minute: u32::MAX,
            requests_burst: u32::MAX,
            tokens_per_minute: u64::MAX,
            open_requests: u32::MAX,
            priority: self.priority,
            operate: self.operate,
            manage_models: self.manage_models,
        })
    }
}

/// The claims of a token that a living peer made for `node` and that is good at the time `now`. That the request fits
/// it, and that it comes for the first time, is still to be seen.
///
/// # Errors
/// A [`Reason`].
pub(super) fn verified(token: &str, peers: &dyn Peers, node: &str, now: u64) -> Result<Claims, Reason> {
    let token = Unverified::parse_of_type(token, |typ| typ.and_then(Value::as_str) == Some(TYPE))?;
    let key = public_key(peers, token.kid())?;
    if key.algorithm != Algorithm::EdDSA {
        return Err("peer_key");
    }
    let members = strict::object(&token.payload(&key)?).ok_or("payload")?;
    let claims: Claims = serde_json::from_value(Value::Object(members)).map_err(|_| "peer_claims")?;
    if claims.iss != token.kid() {
        return Err("peer_issuer");
    }
    if claims.aud != node {
        return Err("peer_audience");
    }
    if now >= claims.exp.saturating_add(LEEWAY) {
        return Err("peer_expired");
    }
    let early = claims.iat > now + LEEWAY || claims.exp > now + LIFETIME + LEEWAY;
    if early {
        return Err("peer_early"); // good for longer than it would be remembered
    }
    if claims.charged { Ok(claims) } else { Err("peer_uncharged") }
}

/// The key of `node`, believed only if it is sound.
fn public_key(peers: &dyn Peers, node: &str) -> Result<Key, Reason> {
    let public = peers.public_key(node).ok_or("peer_unknown")?;
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": node, "x": public });
    Key::from_jwk(&jwk.to_string()).map_err(|_| "peer_key")
}

impl Claims {
    /// Is this the request that was vouched for, by all that its head tells?
    pub(super) fn fit(&self, head: &Parts, request_id: &str) -> Result<(), Reason> {
        let Request { id, method, path, .. } = &self.request;
        if method != head.method.as_str() || path != head.uri.path() {
            return Err("peer_path");
        }
        if id == request_id { Ok(()) } else { Err("peer_request_id") }
    }

    /// Whom the peer vouches for.
    pub(super) fn caller(&self) -> Result<Caller, Reason> {
        let sound = (1..=LONGEST_PRINCIPAL).contains(&self.sub.len()) && !self.sub.contains(char::is_control);
        if !sound {
            return Err("subject");
        }
        let body = strict::base64url(&self.request.body_sha256).and_then(|sum| sum.try_into().ok());
        let forwarded = Forwarded {
            by: self.iss.clone(),
            waited: Duration::from_millis(self.request.waited_ms),
            body_sha256: body.ok_or("peer_claims")?,
        };
        Ok(Caller {
            principal: Principal::vouched_for(&self.sub),
            rights: Arc::new(self.rights.rights()?),
            forwarded: Some(Arc::new(forwarded)),
        })
    }
}
