//! Only TLS 1.2 and 1.3 are spoken, within limits; certificates change without a connection being lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme, SupportedProtocolVersion,
};

use crate::support::{PATIENCE, TestGateway, ollama};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Takes any certificate, and checks that its owner holds the key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A handshake of this version with these protocols, whatever certificate is shown.
async fn connect(
    port: u16,
    version: &'static SupportedProtocolVersion,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// The certificate that a new connection is shown.
async fn shown(port: u16) -> Vec<u8> {
    let stream = connect(port, &TLS13, &[b"http/1.1"]).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Waits until another certificate is shown; which.
async fn other_than(old: &[u8], port: u16) -> Vec<u8> {
    let other = async {
        loop {
            match shown(port).await {
                same if same == old => tokio::time::sleep(Duration::from_millis(50)).await,
                other => return other,
            }
        }
    };
    timeout(PATIENCE, other).await.expect("another certificate")
}

/// Asks for `/healthz` on a connection that stays open.
async fn healthy(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\nok") {
        let mut piece = [0; 1024];
        let n = timeout(PATIENCE, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(n > 0, "the connection ended: {:?}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&piece[..n]);
    }
}

#[tokio::test]
async fn versions_1_2_and_1_3_with_both_protocols() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    type Offer = (&'static [&'static [u8]], Option<&'static [u8]>);
    let offers: [Offer; 4] = [
        (&[b"h2", b"http/1.1"], Some(b"h2")),
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ];
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (offer, chosen) in offers {
            let mut stream = connect(gateway.port, version, offer).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(name));
            assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
            if chosen != Some(b"h2") {
                healthy(&mut stream).await;
            }
        }
        assert!(connect(gateway.port, version, &[b"spdy/3"]).await.is_err(), "an unknown protocol alone");
    }
}

/// A ClientHello without `supported_versions`: its own version field says what the client speaks at most.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    // ECDHE with ECDSA or RSA; AES-GCM (which needs 1.2) and AES-CBC with SHA-1 (which 1.0 and 1.1 had).
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x14];
    let extensions = [
        &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23][..], // groups: x25519, P-256
        &[0, 11, 0, 2, 1, 0],                   // points: uncompressed
        &[0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1], // signatures: ECDSA P-256, PSS, PKCS#1, all with SHA-256
        &[0, 23, 0, 0],                         // extended master secret
    ]
    .concat();
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend([0, suites.len() as u8]);
    hello.extend(suites);
    hello.extend([1, 0]);
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    record
}

#[tokio::test]
async fn older_versions_are_refused_with_an_alert() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    for (version, expected) in [([3, 0], ALERT), ([3, 1], ALERT), ([3, 2], ALERT), ([3, 3], HANDSHAKE)] {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
        stream.write_all(&client_hello(version)).await.unwrap();
        let kind = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap();
        assert_eq!(kind, expected, "{version:?}");
    }
}

#[tokio::test]
async fn plain_http_is_never_answered() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    for bytes in [HEALTH, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut read = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the connection ends");
        assert!(!String::from_utf8_lossy(&read).contains("HTTP"), "{bytes:?}");
        assert!(read.is_empty() || read[0] == 21, "nothing but an alert: {read:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_ended() {
    let ollama = ollama().await;
    let limit = Duration::from_millis(300);
    let builder = TestGateway::in_front_of(&ollama).await;
    let gateway = builder.config(|config| config.limits.handshake_seconds = limit).start().await;
    for sent in [&[][..], &client_hello([3, 3])[..10], &client_hello([3, 3])] {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
        let began = Instant::now();
        stream.write_all(sent).await.unwrap();
        let mut read = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the connection ends");
        let took = began.elapsed();
        assert!((limit / 2..limit * 5).contains(&took), "{} bytes: {took:?}", sent.len());
    }
}

#[tokio::test]
async fn beyond_the_cap_new_connections_are_closed_and_old_ones_go_on() {
    let ollama = ollama().await;
    let builder = TestGateway::in_front_of(&ollama).await;
    let gateway = builder.config(|config| config.listen.connections = 2).start().await;
    let mut first = connect(gateway.port, &TLS13, &[b"http/1.1"]).await.unwrap();
    let mut second = connect(gateway.port, &TLS13, &[b"http/1.1"]).await.unwrap();
    for _ in 0..5 {
        assert!(connect(gateway.port, &TLS13, &[b"http/1.1"]).await.is_err(), "a third connection");
    }
    healthy(&mut first).await;
    healthy(&mut second).await;
    drop(first);
    let again = async {
        loop {
            match connect(gateway.port, &TLS13, &[b"http/1.1"]).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    healthy(&mut timeout(PATIENCE, again).await.expect("the place of the closed one")).await;
}

#[tokio::test]
async fn a_changed_certificate_is_served_and_a_broken_one_is_not() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.start().await;
    let mut kept = connect(gateway.port, &TLS13, &[b"http/1.1"]).await.unwrap();
    healthy(&mut kept).await;
    let first = shown(gateway.port).await;
    gateway.ca.issue();
    let second = other_than(&first, gateway.port).await;
    healthy(&mut kept).await;
    assert_eq!(kept.get_ref().1.peer_certificates().unwrap()[0].to_vec(), first);

    // Longer than the gateway takes to look, each broken in its own way: the old one stays.
    let good = std::fs::read(&gateway.ca.files.certificate).unwrap();
    let broken: [&[u8]; 3] = [b"", b"no certificate", &good[..good.len() / 2]];
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        for bytes in broken {
            std::fs::write(&gateway.ca.files.certificate, bytes).unwrap();
            assert_eq!(shown(gateway.port).await, second);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    gateway.ca.issue();
    other_than(&second, gateway.port).await;
    healthy(&mut kept).await;
}

#[tokio::test]
async fn without_a_configured_certificate_one_is_made_in_memory() {
    let ollama = ollama().await;
    let gateway = TestGateway::in_front_of(&ollama).await.self_signed().start().await;
    let mut stream = connect(gateway.port, &TLS13, &[b"http/1.1"]).await.unwrap();
    healthy(&mut stream).await;
    let der = shown(gateway.port).await;
    // id-ecPublicKey with prime256v1, as DER.
    let p256 =
        [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d];
    assert!(memchr::memmem::find(&der, &p256).is_some(), "ECDSA P-256");
}

#[tokio::test]
async fn every_end_is_announced() {
    let ollama = ollama().await;
    let limits = Duration::from_millis(300);
    let builder = TestGateway::in_front_of(&ollama).await;
    let gateway = builder
        .config(|config| (config.limits.idle_seconds, config.limits.header_seconds) = (limits, limits))
        .start()
        .await;
    for (case, version, sent) in [
        (
            "closed on request",
            &TLS13,
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ),
        (
            "closed on request",
            &TLS12,
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ),
        ("malformed", &TLS13, "nonsense\r\n\r\n"),
        ("refused", &TLS13, "GET /healthz HTTP/1.1\r\n\r\n"),
        ("idle", &TLS13, HEALTH),
        ("idle", &TLS12, HEALTH),
        ("half a head", &TLS13, "GET /healthz HT"),
        ("silent", &TLS13, ""),
    ] {
        let mut stream = connect(gateway.port, version, &[b"http/1.1"]).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut read = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the connection ends");
        // rustls reports an end without close_notify as an error.
        assert!(ended.is_ok(), "{case} {version:?}: {ended:?}");
    }
}
