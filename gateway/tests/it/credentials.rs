//! Exactly one credential that holds is let in. All others get one and the same 401, which tells nothing.

use std::time::Duration;

use aws_lc_rs::hmac;
use demo::issuer::{Algorithm, Claims, Issuer, SigningKey, b64};
use gateway::identity::api_keys;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::speak::{Answer, over_h2};
use crate::support::{AUDIENCE, CHAT, DENIED, PATIENCE, TestGateway, chat, ollama};

fn claims() -> Claims {
    Claims::oidc("alice").audience(AUDIENCE)
}

/// A token of this header over honest claims, signed by `sign`.
fn token(gateway: &TestGateway, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let payload = claims().payload(&gateway.issuer.url());
    let signed = format!("{}.{}", b64(header.to_string().as_bytes()), b64(payload.to_string().as_bytes()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", b64(&signature))
}

/// Tokens that must not hold, by what is wrong with them.
async fn bad_tokens(gateway: &TestGateway) -> Vec<(&'static str, String)> {
    let (issuer, honest) = (&gateway.issuer, gateway.token());
    let key = issuer.key(Algorithm::Rs256).unwrap();
    let with = |header: Value| token(gateway, &header, |bytes| key.sign(bytes).unwrap());
    let changed = |name: &str, value: Value| {
        let mut header = key.header();
        header[name] = value;
        with(header)
    };
    let stranger = SigningKey::generate(Algorithm::Rs256).unwrap();
    let (name, secret) = (json!(key.kid()), key.public_der().unwrap());
    let hmac_header = json!({ "alg": "HS256", "kid": name, "typ": "JWT" });
    let forged = token(gateway, &hmac_header, |bytes| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), bytes).as_ref().to_vec()
    });
    let mut other_key_same_kid = stranger.header();
    other_key_same_kid["kid"] = name.clone();
    let foreign = Issuer::start().await.unwrap();
    let (front, signature) = honest.rsplit_once('.').unwrap();
    let (header, payload) = front.split_once('.').unwrap();
    let altered = claims().group("admins").payload(&issuer.url());
    vec![
        ("expired", gateway.token_of(&claims().expires_in(-3600))),
        ("without an end", gateway.token_of(&claims().without("exp"))),
        ("an end that is no number", gateway.token_of(&claims().with("exp", "9999999999"))),
        ("not yet valid", gateway.token_of(&claims().with("nbf", 9_999_999_999_i64))),
        ("without an audience", gateway.token_of(&Claims::oidc("alice"))),
        ("another audience", gateway.token_of(&Claims::oidc("alice").audience("billing"))),
        ("an audience like ours", gateway.token_of(&Claims::oidc("alice").audience("ollama2"))),
        ("without a subject", gateway.token_of(&claims().without("sub"))),
        ("another issuer, its own key", foreign.token(&claims()).unwrap()),
        ("another issuer, named only", gateway.token_of(&claims().with("iss", "https://evil.example"))),
        ("the issuer with a slash", gateway.token_of(&claims().with("iss", format!("{}/", issuer.url())))),
        ("alg none", token(gateway, &json!({ "alg": "none", "typ": "JWT" }), |_| Vec::new())),
        ("alg none with a kid", token(gateway, &json!({ "alg": "none", "kid": name }), |_| Vec::new())),
        ("HS256 with the public key", forged),
        ("RS512", changed("alg", json!("RS512"))),
        ("an unknown kid", changed("kid", json!("nobody"))),
        ("no kid", with(json!({ "alg": "RS256", "typ": "JWT" }))),
        ("a stranger's key", token(gateway, &stranger.header(), |bytes| stranger.sign(bytes).unwrap())),
        (
            "a stranger's key, our kid",
            token(gateway, &other_key_same_kid, |bytes| stranger.sign(bytes).unwrap()),
        ),
        ("crit", changed("crit", json!(["exp"]))),
        ("b64", changed("b64", json!(false))),
        ("zip", changed("zip", json!("DEF"))),
        ("altered claims", format!("{header}.{}.{signature}", b64(altered.to_string().as_bytes()))),
        ("no signature", format!("{header}.{payload}.")),
        ("two segments", front.to_owned()),
        ("four segments", format!("{honest}.x")),
        ("padding", format!("{honest}==")),
        ("not a token", "opensesame".to_owned()),
        ("very long", "a.".repeat(10_000)),
        ("a key that nobody made", format!("ollm_{}", b64(&[7; 32]))),
        ("a key cut short", "ollm_abc".to_owned()),
    ]
}

/// What is not the same in two answers to equal requests.
fn lasting(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let fields = answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let fields = fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (answer.status, answer.body.clone(), fields)
}

