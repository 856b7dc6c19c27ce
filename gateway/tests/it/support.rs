//! A real gateway on a free port, in front of a simulated Ollama, with an issuer of its own; all stop on drop.

use std::sync::Arc;
use std::time::Duration;

use demo::issuer::{Claims, Issuer};
use demo::ollama::{Model, SimulatedOllama};
use fleet::shutdown::Tasks;
use fleet::store::{SqliteStore, Store};
use gateway::config::{Config, settings};
use gateway::process::Gateway;
use gateway::trust::Peers;
use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The chat model of most tests.
pub const CHAT: &str = "gemma3n:e4b";
/// The embedding model of most tests.
pub const EMBED: &str = "nomic:latest";
/// A model that exists and that ordinary users may not use.
pub const DENIED: &str = "secret:latest";
/// The audience the gateway wants.
pub const AUDIENCE: &str = "ollama";
/// An origin that pages may call from.
pub const ORIGIN: &str = "https://translate.example.com";
/// No wait of a test is longer: everything here is local.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A simulated Ollama with the three models and two slots, as fast as it can be.
pub async fn ollama() -> SimulatedOllama {
    ollama_with(Model::chat(CHAT)).await
}

/// The same with another chat model.
pub async fn ollama_with(chat: Model) -> SimulatedOllama {
    let builder =
        SimulatedOllama::builder().model(chat).model(Model::embedding(EMBED)).model(Model::chat(DENIED));
    builder.parallel(2).start().await.unwrap()
}

/// A gateway to be started.
pub struct Builder {
    config: Config,
    self_signed: bool,
    issuer: Issuer,
    peers: Option<Arc<dyn Peers>>,
    store: Option<Arc<dyn Store>>,
}

impl Builder {
    /// Keeps its records in the store of others.
    pub fn sharing(mut self, store: &Arc<dyn Store>) -> Self {
        self.store = Some(store.clone());
        self
    }

    /// Believes what these peers forward.
    pub fn among(mut self, peers: Arc<dyn Peers>) -> Self {
        self.peers = Some(peers);
        self
    }

    /// Uses this store, not one of its own.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Changes any setting.
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Leaves `[tls]` out.
    pub fn self_signed(mut self) -> Self {
        self.self_signed = true;
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> TestGateway {
        let gateway = self.start_unready().await;
        gateway.ready().await;
        gateway
    }

    /// Starts it, ready or not.
    pub async fn start_unready(self) -> TestGateway {
        let dir = TempDir::new().unwrap();
        let ca = Authority::new(&dir);
        let mut config = self.config;
        config.tls = (!self.self_signed).then(|| ca.files.clone());
        let own = || Arc::new(SqliteStore::open(&dir.path().join("fleet.db")).unwrap()) as Arc<dyn Store>;
        let store = self.store.unwrap_or_else(own);
        let tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        config.fleet.address.get_or_insert_with(|| format!("127.0.0.1:{port}"));
        let gateway = match self.peers {
            Some(peers) => Gateway::among(peers, config, store.clone(), tasks.clone()),
            None => Gateway::new(config, store.clone(), tasks.clone()),
        };
        let gateway = gateway.unwrap();
        let (serving, background) = (gateway.clone(), gateway.clone());
        tasks.spawn(gateway::drain::follow(gateway.shared.clone()));
        let running = vec![
            tasks.spawn(async move { serving.serve(listener).await.unwrap() }),
            tasks.spawn(async move { background.background().await }),
        ];
        TestGateway { port, ca, dir, issuer: self.issuer, gateway, store, tasks, running }
    }
}

/// A certificate authority of this test, and a certificate of `localhost` by it.
pub struct Authority {
    pub pem: String,
    pub files: settings::Tls,
    key: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new(dir: &TempDir) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let files = settings::Tls {
            certificate: dir.path().join("cert.pem"),
            private_key: dir.path().join("key.pem"),
        };
        let authority = Self { pem, files, key: rcgen::Issuer::new(params, key) };
        authority.issue();
        authority
    }

    /// Writes a new certificate and key over the files.
    pub fn issue(&self) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &self.key).unwrap();
        std::fs::write(&self.files.private_key, key.serialize_pem()).unwrap();
        std::fs::write(&self.files.certificate, certificate.pem()).unwrap();
    }
}

/// A running gateway. Dropping it stops it.
pub struct TestGateway {
    pub port: u16,
    pub ca: Authority,
    #[allow(dead_code, reason = "kept: the files are deleted with it")]
    pub dir: TempDir,
    pub issuer: Issuer,
    pub gateway: Gateway,
    pub store: Arc<dyn Store>,
    pub tasks: Tasks,
    running: Vec<JoinHandle<()>>,
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.tasks.stop();
        self.running.iter().for_each(JoinHandle::abort);
    }
}

impl TestGateway {
    /// A gateway with defaults, the chat model pinned, short times where waiting would cost the tests theirs.
    pub async fn in_front_of(ollama: &SimulatedOllama) -> Builder {
        let local = settings::Ollama {
            url: ollama.url(),
            parallel: 2,
            models: vec![CHAT.to_owned()],
            ..settings::Ollama::default()
        };
        Self::with(Some(local)).await
    }

    /// A front: the same without an Ollama.
    pub async fn front() -> Builder {
        Self::with(None).await
    }

