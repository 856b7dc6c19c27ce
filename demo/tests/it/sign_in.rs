//! A page signs somebody in by authorization code and PKCE, as it would with Cognito or Auth0.

use std::collections::HashMap;

use aws_lc_rs::digest;
use demo::issuer::{Issuer, Kind, User, b64};
use serde_json::Value;
use url::Url;

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-1";
const BACK: &str = "http://127.0.0.1:5173/callback";

async fn issuer(kind: Kind) -> Issuer {
    let alice = User {
        name: "alice".to_owned(),
        password: "wonderland".to_owned(),
        groups: vec!["ollama-admins".to_owned()],
        email: "alice@example.com".to_owned(),
    };
    Issuer::builder().kind(kind).user(alice).origin("http://127.0.0.1:5173").start().await.unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn authorize(audience: &str) -> HashMap<&'static str, String> {
    let challenge = b64(digest::digest(&digest::SHA256, VERIFIER.as_bytes()).as_ref());
    HashMap::from([
        ("response_type", "code".to_owned()),
        ("client_id", "page".to_owned()),
        ("redirect_uri", BACK.to_owned()),
        ("state", "st\"ate".to_owned()),
        ("audience", audience.to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
    ])
}

/// Signs in; gives the code.
async fn code(issuer: &Issuer, audience: &str) -> String {
    let mut form = authorize(audience);
    form.insert("username", "alice".to_owned());
    form.insert("password", "wonderland".to_owned());
    let answer = client().post(format!("{}/authorize", issuer.url())).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let to = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    let query: HashMap<_, _> = to.query_pairs().into_owned().collect();
    assert_eq!(query["state"], "st\"ate");
    query["code"].clone()
}

async fn exchange(issuer: &Issuer, fields: &[(&str, &str)]) -> (u16, Value) {
    let request = client().post(format!("{}/token", issuer.url())).header("origin", "http://127.0.0.1:5173");
    let answer = request.form(fields).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "http://127.0.0.1:5173");
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn tokens(issuer: &Issuer, code: &str, verifier: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("client_id", "page"),
        ("code_verifier", verifier),
    ];
    exchange(issuer, &fields).await
}

fn payload(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn the_page_shows_a_form_and_refuses_a_wrong_password() {
    let issuer = issuer(Kind::Oidc).await;
    let mut url = Url::parse(&format!("{}/authorize", issuer.url())).unwrap();
    url.query_pairs_mut().extend_pairs(authorize("api"));
    let page = client().get(url.as_str()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("st&quot;ate") && page.contains("name=\"password\""));
    let mut form = authorize("api");
    form.insert("username", "alice".to_owned());
    form.insert("password", "wrong".to_owned());
    let answer = client().post(url.as_str()).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let answer =
        client().get(format!("{}/authorize?response_type=token", issuer.url())).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn a_code_is_good_once_and_only_with_its_verifier() {
    let issuer = issuer(Kind::Oidc).await;
    let first = code(&issuer, "api").await;
    assert_eq!(tokens(&issuer, &first, "another-verifier").await.0, 400);
    assert_eq!(tokens(&issuer, &first, VERIFIER).await.0, 400, "the code is gone");
    let (status, answer) = tokens(&issuer, &code(&issuer, "api").await, VERIFIER).await;
    assert_eq!(status, 200);
    let access = payload(answer["access_token"].as_str().unwrap());
    assert_eq!((access["aud"].as_str(), access["sub"].as_str()), (Some("api"), Some("alice")));
    assert_eq!(access["groups"], serde_json::json!(["ollama-admins"]));
    assert_eq!(payload(answer["id_token"].as_str().unwrap())["email"], "alice@example.com");
}

#[tokio::test]
async fn a_refresh_token_is_replaced_by_its_use() {
    let issuer = issuer(Kind::Cognito).await;
    let (_, answer) = tokens(&issuer, &code(&issuer, "").await, VERIFIER).await;
    assert_eq!(payload(answer["access_token"].as_str().unwrap())["token_use"], "access");
    let refresh = answer["refresh_token"].as_str().unwrap().to_owned();
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("client_id", "page")];
    let (status, renewed) = exchange(&issuer, &fields).await;
    assert_eq!(status, 200);
    assert_ne!(renewed["refresh_token"], answer["refresh_token"]);
    assert_eq!(exchange(&issuer, &fields).await.0, 400);
}

#[tokio::test]
async fn without_an_audience_the_token_is_opaque_but_userinfo_knows_it() {
    let issuer = issuer(Kind::Oidc).await;
    let (_, answer) = tokens(&issuer, &code(&issuer, "").await, VERIFIER).await;
    let token = answer["access_token"].as_str().unwrap();
    assert!(!token.contains('.'));
    let asked = |token: String| client().get(format!("{}/userinfo", issuer.url())).bearer_auth(token).send();
    let person: Value = asked(token.to_owned()).await.unwrap().json().await.unwrap();
    assert_eq!(
        (person["email"].as_str(), &person["email_verified"]),
        (Some("alice@example.com"), &true.into())
    );
    assert_eq!(asked("nobody's".to_owned()).await.unwrap().status(), 401);
}
