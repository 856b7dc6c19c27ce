//! A token, read strictly: nothing in it is believed before its signature holds, and then only what its issuer's
//! rules allow (RFC 7515, 7519, 8725; `jsonwebtoken` does the cryptography, the reading is ours).

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::jwk::Key;
use super::jwks::KeySet;
use super::strict;
use crate::config::settings::{Issuer, IssuerKind};
use crate::request::authenticate::LONGEST;

/// How far the clocks of issuer and gateway may be apart, in seconds (RFC 7519 speaks of a few minutes at most; both
/// run NTP, so half a minute is generous).
pub const LEEWAY: f64 = 30.0;

/// The longest subject, in bytes (OpenID Connect Core, 2: 255).
const LONGEST_SUBJECT: usize = 255;

/// Why a token is refused: a short constant word for the metric, never shown to the caller.
pub type Reason = &'static str;

/// A token taken apart. Its claims are not yet proven: [`Unverified::verified`] gives them out.
pub struct Unverified<'a> {
    kid: String,
    algorithm: Algorithm,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a compact JWS apart: three segments, a header that says RS256, ES256 or EdDSA, a `kid`, and nothing that
    /// would change what the signature means (`crit`, `b64`, `zip`, `cty`, `enc`) or bring its own key (`jwk`, `jku`,
    /// `x5u`, `x5c`).
    ///
    /// # Errors
    /// A [`Reason`].
    pub fn parse(token: &'a str) -> Result<Self, Reason> {
        Self::parse_of_type(token, is_access_token)
    }

    /// The same for another kind of token, told apart by its `typ` (RFC 8725, 3.11).
    pub(crate) fn parse_of_type(token: &'a str, is_type: fn(Option<&Value>) -> bool) -> Result<Self, Reason> {
        if token.len() > LONGEST {
            return Err("too_long");
        }
        let mut segments = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err("segments");
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        if strict::base64url(signature).is_none_or(|bytes| bytes.is_empty()) {
            return Err("signature");
        }
        let header = strict::base64url(header).and_then(|bytes| strict::object(&bytes)).ok_or("header")?;
        const REFUSED: [&str; 10] = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "cty", "enc", "epk"];
        if REFUSED.iter().any(|member| header.contains_key(*member)) {
            return Err("header");
        }
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => Algorithm::RS256,
            Some("ES256") => Algorithm::ES256,
            Some("EdDSA") => Algorithm::EdDSA,
            _ => return Err("algorithm"),
        };
        if !is_type(header.get("typ")) {
            return Err("type");
        }
        let kid = header.get("kid").and_then(Value::as_str).ok_or("no_kid")?.to_owned();
        Ok(Self { kid, algorithm, signed, payload, signature })
    }

    /// The name of the key that signed it, by its own account.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The issuer by its own account: good only for choosing among the configured ones.
    pub fn claimed_issuer(&self) -> Option<String> {
        match self.claims().ok()?.remove("iss")? {
            Value::String(issuer) => Some(issuer),
            _ => None,
        }
    }

    /// The one key of `set` with the token's `kid` that is made for the token's algorithm. `Ok(None)`: no key has that
    /// `kid`, and a newer set may have it.
    ///
    /// # Errors
    /// A [`Reason`] where the `kid` names only keys for another algorithm, or several for this one.
    pub fn key<'s>(&self, set: &'s KeySet) -> Result<Option<&'s Key>, Reason> {
        let named = || set.keys().iter().filter(|key| key.kid == self.kid);
        let mut fitting = named().filter(|key| key.algorithm == self.algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(Some(key)),
            (Some(_), Some(_)) => Err("ambiguous_key"),
            (None, _) if named().next().is_none() => Ok(None),
            (None, _) => Err("algorithm"),
        }
    }

    /// The payload's bytes, once the signature holds.
    ///
    /// # Errors
    /// A [`Reason`].
    pub fn payload(&self, key: &Key) -> Result<Vec<u8>, Reason> {
        if key.kid != self.kid
            || key.algorithm != self.algorithm
            || !key.verifies(self.signed, self.signature)
        {
            return Err("bad_signature");
        }
        strict::base64url(self.payload).ok_or("payload")
    }

    /// The claims, once the signature holds and they keep the rules of `issuer` at the time `now` (seconds since
    /// 1970, UTC).
    ///
    /// # Errors
    /// A [`Reason`].
    pub fn verified(&self, key: &Key, issuer: &Issuer, now: f64) -> Result<Claims, Reason> {
        let payload = self.payload(key)?;
        Claims::check(strict::object(&payload).ok_or("payload")?, issuer, now)
    }

    fn claims(&self) -> Result<Map<String, Value>, Reason> {
        strict::base64url(self.payload).and_then(|bytes| strict::object(&bytes)).ok_or("payload")
    }
}

