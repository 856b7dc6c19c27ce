use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fleet::shutdown::Tasks;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::*;
use crate::identity::api_keys::sha256;

const PATIENCE: Duration = Duration::from_secs(10);

/// A certificate and a key, as a gateway makes them for itself.
fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.der().clone(), PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into())
}

/// What is special about a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    None,
    /// It speaks TLS 1.2 only.
    OldTls,
    /// It closes its connections behind an answer, without saying so before.
    Closes,
}

/// Presents a certificate whatever its key is.
#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesServerCert for Presents {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A TLS server that answers each request on a connection with the same bytes, and says what it saw.
struct Server {
    address: String,
    pin: [u8; 32],
    accepted: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Server {
    async fn answering(answer: &'static str) -> Self {
        let (certificate, key) = certificate();
        Self::with(answer, certificate, key, Habit::None).await
    }

    async fn with(
        answer: &'static str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        habit: Habit,
    ) -> Self {
        let provider = Arc::new(default_provider());
        let pin = sha256(&certificate);
        let key = provider.key_provider.load_private_key(key).unwrap();
        let presents = Presents(Arc::new(CertifiedKey::new(vec![certificate], key)));
        let versions: &[_] = if habit == Habit::OldTls { &[&TLS12] } else { &[&TLS13] };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(presents));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            pin,
            accepted: Arc::default(),
            seen: Arc::default(),
            closed: Arc::default(),
            tasks: Tasks::new(),
        };
        let (accepted, closed, seen) = (server.accepted.clone(), server.closed.clone(), server.seen.clone());
        let tasks = server.tasks.clone();
        server.tasks.spawn_background(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
                let (closed, seen) = (closed.clone(), seen.clone());
                tasks.spawn_background(async move {
                    let Ok(mut tls) = acceptor.accept(stream).await else { return };
                    accepted.fetch_add(1, Relaxed);
                    let mut piece = [0; 4096];
                    while let Ok(n @ 1..) = tls.read(&mut piece).await {
                        seen.lock().unwrap().extend_from_slice(&piece[..n]);
                        if tls.write_all(answer.as_bytes()).await.is_err() || tls.flush().await.is_err() {
                            break;
                        }
                        if habit == Habit::Closes {
                            let _ = tls.shutdown().await;
                            break;
                        }
                    }
                    closed.fetch_add(1, Relaxed);
                });
            }
        });
        server
    }

    fn upstream(&self) -> Upstream {
        Upstream::pinned(&self.address, self.pin)
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}

