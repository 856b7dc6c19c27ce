//! The only way out to an issuer: one bounded GET of a configured URL.

use std::time::Duration;

use async_trait::async_trait;

/// The longest a fetch may take, name resolution and body included. A caller with an unknown key waits for it, so it
/// is short; issuers answer in well under a second.
pub(super) const LONGEST: Duration = Duration::from_secs(3);

/// The largest answer read, in bytes: a hundred RSA keys with their certificates have 250 KB.
pub(super) const LARGEST: usize = 256 * 1024;

/// Why a fetch gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    /// An answer that is not 200; redirects are among them, since they are never followed.
    #[error("status {0}")]
    Status(u16),
    /// More than [`LARGEST`].
    #[error("more than {LARGEST} bytes")]
    TooLarge,
    /// No whole answer within [`LONGEST`].
    #[error("no whole answer within {} s", LONGEST.as_secs())]
    TooSlow,
    /// No connection, no TLS, or one that broke.
    #[error("{0}")]
    Broken(String),
    /// An answer that is not what was asked for.
    #[error("{0}")]
    Garbage(&'static str),
}

/// Gets a document from an issuer; a trait, so that tests need no network.
#[async_trait]
pub(super) trait Fetch: Send + Sync {
    /// The body of a 200 at `url`, asked with `bearer` if there is one, within the bounds of this file.
    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError>;
}

/// [`Fetch`] over the network. It keeps no connections: a pooled one would belong to the runtime that opened it, and
/// several share this.
pub(super) struct Http(reqwest::Client);

impl Http {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .connect_timeout(LONGEST)
            .timeout(LONGEST)
            .user_agent(concat!("gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }
}

#[async_trait]
impl Fetch for Http {
    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        let mut request = self.0.get(url).header(http::header::ACCEPT, "application/json");
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let mut answer = request.send().await.map_err(broken)?;
        if answer.status() != http::StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The innermost cause: the outer ones only repeat the URL.
fn broken(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TooSlow;
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    FetchError::Broken(cause.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    /// Answers one connection with `head`, then `body` again and again until nobody listens, `pause` between.
    async fn serve(head: &'static str, body: &'static [u8], times: usize, pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        fleet::shutdown::Tasks::new().spawn_background(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let length = socket.read(&mut asked).await.unwrap();
            assert!(asked[..length].starts_with(b"GET /keys HTTP/1.1\r\n"));
            let _ = socket.write_all(head.as_bytes()).await;
            for _ in 0..times {
                tokio::time::sleep(pause).await;
                if socket.write_all(body).await.is_err() {
                    return;
                }
            }
        });
        url
    }

    async fn get(head: &'static str, body: &'static [u8], times: usize) -> Result<Vec<u8>, FetchError> {
        let url = serve(head, body, times, Duration::ZERO).await;
        Http::new().unwrap().get(&url, None).await
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn only_a_whole_200_counts() {
        assert_eq!(get(OK, b"{}", 1).await, Ok(b"{}".to_vec()));
        let broken = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(get(broken, b"", 0).await, Err(FetchError::Status(500)));
        assert_eq!(get("HTTP/1.1 204 None\r\n\r\n", b"", 0).await, Err(FetchError::Status(204)));
        let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
        assert!(matches!(get(short, b"{}", 1).await, Err(FetchError::Broken(_))));
        assert!(matches!(get("", b"", 0).await, Err(FetchError::Broken(_))));
        let nobody = Http::new().unwrap().get("http://127.0.0.1:1/keys", None).await;
        assert!(matches!(nobody, Err(FetchError::Broken(_))));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let there = serve(OK, b"{}", 1, Duration::ZERO).await;
        let head: &'static str =
            Box::leak(format!("HTTP/1.1 302 Found\r\nlocation: {there}\r\ncontent-length: 0\r\n\r\n").into());
        assert_eq!(get(head, b"", 0).await, Err(FetchError::Status(302)));
    }

    #[tokio::test]
    async fn the_bearer_goes_to_the_issuer_and_into_no_log() {
        let lines = fleet::telemetry::Capture::default();
        let all = fleet::telemetry::subscriber("trace", lines.clone()).unwrap();
        let _all = tracing::subscriber::set_default(all);
        let url = serve(OK, b"{}", 1, Duration::ZERO).await;
        assert_eq!(Http::new().unwrap().get(&url, Some("canary-token")).await, Ok(b"{}".to_vec()));
        assert!(!lines.text().is_empty() && !lines.text().contains("canary"), "{}", lines.text());
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        assert_eq!(get(OK, &[b' '; 65_536], 1000).await, Err(FetchError::TooLarge));
    }

    #[tokio::test]
    async fn a_trickle_is_cut() {
        let url = serve(OK, b" ", 1000, Duration::from_millis(200)).await;
        let begun = Instant::now();
        assert_eq!(Http::new().unwrap().get(&url, None).await, Err(FetchError::TooSlow));
        assert!(begun.elapsed() < LONGEST + Duration::from_secs(1));
    }
}