    async fn with(ollama: Option<settings::Ollama>) -> Builder {
        let issuer = Issuer::start().await.unwrap();
        let mut config = Config { ollama, ..Config::default() };
        config.issuers = vec![settings::Issuer {
            issuer: issuer.url(),
            kind: settings::IssuerKind::Oidc,
            audiences: vec![AUDIENCE.to_owned()],
            client_ids: Vec::new(),
            jwks_url: None,
            userinfo_url: None,
            groups_claim: "groups".to_owned(),
        }];
        config.access.allowed_origins = vec![ORIGIN.to_owned()];
        let role = |groups: &[&str]| settings::Role {
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ..settings::Role::default()
        };
        let user = settings::Role {
            models: Some(vec!["gemma*".to_owned(), EMBED.to_owned()]),
            requests_per_minute: Some(60_000),
            requests_burst: Some(1000),
            tokens_per_minute: Some(100_000_000),
            open_requests: Some(1000),
            ..settings::Role::default()
        };
        let everything = Some(vec!["*".to_owned()]);
        let operator = settings::Role { models: everything.clone(), ..role(&["operators"]) };
        let admin = settings::Role { models: everything, manage_models: Some(true), ..role(&["admins"]) };
        config.roles = [("user", user), ("operator", operator), ("admin", admin)]
            .into_iter()
            .map(|(name, role)| (name.to_owned(), role))
            .collect();
        config.drain.accept_for_seconds = Duration::from_millis(200);
        config.drain.deadline_seconds = Duration::from_secs(5);
        Builder { config, self_signed: false, issuer, peers: None, store: None }
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) {
        let ready = async {
            while !self.gateway.shared.is_ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, ready).await.expect("the gateway is ready");
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// A token with these claims.
    pub fn token_of(&self, claims: &Claims) -> String {
        self.issuer.token(claims).unwrap()
    }

    /// A token of an ordinary user.
    pub fn token(&self) -> String {
        self.token_for("alice")
    }

    /// A token of an ordinary user with this subject.
    pub fn token_for(&self, subject: &str) -> String {
        self.token_of(&Claims::oidc(subject).audience(AUDIENCE))
    }

    /// A token of somebody in this group.
    pub fn token_in(&self, group: &str) -> String {
        self.token_of(&Claims::oidc(&format!("one-of-{group}")).audience(AUDIENCE).group(group))
    }

    /// A new HTTP/1.1 client: connections of its own, no proxy, no redirects.
    pub fn client(&self) -> Client {
        let ca = Certificate::from_pem(self.ca.pem.as_bytes()).unwrap();
        let none = reqwest::redirect::Policy::none();
        Client::builder().http1_only().tls_certs_only([ca]).no_proxy().redirect(none).build().unwrap()
    }

    /// `GET` as an ordinary user.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client().get(self.url(path)).bearer_auth(self.token())
    }

    /// `POST` of JSON as an ordinary user.
    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.post_as(&self.token(), path, body)
    }

    /// `POST` of JSON with this token.
    pub fn post_as(&self, token: &str, path: &str, body: &Value) -> RequestBuilder {
        self.client().post(self.url(path)).bearer_auth(token).body(body.to_string())
    }

    /// A TLS connection that offers these protocols.
    pub async fn tls(&self, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
        roots.add(CertificateDer::from_pem_slice(self.ca.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// An HTTP/1.1 connection to write bytes on.
    pub async fn raw(&self) -> Raw {
        Raw { stream: self.tls(&[b"http/1.1"]).await, read: Vec::new() }
    }

    /// An HTTP/2 connection.
    pub async fn h2(&self) -> h2::client::SendRequest<bytes::Bytes> {
        let (send, connection) = h2::client::handshake(self.tls(&[b"h2"]).await).await.unwrap();
        self.tasks.spawn(async move { drop(connection.await) });
        send.ready().await.unwrap()
    }

    /// Has `serve` returned?
    pub fn has_ended(&self) -> bool {
        self.running[0].is_finished()
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        self.gateway.shared.metrics.upkeep();
        self.gateway.shared.metrics.render(&self.gateway.shared.present())
    }
}

/// A connection on which a test says what no client library would.
pub struct Raw {
    pub stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Raw {
    /// Sends these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads until `mark` has come; what came up to and with it. Panics when the connection ends before.
    pub async fn until(&mut self, mark: &str) -> String {
        timeout(PATIENCE, self.find(mark)).await.unwrap_or_else(|_| {
            panic!("{mark:?} did not come, only {:?}", String::from_utf8_lossy(&self.read))
        })
    }

    async fn find(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, mark.as_bytes()) {
                let rest = self.read.split_off(at + mark.len());
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            let mut piece = [0; 4096];
            let n = self.stream.read(&mut piece).await.unwrap_or(0);
            assert!(n > 0, "the connection ended before {mark:?}: {:?}", String::from_utf8_lossy(&self.read));
            self.read.extend_from_slice(&piece[..n]);
        }
    }

    /// Reads this many bytes.
    pub async fn exactly(&mut self, bytes: usize) -> String {
        let missing = bytes.saturating_sub(self.read.len());
        let held = self.read.len();
        self.read.resize(held + missing, 0);
        let read = timeout(PATIENCE, self.stream.read_exact(&mut self.read[held..])).await;
        read.expect("bytes in time").expect("enough bytes");
        let rest = self.read.split_off(bytes);
        String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap()
    }

    /// Reads to the end of the connection.
    pub async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.read);
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("the connection ends");
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// A request of HTTP/1.1 as bytes.
pub fn request(method: &str, path: &str, token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A chat with one short message.
pub fn chat(stream: bool) -> Value {
    json!({ "model": CHAT, "messages": [{ "role": "user", "content": "hello" }], "stream": stream })
}
