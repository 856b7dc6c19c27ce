//! The step as a whole: both kinds of credential, what is remembered, what is never said.

use fleet::store::{KeyRecord, SqliteStore};
use fleet::telemetry::{self, Capture};
use serde_json::{Value, json};

use super::super::fetch::FetchError;
use super::super::testing::{FakeIssuer, Signer, key_set};
use super::*;
use crate::config::load::from_tree;

struct Stage {
    _folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    issuer: FakeIssuer,
    signer: Signer,
    identity: Identity,
}

const ISSUER: &str = "https://tenant.example/";

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("fleet.db")).unwrap());
    let signer = Signer::ec();
    let issuer = FakeIssuer::publishing(&[signer.jwk("k")]);
    let config = from_tree(json!({
        "issuers": [
            {
                "issuer": ISSUER, "kind": "oidc", "audiences": ["api"], "groups_claim": "groups",
                "userinfo_url": "https://tenant.example/userinfo",
            },
            {"issuer": "https://pool.example/x", "kind": "cognito", "client_ids": ["app"]},
        ],
        "roles": {
            "operator": {"groups": ["ops"]},
            "admin": {"emails": ["boss@example.com"], "manage_models": true},
        },
    }))
    .unwrap();
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let identity = Identity::with(&config, shared, &Tasks::new(), Arc::new(issuer.clone())).unwrap();
    Stage { _folder: folder, store, issuer, signer, identity }
}

impl Stage {
    fn token(&self, changes: Value) -> String {
        let mut claims = json!({"iss": ISSUER, "sub": "7", "aud": "api", "exp": now() + 600.0, "email": "x@example.com", "email_verified": true});
        for (claim, value) in changes.as_object().unwrap() {
            claims[claim] = value.clone();
        }
        self.signer.token("k", &claims)
    }

    async fn bearer(&self, token: &str) -> Result<Caller, &'static str> {
        self.identity.identify(Credential::Bearer(token)).await.map_err(|refusal| refusal.label())
    }
}

#[tokio::test]
async fn a_token_names_its_subject_in_either_field() {
    let stage = stage();
    let token = stage.token(json!({"groups": ["ops"]}));
    let caller = stage.bearer(&token).await.unwrap();
    assert_eq!(caller.principal.as_str(), "https://tenant.example/#7");
    assert!(caller.rights.operate && !caller.rights.manage_models);
    let again = stage.identity.identify(Credential::ApiKey(&token)).await.unwrap();
    assert_eq!(again.principal, caller.principal);
    assert!(Arc::ptr_eq(&again.rights, &caller.rights));
}

#[tokio::test]
async fn an_api_key_names_its_owner_in_either_field() {
    let stage = stage();
    let (secret, _) =
        api_keys::create(&*stage.store, "nightly", vec!["operator".to_owned()], 0, None).await.unwrap();
    for credential in [Credential::ApiKey(&secret), Credential::Bearer(&secret)] {
        let caller = stage.identity.identify(credential).await.unwrap();
        assert_eq!(caller.principal.as_str(), "key#nightly");
        assert!(caller.rights.operate);
    }
}

#[tokio::test]
async fn a_key_that_acts_as_somebody_names_them_with_its_own_roles() {
    let stage = stage();
    let (secret, record) = api_keys::make("telegram", vec!["operator".to_owned()], 0, None).unwrap();
    let acts_as = Some(format!("{ISSUER}#7"));
    stage.store.put_key(&KeyRecord { acts_as, ..record }).await.unwrap();
    let caller = stage.identity.identify(Credential::ApiKey(&secret)).await.unwrap();
    let person = stage.bearer(&stage.token(json!({}))).await.unwrap();
    assert_eq!(caller.principal, person.principal);
    assert!(caller.rights.operate && !caller.rights.manage_models && !person.rights.operate);
}

