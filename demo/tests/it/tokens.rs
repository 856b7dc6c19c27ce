//! Tokens verify against the published keys, through rotations; misbehaviour happens on command.

use std::time::Duration;

use demo::issuer::{Algorithm, Claims, Issuer};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

async fn key_set(issuer: &Issuer) -> JwkSet {
    reqwest::get(issuer.jwks_url()).await.unwrap().json().await.unwrap()
}

/// Verifies a token as a client would; gives its payload.
fn verified(token: &str, keys: &JwkSet) -> Option<Value> {
    let header = decode_header(token).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap())?).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.validate_aud = false;
    decode::<Value>(token, &key, &validation).ok().map(|data| data.claims)
}

#[tokio::test]
async fn every_algorithm_verifies() {
    let issuer = Issuer::start().await.unwrap();
    let keys = key_set(&issuer).await;
    for algorithm in Algorithm::ALL {
        let claims = Claims::oidc("alice").audience("api").group("g").email("a@example.com", true);
        let payload = verified(&issuer.token_by(algorithm, &claims).unwrap(), &keys).unwrap();
        assert_eq!(payload["iss"], issuer.url(), "{algorithm:?}");
        assert_eq!((&payload["aud"], &payload["groups"]), (&json!("api"), &json!(["g"])));
        let expired = issuer.token_by(algorithm, &Claims::oidc("alice").expires_in(-3600)).unwrap();
        assert!(verified(&expired, &keys).is_none(), "{algorithm:?}");
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn old_tokens_live_through_one_rotation() {
    let issuer = Issuer::start().await.unwrap();
    let old = issuer.token(&Claims::cognito("alice", "client")).unwrap();
    let answer = reqwest::Client::new().post(format!("{}/rotate", issuer.url())).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let new = issuer.token(&Claims::cognito("alice", "client")).unwrap();
    let keys = key_set(&issuer).await;
    assert!(verified(&old, &keys).is_some() && verified(&new, &keys).is_some());
    issuer.forget_old_keys();
    let keys = key_set(&issuer).await;
    assert!(verified(&old, &keys).is_none() && verified(&new, &keys).is_some());
}

#[tokio::test]
async fn anything_can_be_signed_and_any_key_published() {
    let issuer = Issuer::start().await.unwrap();
    let key = issuer.key(Algorithm::Es256).unwrap();
    let forged = key.token(&json!({"alg": "none"}), &json!({"sub": "mallory"})).unwrap();
    assert_eq!(forged.split('.').count(), 3);
    issuer.publish(json!({"kty": "oct", "k": "AAAA", "kid": "weak"}));
    let keys: Value = reqwest::get(issuer.jwks_url()).await.unwrap().json().await.unwrap();
    assert_eq!(keys["keys"][3]["kid"], "weak");
    assert!(!key.public_der().unwrap().is_empty());
}

#[tokio::test]
async fn it_misbehaves_on_command() {
    let issuer = Issuer::start().await.unwrap();
    issuer.answer_500();
    assert_eq!(reqwest::get(issuer.jwks_url()).await.unwrap().status(), 500);
    issuer.answer_garbage();
    assert!(reqwest::get(issuer.jwks_url()).await.unwrap().json::<Value>().await.is_err());
    issuer.stall();
    let stalled = tokio::spawn(reqwest::get(issuer.jwks_url()));
    issuer.wait_for_fetches(3).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!stalled.is_finished());
    issuer.recover();
    assert_eq!(stalled.await.unwrap().unwrap().status(), 200);
    issuer.go_down().await;
    assert!(reqwest::get(issuer.jwks_url()).await.is_err());
    issuer.come_back().await.unwrap();
    assert_eq!(reqwest::get(issuer.jwks_url()).await.unwrap().status(), 200);
}