async fn until(reached: impl Fn() -> bool) {
    let reached = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("it comes");
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn get() -> Outgoing {
    Outgoing { method: "GET", path: "/api/tags", body: None, headers: Vec::new() }
}

async fn fetch(client: &Client, upstream: &Upstream) -> Result<Bytes, ClientError> {
    client.send(upstream, &get()).await?.body.collect(100).await
}

#[tokio::test]
async fn a_peer_with_the_pinned_certificate_is_asked_over_one_connection() {
    let server = Server::answering(OK).await;
    let client = Client::default();
    for _ in 0..3 {
        assert_eq!(fetch(&client, &server.upstream()).await.unwrap(), "hi");
    }
    assert_eq!(server.accepted(), 1, "the connection is kept");
}

#[tokio::test]
async fn no_byte_goes_to_a_peer_with_another_certificate() {
    let server = Server::answering(OK).await;
    let client = Client::default();
    let mut other = server.pin;
    other[31] ^= 1;
    let refused = fetch(&client, &Upstream::pinned(&server.address, other)).await;
    assert!(matches!(refused, Err(ClientError::Connect(_))), "{refused:?}");
    assert!(server.seen.lock().unwrap().is_empty());
}

/// The certificate is public: who has it and not its key is somebody else.
#[tokio::test]
async fn a_peer_without_the_certificates_key_is_refused() {
    let (public, _) = certificate();
    let (_, stranger) = certificate();
    let server = Server::with(OK, public, stranger, Habit::None).await;
    let refused = fetch(&Client::default(), &server.upstream()).await;
    assert!(matches!(refused, Err(ClientError::Connect(_))), "{refused:?}");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_older_than_tls_1_3_is_spoken() {
    let (public, key) = certificate();
    let server = Server::with(OK, public, key, Habit::OldTls).await;
    let refused = fetch(&Client::default(), &server.upstream()).await;
    assert!(matches!(refused, Err(ClientError::Connect(_))), "{refused:?}");
}

#[tokio::test]
async fn another_pin_never_uses_an_old_connection() {
    let server = Server::answering(OK).await;
    let client = Client::default();
    fetch(&client, &server.upstream()).await.unwrap();
    let renewed = Upstream::pinned(&server.address, [7; 32]);
    assert!(matches!(fetch(&client, &renewed).await, Err(ClientError::Connect(_))));
    assert_eq!(fetch(&client, &server.upstream()).await.unwrap(), "hi");
    assert_eq!(server.accepted(), 1, "the old pin's own connection is still good for it");
}

#[tokio::test]
async fn our_own_fields_go_out_and_the_peers_are_told() {
    let server = Server::answering(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\nX-Queue-Wait-Ms: 1500\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    )
    .await;
    let request = Outgoing {
        method: "POST",
        path: "/api/chat",
        body: Some(Bytes::from_static(b"{\"a\":1}")),
        headers: vec![
            (HeaderName::from_static("x-request-id"), HeaderValue::from_static("of-the-test")),
            (crate::trust::IDENTITY, HeaderValue::from_static("a.b.c")),
        ],
    };
    let answer = Client::default().send(&server.upstream(), &request).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.content_type.as_deref()),
        (503, Some(&b"application/json"[..]))
    );
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(answer.queue_wait, Some(Duration::from_millis(1500)));
    let expected = format!(
        "POST /api/chat HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\
         x-request-id: of-the-test\r\nx-fleet-identity: a.b.c\r\n\r\n{{\"a\":1}}",
        server.address
    );
    until(|| server.seen.lock().unwrap().len() >= expected.len()).await;
    assert_eq!(String::from_utf8(server.seen.lock().unwrap().clone()).unwrap(), expected);
}

#[tokio::test]
async fn a_dropped_answer_closes_the_connection_to_the_peer() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await;
    let mut answer = Client::default().send(&server.upstream(), &get()).await.unwrap();
    poll_fn(|cx| answer.body.poll_more(cx, |_| {})).await.unwrap();
    assert_eq!(server.closed.load(Relaxed), 0);
    drop(answer);
    until(|| server.closed.load(Relaxed) == 1).await;
}

/// A POST on it would be lost: nothing is sent twice that was sent whole.
#[tokio::test]
async fn a_connection_that_the_peer_has_closed_is_not_used_again() {
    let (public, key) = certificate();
    let server = Server::with(OK, public, key, Habit::Closes).await;
    let client = Client::default();
    let post = Outgoing { method: "POST", body: Some(Bytes::from_static(b"{}")), ..get() };
    for n in 1..=3 {
        let mut answer = client.send(&server.upstream(), &post).await.unwrap();
        assert_eq!(answer.body.collect(100).await.unwrap(), "hi");
        until(|| server.closed.load(Relaxed) == n).await;
        tokio::time::sleep(Duration::from_millis(50)).await; // the goodbye is on its way
    }
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn a_second_answer_that_nobody_asked_for_is_given_to_nobody() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    )
    .await;
    let client = Client::default();
    for _ in 0..3 {
        assert_eq!(fetch(&client, &server.upstream()).await.unwrap(), "hi");
    }
    assert_eq!(server.accepted(), 3, "a connection with bytes behind its answer is not kept");
}

#[tokio::test]
async fn connections_to_peers_that_are_gone_are_not_kept_for_ever() {
    let (one, two) = (Server::answering(OK).await, Server::answering(OK).await);
    let mut idle = Idle::default();
    let began = Instant::now();
    let mut keep = |server: &Server, wire, after| {
        idle.keep(&server.upstream(), wire, began + Duration::from_secs(after));
        idle.count()
    };
    assert_eq!(keep(&one, Wire::connect(&one.upstream()).await.unwrap(), 0), 1);
    assert_eq!(keep(&two, Wire::connect(&two.upstream()).await.unwrap(), 59), 2);
    assert_eq!(keep(&two, Wire::connect(&two.upstream()).await.unwrap(), 60), 2, "the first has gone");
}