#[tokio::test]
async fn what_proves_nothing_is_refused() {
    let stage = stage();
    let other = Signer::ec();
    let good = stage.token(json!({}));
    for (token, reason) in [
        ("letmein".to_owned(), "segments"),
        ("ollm_letmein".to_owned(), "key_malformed"),
        (format!("{good}x"), "signature"),
        (stage.token(json!({"iss": "https://evil.example/"})), "issuer"),
        (stage.token(json!({"iss": "https://tenant.example"})), "issuer"),
        (stage.token(json!({"exp": now() - 31.0})), "expired"),
        (stage.token(json!({"aud": "other"})), "audience"),
        // Signed by one issuer, in the name of another: with its own rules it would pass.
        (
            other.token("k", &json!({"iss": ISSUER, "sub": "7", "aud": "api", "exp": now() + 60.0})),
            "bad_signature",
        ),
        (stage.token(json!({"iss": "https://pool.example/x", "token_use": "id"})), "token_use"),
    ] {
        let refusal = stage.identity.identify(Credential::Bearer(&token)).await.unwrap_err();
        assert_eq!((refusal.status().as_u16(), refusal.label()), (401, reason), "{token}");
        assert!(!refusal.to_string().contains(reason), "one text for all");
    }
}

#[tokio::test]
async fn only_configured_urls_are_asked() {
    let stage = stage();
    stage.bearer(&stage.token(json!({}))).await.unwrap();
    let claims = json!({"iss": "https://evil.example/", "sub": "7", "aud": "api", "exp": now() + 60.0});
    let header = r#"{"alg":"ES256","kid":"k","jku":"https://evil.example/keys"}"#;
    assert!(stage.bearer(&stage.signer.sign(header, &claims.to_string())).await.is_err());
    assert!(stage.bearer(&stage.signer.token("unknown", &claims)).await.is_err());
    assert_eq!(stage.issuer.times("evil"), 0);
    assert!(
        stage.issuer.times("https://tenant.example/.well-known/jwks.json") >= 1,
        "the default, one slash"
    );
    assert!(stage.issuer.times("https://pool.example/x/.well-known/jwks.json") >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_is_forgotten_when_the_keys_change() {
    let stage = stage();
    let token = stage.token(json!({"exp": now() + 3600.0}));
    stage.bearer(&token).await.unwrap();
    stage.issuer.answer(Ok(key_set(&[Signer::ec().jwk("new")])));
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(stage.bearer(&token).await.map(drop), Err("unknown_key"));
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let stage = stage();
    let short = stage.token(json!({"exp": now() - 29.0}));
    stage.bearer(&short).await.unwrap();
    let digest = sha256(short.as_bytes());
    let known = stage.identity.tokens.get(&digest).unwrap();
    assert!(!stage.identity.still_holds(&known, now()), "within the leeway it is looked at each time");
    let token = stage.token(json!({}));
    stage.bearer(&token).await.unwrap();
    let known = stage.identity.tokens.get(&sha256(token.as_bytes())).unwrap();
    assert!(stage.identity.still_holds(&known, now() + 599.0));
    assert!(!stage.identity.still_holds(&known, now() + 601.0));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_never_reached_is_not_the_callers_fault() {
    let stage = stage();
    stage.issuer.answer(Err(FetchError::Status(500)));
    let refusal = stage.identity.identify(Credential::Bearer(&stage.token(json!({})))).await.unwrap_err();
    assert_eq!(refusal.status(), 503);
}

#[test]
fn every_runtime_may_ask() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let stage = first.block_on(async { stage() });
    let new = Signer::ed();
    let claims = json!({"iss": ISSUER, "sub": "7", "aud": "api", "exp": now() + 60.0});
    let (known, unknown) = (stage.token(json!({})), new.token("new", &claims));
    std::thread::scope(|scope| {
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        // The first runtime fetches, the second asks.
        let fetching = scope.spawn(|| first.block_on(is_done));
        second.block_on(async {
            stage.bearer(&known).await.unwrap();
            stage.issuer.answer(Ok(key_set(&[new.jwk("new")])));
            stage.bearer(&unknown).await.unwrap();
        });
        done.send(()).unwrap();
        fetching.join().unwrap().unwrap();
    });
}

/// A token without an address, so that userinfo is asked.
fn nameless(stage: &Stage) -> String {
    stage.token(json!({"email": null, "email_verified": null}))
}

fn userinfo(said: Value) -> (Duration, Result<Vec<u8>, FetchError>) {
    (Duration::ZERO, Ok(said.to_string().into_bytes()))
}

#[tokio::test]
async fn userinfo_is_asked_once_for_an_address_the_token_lacks() {
    let stage = stage();
    stage.bearer(&stage.token(json!({}))).await.unwrap();
    assert_eq!(stage.issuer.times("/userinfo"), 0, "this token has one");
    let token = nameless(&stage);
    stage.issuer.once(userinfo(json!({"sub": "7", "email": "boss@example.com", "email_verified": "true"})));
    for _ in 0..5 {
        assert!(stage.bearer(&token).await.unwrap().rights.manage_models);
    }
    assert_eq!(stage.issuer.times("/userinfo"), 1);
    assert_eq!(stage.issuer.bearers(), [token]);
}

#[tokio::test]
async fn userinfo_that_does_not_vouch_gives_no_role() {
    let admin = json!({"sub": "7", "email": "boss@example.com", "email_verified": true});
    for (member, value) in [
        ("sub", json!("8")),
        ("sub", Value::Null),
        ("email_verified", json!(false)),
        ("email_verified", Value::Null),
        ("email", json!("other@example.com")),
    ] {
        let stage = stage();
        stage.bearer(&stage.token(json!({}))).await.unwrap();
        let mut said = admin.clone();
        said[member] = value;
        stage.issuer.once(userinfo(said.clone()));
        let caller = stage.bearer(&nameless(&stage)).await.unwrap();
        assert!(!caller.rights.manage_models, "{said}");
    }
}

#[tokio::test]
async fn userinfo_that_fails_gives_no_role_and_is_asked_again_later() {
    for answer in [Err(FetchError::Status(500)), Err(FetchError::TooSlow), Ok(b"<html>".to_vec())] {
        let stage = stage();
        stage.bearer(&stage.token(json!({}))).await.unwrap();
        stage.issuer.once((Duration::ZERO, answer));
        let token = nameless(&stage);
        assert!(!stage.bearer(&token).await.unwrap().rights.manage_models);
        assert!(!stage.bearer(&token).await.unwrap().rights.manage_models);
        assert_eq!(stage.issuer.times("/userinfo"), 1, "not at every request");
        let known = stage.identity.tokens.get(&sha256(token.as_bytes())).unwrap();
        assert!(stage.identity.still_holds(&known, now() + 25.0));
        assert!(!stage.identity.still_holds(&known, now() + 31.0));
    }
}

#[tokio::test]
async fn no_secret_is_ever_logged() {
    let lines = Capture::default();
    let _all = tracing::subscriber::set_default(telemetry::subscriber("trace", lines.clone()).unwrap());
    let stage = stage();
    let (key, _) = api_keys::create(&*stage.store, "nightly", vec![], 0, None).await.unwrap();
    let revoked = format!("ollm_{}", "B".repeat(43));
    let tokens = [
        nameless(&stage),
        stage.token(json!({"exp": 1})),
        stage.signer.token("unknown", &json!({"iss": ISSUER})),
        "not.a.token".to_owned(),
        key,
        revoked,
    ];
    stage.bearer(&tokens[0]).await.unwrap_or_else(|reason| panic!("{reason}"));
    for token in &tokens {
        let _ = stage.identity.identify(Credential::Bearer(token)).await;
        let _ = stage.identity.identify(Credential::ApiKey(token)).await;
    }
    let text = lines.text();
    assert!(text.contains("userinfo"), "something was said: {text}");
    for token in &tokens {
        assert!(!text.contains(token.as_str()), "{token}");
        let signature = token.rsplit('.').next().unwrap();
        assert!(!text.contains(signature), "{signature}");
    }
}
