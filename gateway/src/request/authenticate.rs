//! Finds the one credential of a request. What it proves, `identity` says.

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::error::Refusal;

/// The longest token or key taken, in bytes. A Cognito access token with forty groups has 2.5 KB.
pub const LONGEST: usize = 8192;

/// What the caller sent to prove who they are. Not yet looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// `Authorization: Bearer …`: a token, or an API key from clients that can send nothing else.
    Bearer(&'a str),
    /// `x-api-key: …`: an API key, or a token from clients that can send nothing else.
    ApiKey(&'a str),
}

impl<'a> Credential<'a> {
    /// The token or key itself: never to be logged, stored or sent on.
    pub fn secret(&self) -> &'a str {
        match *self {
            Self::Bearer(secret) | Self::ApiKey(secret) => secret,
        }
    }
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(..)",
            Self::ApiKey(_) => "ApiKey(..)",
        })
    }
}

/// The one credential of the request: exactly one `Authorization: Bearer` field or exactly one `x-api-key` field.
/// Two of them would let a proxy and us see two different callers.
///
/// # Errors
/// 401 for none, two (even equal ones), another scheme, and what cannot be a token: empty, over [`LONGEST`], or with
/// a character outside RFC 6750's `b64token`.
pub fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Refusal> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter();
    let mut keys = headers.get_all("x-api-key").iter();
    match (bearers.next(), keys.next(), bearers.next(), keys.next()) {
        (None, None, ..) => Err(Refusal::Unauthenticated("no_credential")),
        (Some(field), None, None, None) => bearer(field).map(Credential::Bearer),
        (None, Some(field), None, None) => text(field).and_then(plausible).map(Credential::ApiKey),
        _ => Err(Refusal::Unauthenticated("two_credentials")),
    }
}

fn bearer(field: &HeaderValue) -> Result<&str, Refusal> {
    match text(field)?.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => plausible(token),
        _ => Err(Refusal::Unauthenticated("scheme")),
    }
}

fn text(field: &HeaderValue) -> Result<&str, Refusal> {
    field.to_str().map_err(|_| Refusal::Unauthenticated("malformed"))
}

fn plausible(secret: &str) -> Result<&str, Refusal> {
    let alphabet =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    if (1..=LONGEST).contains(&secret.len()) && secret.bytes().all(alphabet) {
        Ok(secret)
    } else {
        Err(Refusal::Unauthenticated("malformed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&'static str, &[u8])], expected: Result<Credential<'_>, &str>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let found = credential(&headers);
        assert_eq!(found.as_ref().map_err(Refusal::label), expected.as_ref().map_err(|e| *e), "{fields:?}");
        assert!(found.is_ok() || found.is_err_and(|refusal| refusal.status() == 401));
    }

    #[test]
    fn one_credential_is_found_wherever_it_is() {
        check(&[("authorization", b"Bearer a.b.c")], Ok(Credential::Bearer("a.b.c")));
        check(&[("authorization", b"bEARER a-_~+/==")], Ok(Credential::Bearer("a-_~+/==")));
        check(&[("x-api-key", b"ollm_x")], Ok(Credential::ApiKey("ollm_x")));
        let longest = [b"Bearer ".as_slice(), &[b'a'; LONGEST]].concat();
        let found = "a".repeat(LONGEST);
        check(&[("authorization", &longest)], Ok(Credential::Bearer(&found)));
    }

    #[test]
    fn none_and_two_are_refused() {
        check(&[], Err("no_credential"));
        check(&[("cookie", b"a.b.c")], Err("no_credential"));
        check(&[("authorization", b"Bearer a"), ("x-api-key", b"a")], Err("two_credentials"));
        check(&[("authorization", b"Bearer a"), ("authorization", b"Bearer a")], Err("two_credentials"));
        check(&[("authorization", b"Bearer a"), ("authorization", b"Basic a")], Err("two_credentials"));
        check(&[("x-api-key", b"a"), ("x-api-key", b"a")], Err("two_credentials"));
        check(&[("x-api-key", b"a"), ("authorization", b"")], Err("two_credentials"));
    }

    #[test]
    fn other_schemes_are_refused() {
        for value in ["", "Bearer", "Basic YTpi", "Bearera.b.c", "Negotiate a", "a.b.c", "Bearer\ta.b.c"] {
            check(&[("authorization", value.as_bytes())], Err("scheme"));
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        let long = [b"Bearer ".as_slice(), &[b'a'; LONGEST + 1]].concat();
        for value in [
            b"Bearer ".as_slice(),
            b"Bearer  a.b.c",
            b"Bearer a b",
            b"Bearer a,Bearer b",
            b"Bearer a\"",
            b"Bearer \xc3\xa9",
            &long,
        ] {
            check(&[("authorization", value)], Err("malformed"));
        }
        for value in [b"".as_slice(), b"a b", b"\xff", &long] {
            check(&[("x-api-key", value)], Err("malformed"));
        }
    }

    #[test]
    fn a_credential_is_not_printed() {
        let shown = format!("{:?} {:?}", Credential::Bearer("top-secret"), Credential::ApiKey("top-secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
