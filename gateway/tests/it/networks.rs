//! Only clients of allowed networks are let in, by the address that somebody we trust has seen.

use gateway::config::Config;

use crate::speak::next_answer;
use crate::support::{TestGateway, ollama};

/// Lets in 10.8.0.0/16 and 2001:db8::/32, and trusts these proxies.
async fn gateway(ollama: &demo::ollama::SimulatedOllama, trusted: &[&str]) -> TestGateway {
    let set = |config: &mut Config| {
        config.access.allowed_networks =
            vec!["10.8.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        config.access.trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
    };
    TestGateway::in_front_of(ollama).await.config(set).start().await
}

async fn check(gateway: &TestGateway, fields: &str, expected: u16) {
    let mut raw = gateway.raw().await;
    let token = gateway.token();
    for path in ["/", "/api/tags"] {
        raw.send(format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{fields}\r\n"
        ))
        .await;
        assert_eq!(next_answer(&mut raw).await.status, expected, "{path} with {fields:?}");
    }
    raw.send(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).await;
    assert_eq!(next_answer(&mut raw).await.status, 200, "health with {fields:?}");
}

#[tokio::test]
async fn behind_trusted_proxies_the_rightmost_stranger_decides() {
    let ollama = ollama().await;
    let gateway = gateway(&ollama, &["127.0.0.0/8", "10.0.0.0/16"]).await;
    for (fields, expected) in [
        ("", 403), // the proxy itself is in no allowed network
        ("X-Forwarded-For: 10.8.1.2\r\n", 200),
        ("X-Forwarded-For: 8.8.8.8\r\n", 403),
        ("X-Forwarded-For: 10.8.1.2, 8.8.8.8\r\n", 403), // the left one is the client's own word
        ("X-Forwarded-For: 8.8.8.8, 10.8.1.2\r\n", 200),
        ("X-Forwarded-For: 10.8.1.2, 10.0.3.4\r\n", 200),
        ("X-Forwarded-For: 10.8.1.2\r\nX-Forwarded-For: 10.0.3.4\r\n", 200),
        ("X-Forwarded-For: 10.8.1.2\r\nX-Forwarded-For: 8.8.8.8\r\n", 403),
        ("X-Forwarded-For: 2001:db8::7\r\n", 200),
        ("X-Forwarded-For: [2001:db8::7]:443\r\n", 200),
        ("X-Forwarded-For: ::ffff:10.8.1.2\r\n", 200),
        ("X-Forwarded-For: 10.8.1.2:5678\r\n", 200),
        ("X-Forwarded-For: garbage, 10.8.1.2\r\n", 200),
        ("X-Forwarded-For: 10.8.1.2, garbage\r\n", 400),
        ("X-Forwarded-For: 10.8.1.2,\r\n", 400),
        ("X-Forwarded-For: \r\n", 400),
        ("X-Forwarded-For: 10.8.1\r\n", 400),
        ("X-Real-IP: 10.8.1.2\r\n", 403),
        ("Forwarded: for=10.8.1.2\r\n", 403),
        ("X_Forwarded_For: 10.8.1.2\r\n", 403),
        ("X-Client-IP: 10.8.1.2\r\nTrue-Client-IP: 10.8.1.2\r\n", 403),
    ] {
        check(&gateway, fields, expected).await;
    }
}

#[tokio::test]
async fn without_a_trusted_proxy_no_field_counts() {
    let ollama = ollama().await;
    let gateway = gateway(&ollama, &["10.0.0.0/16"]).await;
    for fields in ["", "X-Forwarded-For: 10.8.1.2\r\n", "X-Forwarded-For: 10.0.1.1, 10.8.1.2\r\n"] {
        check(&gateway, fields, 403).await;
    }
}
