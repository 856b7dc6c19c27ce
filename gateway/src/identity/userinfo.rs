//! Asks an issuer for the e-mail address that its tokens leave out (OpenID Connect Core, 5.3).

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::fetch::{self, Fetch, FetchError};
use super::jwt::verified_email;
use super::strict;

/// Questions open at once. Each is asked once per token, and bounded in time.
const AT_ONCE: usize = 16;

/// The door to the issuers' userinfo.
pub(super) struct Userinfo {
    fetch: Arc<dyn Fetch>,
    places: Semaphore,
}

impl Userinfo {
    pub(super) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self { fetch, places: Semaphore::new(AT_ONCE) }
    }

    /// The verified address of `subject`, whose proven token this is. `Ok(None)`: the issuer knows none.
    pub(super) async fn email(
        &self,
        url: &str,
        token: &str,
        subject: &str,
    ) -> Result<Option<String>, FetchError> {
        let ask = async {
            let _place = self.places.acquire().await;
            self.fetch.get(url, Some(token)).await
        };
        let body = timeout(fetch::LONGEST, ask).await.unwrap_or(Err(FetchError::TooSlow))?;
        let said = strict::object(&body).ok_or(FetchError::Garbage("not a JSON object"))?;
        // The answer may be about somebody else only if something between us is broken or hostile.
        if said.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err(FetchError::Garbage("another subject"));
        }
        Ok(verified_email(&said))
    }
}
