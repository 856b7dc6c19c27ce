//! `/token` and `/userinfo`: codes and refresh tokens against tokens, tokens against a person.

use aws_lc_rs::digest;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use super::claims::{Claims, Kind};
use super::keys::{Algorithm, b64};
use super::sign_in::{form, secret};
use super::state::{Grant, Shared, State};
use super::web::{Answer, json_answer};

/// Seconds that an access token is good for.
const LIFETIME: i64 = 3600;

/// `POST /token`.
pub(super) fn token(body: &[u8], shared: &Shared) -> Answer {
    let form = form(body);
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let mut state = shared.lock();
    let grant = match field("grant_type") {
        "authorization_code" => {
            // A code is good once, whatever becomes of this try.
            let grant = state.codes.remove(field("code"));
            grant.filter(|grant| {
                let fits =
                    grant.client_id == field("client_id") && grant.redirect_uri == field("redirect_uri");
                fits && grant.challenge == challenge_of(field("code_verifier"))
            })
        }
        "refresh_token" => {
            let grant = state.refresh_tokens.remove(field("refresh_token"));
            grant.filter(|grant| grant.client_id == field("client_id"))
        }
        _ => return refused("unsupported_grant_type"),
    };
    let Some(grant) = grant else { return refused("invalid_grant") };
    match granted(&mut state, grant) {
        Ok(tokens) => json_answer(StatusCode::OK, &tokens),
        Err(_) => json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "server_error"})),
    }
}

fn granted(state: &mut State, grant: Grant) -> anyhow::Result<Value> {
    let user = &grant.user;
    let groups = |claims: Claims| user.groups.iter().fold(claims, |claims, group| claims.group(group));
    let access_token = match (state.kind, &grant.audience) {
        (Kind::Cognito, _) => {
            state.issue(Algorithm::Rs256, &groups(Claims::cognito(&user.name, &grant.client_id)))?
        }
        (Kind::Oidc, Some(audience)) => {
            let claims = Claims::oidc(&user.name).client_id(&grant.client_id).audience(audience);
            state.issue(Algorithm::Rs256, &groups(claims))?
        }
        // As Auth0 does: without an audience the token is for the issuer alone, and opaque.
        (Kind::Oidc, None) => {
            let opaque = secret();
            let person = json!({"sub": user.name, "email": user.email, "email_verified": true});
            state.people.insert(opaque.clone(), person);
            opaque
        }
    };
    let identity = groups(Claims::oidc(&user.name).audience(&grant.client_id)).email(&user.email, true);
    let identity = match &grant.nonce {
        Some(nonce) => identity.with("nonce", nonce.as_str()),
        None => identity,
    };
    let identity = identity.with("name", user.name.as_str()).without("scope");
    let id_token = state.issue(Algorithm::Rs256, &identity)?;
    let refresh_token = secret();
    state.refresh_tokens.insert(refresh_token.clone(), grant);
    Ok(json!({
        "access_token": access_token, "id_token": id_token, "refresh_token": refresh_token,
        "token_type": "Bearer", "expires_in": LIFETIME, "scope": "openid profile email",
    }))
}

/// The S256 challenge of a verifier (RFC 7636, section 4.2).
pub(super) fn challenge_of(verifier: &str) -> String {
    b64(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref())
}

fn refused(error: &str) -> Answer {
    json_answer(StatusCode::BAD_REQUEST, &json!({"error": error}))
}

/// `GET /userinfo`: about the token's owner; a token we did not issue is nobody's.
pub(super) fn userinfo(head: &Parts, shared: &Shared) -> Answer {
    let header = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let person = header
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| shared.lock().people.get(token).cloned());
    match person {
        Some(person) => json_answer(StatusCode::OK, &person),
        None => json_answer(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"})),
    }
}
