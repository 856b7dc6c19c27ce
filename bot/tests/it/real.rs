//! A real gateway behind the bot, over real TLS, before a simulated Ollama: what the scripted one only plays.

use std::sync::Arc;
use std::time::Duration;

use bot::config;
use bot::run::Bot;
use demo::issuer::{Claims, Issuer};
use demo::ollama::{Model, SimulatedOllama};
use demo::telegram::Telegram;
use fleet::shutdown::Tasks;
use fleet::store::{SqliteStore, Store};
use gateway::config::{Config, settings};
use gateway::identity::api_keys;
use gateway::process::Gateway;
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

const CHAT: &str = "gemma3n:e4b";
const ANN: i64 = 7;
const AUDIENCE: &str = "ollama";
/// It must only be long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The whole: Telegram, bot, gateway, Ollama, issuer. Dropping it ends it.
struct Whole {
    ollama: SimulatedOllama,
    issuer: Issuer,
    telegram: Telegram,
    folder: TempDir,
    url: String,
    tasks: Tasks,
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Whole {
    async fn start() -> Self {
        let builder = SimulatedOllama::builder().model(Model::chat(CHAT).words(12)).parallel(2);
        let (ollama, issuer) = (builder.start().await.unwrap(), Issuer::start().await.unwrap());
        let (telegram, folder) = (Telegram::start().await.unwrap(), TempDir::new().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let whole = Self { ollama, issuer, telegram, folder, url, tasks: Tasks::new() };
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&whole.folder.path().join("fleet.db")).unwrap());
        let gateway = Gateway::new(whole.config(), store.clone(), whole.tasks.clone()).unwrap();
        let (serving, background) = (gateway.clone(), gateway.clone());
        whole.tasks.spawn_background(async move { drop(serving.serve(listener).await) });
        whole.tasks.spawn_background(async move { background.background().await });
        let ready = async {
            while !gateway.shared.is_ready() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.unwrap();
        let key = api_keys::create(&*store, "telegram-bot", Vec::new(), 0, None).await.unwrap().0;
        whole.start_bot(&key);
        whole
    }

    fn config(&self) -> Config {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let file = |name: &str| self.folder.path().join(name);
        std::fs::write(file("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let (issuer, key) = (rcgen::Issuer::new(params, key), rcgen::KeyPair::generate().unwrap());
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(file("cert.pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
        let text = format!(
            r#"
[tls]
certificate = {cert}
private_key = {key}
[ollama]
url = "{ollama}"
parallel = 2
models = ["{CHAT}"]
[[issuers]]
issuer = "{issuer}"
kind = "oidc"
audiences = ["{AUDIENCE}"]
groups_claim = "groups"
[conversations]
titles = false
[roles.user]
models = ["{CHAT}"]
[roles.admin]
groups = ["admins"]
models = ["*"]
manage_models = true
"#,
            cert = json!(file("cert.pem")),
            key = json!(file("key.pem")),
            ollama = self.ollama.url(),
            issuer = self.issuer.url(),
        );
        std::fs::write(file("gateway.toml"), text).unwrap();
        let mut config = gateway::config::load(Some(&file("gateway.toml"))).unwrap();
        config.fleet = settings::Fleet { address: Some(self.url.replace("https://", "")), ..config.fleet };
        config
    }

    fn start_bot(&self, key: &str) {
        let text = format!(
            "token = \"{}\"\ntelegram_url = \"{}\"\nstate = {}\n[gateway]\nurl = \"{}\"\nca_file = {}\nkey = \"{key}\"\n",
            self.telegram.token(),
            self.telegram.url(),
            json!(self.folder.path().join("state.json")),
            self.url,
            json!(self.folder.path().join("ca.pem")),
        );
        let bot = Bot::new(&config::from_toml(&text).unwrap(), self.tasks.clone()).unwrap();
        self.tasks.spawn_background(async move {
            let talking = bot.greet().await.unwrap().unwrap();
            talking.talk().await.unwrap();
        });
    }

    /// Asks the gateway as somebody with a token.
    async fn asks(&self, claims: Claims, method: Method, path: &str, body: &Value) -> Value {
        let ca = std::fs::read(self.folder.path().join("ca.pem")).unwrap();
        let client = Client::builder().tls_certs_only([Certificate::from_pem(&ca).unwrap()]).build().unwrap();
        let token = self.issuer.token(&claims.audience(AUDIENCE)).unwrap();
        let request = client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    async fn administers(&self, method: Method, path: &str, body: &Value) -> Value {
        self.asks(Claims::oidc("root").group("admins"), method, path, body).await
    }

    fn principal(&self) -> String {
        format!("{}#ann", self.issuer.url())
    }

    async fn says(&self, text: &str, answer: &str) -> Vec<String> {
        self.telegram.say(ANN, text);
        self.telegram.until_last(ANN, answer).await.unwrap()
    }

    /// Says something to the model; the answer, once it grows no more.
    async fn talks(&self, text: &str) -> String {
        let before = self.telegram.bot_says(ANN).len();
        self.telegram.say(ANN, text);
        let whole = |says: &[String]| says.len() > before && !says.last().unwrap().ends_with('…');
        self.telegram.until(ANN, whole).await.unwrap().pop().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_linked_person_talks_in_their_own_name_until_the_link_ends() {
    let whole = Whole::start().await;
    whole.says("/start NOT-A-CODE", "That code is wrong").await;
    let made =
        whole.administers(Method::POST, "/fleet/links", &json!({ "principal": whole.principal() })).await;
    whole.says(&format!("/start {}", made["code"].as_str().unwrap()), "You are linked").await;

    whole.says("/models", CHAT).await;
    let answer = whole.talks("Good morning").await;
    assert!(answer.split_whitespace().count() >= 12, "{answer}");
    // The same conversation is there for the person's own token, word for word.
    let ann = || Claims::oidc("ann");
    let listed = whole.asks(ann(), Method::GET, "/conversations", &Value::Null).await;
    let id = listed["conversations"][0]["id"].as_str().unwrap().to_owned();
    let view = whole.asks(ann(), Method::GET, &format!("/conversations/{id}"), &Value::Null).await;
    assert_eq!(view["messages"][0]["content"], "Good morning");
    let stored = view["messages"][1]["content"].as_str().unwrap();
    let bare = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(bare(stored), bare(&answer));
    // And so is what it cost.
    let usage = whole.asks(ann(), Method::GET, "/fleet/usage", &Value::Null).await;
    assert_eq!(usage["people"][0]["principal"], json!(whole.principal()), "{usage}");

    whole.ollama.hold_tokens_after(3);
    whole.telegram.say(ANN, "And a story");
    whole.telegram.until_last(ANN, " …").await.unwrap();
    whole.says("Another", "I am still answering").await;
    whole.telegram.say(ANN, "/stop");
    let stopped = |says: &[String]| says.iter().any(|text| text.ends_with("(stopped)"));
    whole.telegram.until(ANN, stopped).await.unwrap();
    whole.ollama.release_tokens();

    whole.says("/history", "1. → ").await;
    whole.says("/export", "All your conversations.").await;
    let (name, bytes) = whole.telegram.chat(ANN).pop().unwrap().document.unwrap();
    let exported: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(name.ends_with(".json"), "{name}");
    let transcript = exported["conversations"][0]["transcript"].as_array().unwrap();
    assert_eq!(transcript.len(), 4, "{exported}");
    assert_eq!(transcript[3]["state"], "stopped");

    whole.says("/new", "A new conversation").await;
    whole.talks("Something else").await;
    let listed = whole.asks(ann(), Method::GET, "/conversations", &Value::Null).await;
    assert_eq!(listed["conversations"].as_array().unwrap().len(), 2);
    // Closed on the page, the next message begins another.
    let newest = listed["conversations"][0]["id"].as_str().unwrap();
    whole.asks(ann(), Method::PATCH, &format!("/conversations/{newest}"), &json!({ "closed": true })).await;
    let answer = whole.talks("Are you there?").await;
    assert!(answer.starts_with("(The conversation was closed"), "{answer}");

    let keys = whole.administers(Method::GET, "/fleet/keys", &Value::Null).await;
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["owner"] == "telegram-7").unwrap();
    assert_eq!(key["acts_as"], json!(whole.principal()));
    whole.administers(Method::DELETE, "/fleet/keys", &json!({ "id": key["id"] })).await;
    let gone = async { while !whole.talks("Still?").await.contains("does not know your link any more") {} };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    whole.says("And now?", "I only talk to people").await;
    assert_eq!(whole.telegram.floods(), 0);
}