#[tokio::test]
async fn every_credential_that_does_not_hold_gets_the_same_401() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let before = ollama.inferences().len();
    let client = gateway.client();
    let post = || client.post(gateway.url("/api/chat")).body(chat(false).to_string());
    let none = Answer::of(post()).await;
    assert_eq!(none.status, 401);
    assert!(none.field("www-authenticate").unwrap().starts_with("Bearer"), "{none:?}");
    let check = async |case: &str, request: RequestBuilder, secret: &str| {
        let answer = Answer::of(request).await;
        assert_eq!(lasting(&answer), lasting(&none), "{case}");
        assert!(!format!("{answer:?}").contains(secret), "{case}: the secret is told again");
    };
    for (case, token) in bad_tokens(&gateway).await {
        check(case, post().bearer_auth(&token), &token).await;
        check(case, post().header("x-api-key", &token), &token).await;
    }
    let good = gateway.token();
    let bearer = format!("Bearer {good}");
    let twice = || post().header("authorization", &bearer);
    check("both fields", twice().header("x-api-key", &good), &good).await;
    check("two bearers", twice().header("authorization", &bearer), &good).await;
    check("a bearer and Basic", twice().header("authorization", "Basic YTpi"), &good).await;
    check("two keys", post().header("x-api-key", &good).header("x-api-key", &good), &good).await;
    check("Basic", post().header("authorization", "Basic YTpi"), "YTpi").await;
    check("without a scheme", post().header("authorization", &good), &good).await;
    check("as a cookie", post().header("cookie", format!("token={good}")), &good).await;
    check("in the query", client.post(gateway.url(&format!("/api/chat?access_token={good}"))), &good).await;
    assert_eq!(ollama.inferences().len(), before);
    assert!(!gateway.metrics().contains(&good));
}

#[tokio::test]
async fn a_token_holds_in_either_field_over_either_protocol() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let client = gateway.client();
    for algorithm in Algorithm::ALL {
        let token = gateway.issuer.token_by(algorithm, &claims()).unwrap();
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("bearer {token}")),
            ("x-api-key", token.clone()),
        ] {
            let h1 = Answer::of(client.get(gateway.url("/api/tags")).header(name, &value)).await;
            let h2 = http::Request::get("/api/tags").header(name, &value).body(()).unwrap();
            assert_eq!(
                (h1.status, over_h2(&gateway, h2, "").await.status),
                (200, 200),
                "{algorithm:?} {name}"
            );
        }
    }
    let many = gateway.token_of(&Claims::oidc("alice").audience("billing").audience(AUDIENCE));
    assert_eq!(Answer::of(client.get(gateway.url("/api/tags")).bearer_auth(many)).await.status, 200);
}

fn now() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
        .unwrap()
}

#[tokio::test]
async fn api_keys_come_and_go() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let store = gateway.store.as_ref();
    let made = |owner: &'static str, roles: &[&str], expires| {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        async move { api_keys::create(store, owner, roles, now(), expires).await.unwrap() }
    };
    let client = gateway.client();
    let tags = || client.get(gateway.url("/api/tags"));
    let (plain, record) = made("robot", &[], Some(now() + 3600)).await;
    let (operator, _) = made("nightly", &["operator"], None).await;
    let (expired, _) = made("past", &[], Some(now() - 1)).await;
    let (revoked, unused) = made("gone", &[], None).await;
    assert!(store.revoke_key(&unused.hash.id()).await.unwrap());
    for (key, status) in [(&plain, 200), (&operator, 200), (&expired, 401), (&revoked, 401)] {
        assert_eq!(Answer::of(tags().bearer_auth(key)).await.status, status);
        assert_eq!(Answer::of(tags().header("x-api-key", key)).await.status, status);
    }
    let models = async |key: &str| {
        Answer::of(tags().bearer_auth(key)).await.json()["models"].as_array().unwrap().len()
    };
    assert_eq!((models(&plain).await, models(&operator).await), (2, 3), "a key has the rights of its roles");

    // One that is in use is out within the seconds that its record is remembered.
    assert!(store.revoke_key(&record.hash.id()).await.unwrap());
    let out = async {
        while Answer::of(tags().bearer_auth(&plain)).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, out).await.expect("the revoked key is out");
    assert_eq!(Answer::of(tags().bearer_auth(&operator)).await.status, 200);
}

#[tokio::test]
async fn groups_make_operators_and_administrators() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let client = gateway.client();
    let unload = json!({ "model": CHAT, "keep_alive": 0 });
    let pull = json!({ "model": "tiny", "stream": false });
    let delete = json!({ "model": DENIED });
    // Administrators have the operators' rights too. In this order: the deletion and the unloading come last.
    for (group, pulls, deletes, unloads) in
        [("nobodies", 403, 403, 403), ("operators", 403, 403, 200), ("admins", 200, 200, 200)]
    {
        let token = gateway.token_in(group);
        let ask = async |method: Method, path: &str, body: &Value| {
            let request = client.request(method, gateway.url(path)).bearer_auth(&token);
            Answer::of(request.body(body.to_string())).await.status
        };
        assert_eq!(ask(Method::POST, "/api/pull", &pull).await, pulls, "{group} pulls");
        assert_eq!(ask(Method::DELETE, "/api/delete", &delete).await, deletes, "{group} deletes");
        assert_eq!(ask(Method::POST, "/api/generate", &unload).await, unloads, "{group} unloads");
    }
}

#[tokio::test]
async fn pull_and_delete_are_refused_before_a_byte_of_their_body() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for (method, path) in [("POST", "/api/pull"), ("DELETE", "/api/delete")] {
        let mut raw = gateway.raw().await;
        raw.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
            gateway.token()
        ))
        .await;
        let answer = Answer::of_text(&raw.until("}").await); // no 100 Continue stands before it
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    let asked = ollama.requests();
    assert!(asked.iter().all(|seen| !matches!(seen.target.as_str(), "/api/pull" | "/api/delete")));
}
