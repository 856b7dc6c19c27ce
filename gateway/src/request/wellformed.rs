//! What hyper lets through and we do not: one place that looks at the head as a whole.
//!
//! hyper 1.12 takes a missing or doubled `Host`, `Transfer-Encoding: gzip, chunked`, two such fields, `Upgrade`, and
//! on HTTP/2 any number of fields. None of that ever goes upstream (we send a head of our own), but a request that
//! two parsers may read differently is refused before anything else looks at it.

use std::net::Ipv6Addr;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, Method, Version};

use crate::config::settings::Limits;
use crate::error::Refusal;

/// Checks version, target, framing fields and `Host`; returns the host the client asked for, without port.
///
/// # Errors
/// 400 and 405, both of which end the connection, 414 or 431, before any other step.
pub fn check(head: &Parts, limits: &Limits) -> Result<String, Refusal> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.uri_bytes {
        return Err(Refusal::UriTooLong(limits.uri_bytes));
    }
    if head.headers.len() > limits.headers {
        return Err(Refusal::HeadersTooLarge);
    }
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::NoSuchMethod);
    }
    if !matches!(head.version, Version::HTTP_11 | Version::HTTP_2) {
        return Err(Refusal::Ambiguous("HTTP/1.1 or HTTP/2 is needed"));
    }
    if head.headers.contains_key(UPGRADE) {
        return Err(Refusal::Ambiguous("this gateway does not switch protocols"));
    }
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err(Refusal::Ambiguous("the only transfer coding taken is `chunked`, once"));
        }
        if head.headers.contains_key(CONTENT_LENGTH) {
            return Err(Refusal::Ambiguous("a request has a Content-Length or is chunked, not both"));
        }
    }
    host(head).ok_or(Refusal::Ambiguous("exactly one well-formed Host is needed"))
}

/// The one host of the request: HTTP/1.1 `Host`, HTTP/2 `:authority` (a `Host` beside it must agree).
fn host(head: &Parts) -> Option<String> {
    let mut fields = head.headers.get_all(HOST).iter();
    let (first, second) = (fields.next(), fields.next());
    if second.is_some() || !matches!(head.uri.scheme_str(), None | Some("http" | "https")) {
        return None;
    }
    let field = match first {
        Some(value) => Some(value.to_str().ok()?),
        None => None,
    };
    match (field, head.uri.authority().map(Authority::as_str)) {
        (Some(field), Some(target)) if !field.eq_ignore_ascii_case(target) => None,
        (None, Some(_)) if head.version == Version::HTTP_11 => None,
        (field, target) => host_of(target.or(field)?),
    }
}

/// The host of `host[:port]`, in lower case: a name of letters, digits, dots, hyphens and underscores, or an address
/// (IPv6 in brackets). Nothing that a reader could end earlier or unfold: no user, no escape, no list.
fn host_of(text: &str) -> Option<String> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at(end);
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let plain = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(named),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (plain && port).then(|| host.to_ascii_lowercase())
}

/// The client's request id, where it is one we would make ourselves, else a new one.
pub fn request_id(head: &Parts) -> String {
    const NAME: HeaderName = HeaderName::from_static("x-request-id");
    let given = head.headers.get(NAME).and_then(|value| value.to_str().ok());
    let well_formed = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    given.filter(well_formed).map_or_else(|| format!("{:032x}", fastrand::u128(..)), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(version: Version, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().version(version).uri(uri);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn check_h1(fields: &[(&str, &str)]) -> Result<String, Refusal> {
        check(&head(Version::HTTP_11, "/", fields), &Limits::default())
    }

    #[test]
    fn a_plain_request_passes_and_tells_its_host() {
        assert_eq!(check_h1(&[("host", "LLM.example:8443")]).unwrap(), "llm.example");
        assert_eq!(check_h1(&[("host", "[::1]:8443"), ("transfer-encoding", "Chunked")]).unwrap(), "[::1]");
        let h2 = head(Version::HTTP_2, "https://llm.example/api/tags", &[]);
        assert_eq!(check(&h2, &Limits::default()).unwrap(), "llm.example");
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for fields in [
            &[][..],
            &[("host", "a"), ("host", "a")],
            &[("host", "")],
            &[("host", "a b")],
            &[("host", "user@a")],
            &[("host", "a/b")],
            &[("host", "a,b")],
            &[("host", "a%62")],
            &[("host", "a:http")],
            &[("host", "a:+1")],
            &[("host", "a:70000")],
            &[("host", "a:1:2")],
            &[("host", ":1")],
            &[("host", "[::1")],
            &[("host", "[a]")],
            &[("host", "[::1]x")],
            &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
            &[("host", "a"), ("transfer-encoding", "identity")],
            &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "3")],
            &[("host", "a"), ("upgrade", "h2c")],
        ] {
            assert_eq!(check_h1(fields).unwrap_err().status(), 400, "{fields:?}");
        }
        assert!(check(&head(Version::HTTP_10, "/", &[("host", "a")]), &Limits::default()).is_err());
        let foreign = head(Version::HTTP_11, "http://b/", &[("host", "a")]);
        assert!(check(&foreign, &Limits::default()).is_err());
    }

    #[test]
    fn too_long_a_target_and_too_many_fields_have_their_own_status() {
        let long = format!("/?{}", "x".repeat(9000));
        let refusal = check(&head(Version::HTTP_11, &long, &[("host", "a")]), &Limits::default());
        assert_eq!(refusal.unwrap_err().status(), 414);
        let many: Vec<_> = (0..120).map(|_| ("x", "y")).collect();
        assert_eq!(check_h1(&many).unwrap_err().status(), 431);
    }

    #[test]
    fn only_a_well_formed_request_id_is_taken_over() {
        let id = |given: &str| request_id(&head(Version::HTTP_11, "/", &[("x-request-id", given)]));
        assert_eq!(id("abc-DEF_12.3"), "abc-DEF_12.3");
        for bad in ["short", "with space in it", &"x".repeat(65)] {
            assert_eq!(id(bad).len(), 32, "{bad}");
        }
    }
}