/// No `typ`, `JWT`, or RFC 9068's `at+jwt`: a logout token or a proof of possession is signed by the same issuer and
/// means something else.
fn is_access_token(typ: Option<&Value>) -> bool {
    match typ {
        None => true,
        Some(Value::String(typ)) => {
            let typ = typ.to_ascii_lowercase();
            matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
        }
        Some(_) => false,
    }
}

/// What a proven token says that we use.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Who it is, within the issuer.
    pub subject: String,
    /// Until when it is good, in seconds since 1970, without leeway.
    pub expires: f64,
    /// The groups in the issuer's `groups_claim`.
    pub groups: Vec<String>,
    /// The e-mail address, where the issuer vouches for it.
    pub email: Option<String>,
}

impl Claims {
    fn check(claims: Map<String, Value>, issuer: &Issuer, now: f64) -> Result<Self, Reason> {
        if claims.get("iss").and_then(Value::as_str) != Some(&issuer.issuer) {
            return Err("issuer");
        }
        let expires = time(&claims, "exp")?.ok_or("exp")?;
        if now >= expires + LEEWAY {
            return Err("expired");
        }
        for (claim, reason) in [("nbf", "not_yet"), ("iat", "issued_later")] {
            if time(&claims, claim)?.is_some_and(|from| now + LEEWAY < from) {
                return Err(reason);
            }
        }
        match issuer.kind {
            IssuerKind::Cognito => cognito(&claims, issuer)?,
            IssuerKind::Oidc => oidc(&claims, issuer)?,
        }
        let subject = claims.get("sub").and_then(Value::as_str).ok_or("subject")?;
        let sound = (1..=LONGEST_SUBJECT).contains(&subject.len()) && !subject.contains(char::is_control);
        if !sound {
            return Err("subject");
        }
        Ok(Self {
            subject: subject.to_owned(),
            expires,
            groups: groups(claims.get(&issuer.groups_claim)),
            email: verified_email(&claims),
        })
    }
}

/// The e-mail address in `claims`, if `email_verified` is true with it. Cognito's userinfo writes that as a text.
pub(super) fn verified_email(claims: &Map<String, Value>) -> Option<String> {
    let verified = match claims.get("email_verified")? {
        Value::Bool(verified) => *verified,
        Value::String(text) => text == "true",
        _ => false,
    };
    claims.get("email").and_then(Value::as_str).filter(|_| verified).map(str::to_owned)
}

/// A NumericDate (RFC 7519, 2), which may have a fraction.
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<f64>, Reason> {
    claims.get(claim).map(|value| value.as_f64().ok_or(claim)).transpose()
}

/// Access tokens carry no `aud` but `client_id`; ID tokens, of the same issuer and often the same lifetime, are not
/// for APIs. With a resource binding there is an `aud` as well.
fn cognito(claims: &Map<String, Value>, issuer: &Issuer) -> Result<(), Reason> {
    if claims.get("token_use").and_then(Value::as_str) != Some("access") {
        return Err("token_use");
    }
    if !names(claims.get("client_id"), &issuer.client_ids) {
        return Err("client");
    }
    if claims.contains_key("aud") && !issuer.audiences.is_empty() {
        audience(claims, issuer)?;
    }
    Ok(())
}

/// `aud` names us; `azp` (or RFC 9068's `client_id` where that is missing) a listed client, if any are listed.
fn oidc(claims: &Map<String, Value>, issuer: &Issuer) -> Result<(), Reason> {
    audience(claims, issuer)?;
    let client = claims.get("azp").or_else(|| claims.get("client_id"));
    if issuer.client_ids.is_empty() || names(client, &issuer.client_ids) { Ok(()) } else { Err("client") }
}

fn audience(claims: &Map<String, Value>, issuer: &Issuer) -> Result<(), Reason> {
    let meant_for_us = match claims.get("aud") {
        Some(Value::Array(list)) => {
            list.iter().all(Value::is_string) && list.iter().any(|one| names(Some(one), &issuer.audiences))
        }
        one => names(one, &issuer.audiences),
    };
    if meant_for_us { Ok(()) } else { Err("audience") }
}

fn names(value: Option<&Value>, listed: &[String]) -> bool {
    value.and_then(Value::as_str).is_some_and(|name| listed.iter().any(|one| one == name))
}

/// A list of names, or one name. What is neither gives no group.
fn groups(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Verifies a compact JWS against a key set, both as text, and gives its payload: the check of signatures alone,
/// without claims, for test vectors and operators.
///
/// # Errors
/// A [`Reason`].
pub fn verify_signature(token: &str, key_set: &[u8]) -> Result<Vec<u8>, Reason> {
    let set = KeySet::parse(key_set).map_err(|_| "key_set")?;
    let token = Unverified::parse(token)?;
    let key = token.key(&set)?.ok_or("unknown_key")?;
    token.payload(key)
}

#[cfg(test)]
mod tests;
