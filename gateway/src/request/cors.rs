//! Which web pages may call us, and what they are told.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use http::{Method, Response, StatusCode};

use crate::body::Body;
use crate::error::Refusal;

/// The methods of the route table.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE";

/// What our page and the official OpenAI and Anthropic SDKs send from a browser. Spelled out, because a wildcard does
/// not cover `authorization`; the SDKs add the `x-stainless` fields without being asked.
const HEADERS: &str = "accept, authorization, content-type, user-agent, x-api-key, x-request-id, x-requested-with, \
    idempotency-key, anthropic-beta, anthropic-dangerous-direct-browser-access, anthropic-version, openai-beta, \
    openai-organization, openai-project, x-stainless-arch, x-stainless-async, x-stainless-custom-poll-interval, \
    x-stainless-helper, x-stainless-helper-method, x-stainless-lang, x-stainless-os, x-stainless-package-version, \
    x-stainless-poll-helper, x-stainless-raw-response, x-stainless-read-timeout, x-stainless-retry-count, \
    x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout";

/// What a page may read of our answers besides the body.
const EXPOSED: &str = "X-Request-Id, X-Queue-Wait-Ms, Retry-After";

/// How long a browser may remember a preflight, in seconds: two hours, Chromium's own upper bound.
const MAX_AGE: &str = "7200";

/// What the fields of a request say about the page it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verdict {
    /// No page: a program, or a page of our own origin that only reads.
    #[default]
    NoOrigin,
    /// A listed page calls.
    Listed(HeaderValue),
    /// The browser of a listed page asks beforehand: answer with [`Cors::preflight`], without any further step.
    Preflight(HeaderValue),
}

/// The list of `[access] allowed_origins`.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// Takes origins as browsers write them; the configuration has checked them, and what cannot stand in a header
    /// matches nothing.
    pub fn new(origins: &[String]) -> Self {
        Self { origins: origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect() }
    }

    /// Looks at `Origin`: to the letter, also where it names our own host, and for every method, because a simple
    /// request has done its work by the time the browser hides the answer.
    ///
    /// # Errors
    /// 403 for an origin that is not listed, `null`, and two `Origin` fields.
    pub fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<Verdict, Refusal> {
        let mut fields = headers.get_all(ORIGIN).iter();
        let origin = match (fields.next(), fields.next()) {
            (None, _) => return Ok(Verdict::NoOrigin),
            (Some(origin), None) if self.origins.contains(origin) => origin.clone(),
            _ => {
                return Err(Refusal::Forbidden(
                    "pages of this origin may not call here; an operator can list it in `allowed_origins`"
                        .to_owned(),
                ));
            }
        };
        if method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            Ok(Verdict::Preflight(origin))
        } else {
            Ok(Verdict::Listed(origin))
        }
    }

    /// Writes the verdict into an answer of any kind, errors included: a page can only read what is marked for it.
    /// For a refused origin apply [`Verdict::NoOrigin`], which leaves only the mark for caches.
    pub fn apply(&self, verdict: &Verdict, answer: &mut HeaderMap) {
        answer.append(VARY, HeaderValue::from_static("Origin"));
        if let Verdict::Listed(origin) | Verdict::Preflight(origin) = verdict {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    /// The whole answer to a preflight of a listed origin; [`Cors::apply`] adds the origin to it as to any other.
    /// The lists are the same for every path and whatever was asked: the browser compares.
    pub fn preflight(&self) -> Response<Body> {
        let mut answer = Response::new(Body::full(""));
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        headers.append(
            VARY,
            HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers"),
        );
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://translate.example.com";

    fn cors() -> Cors {
        Cors::new(&[PAGE.to_owned(), "http://localhost:5173".to_owned()])
    }

    fn judge(method: Method, fields: &[(&'static str, &'static str)]) -> Result<Verdict, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        cors().judge(&method, &headers)
    }

    #[test]
    fn a_program_has_no_origin() {
        assert_eq!(judge(Method::POST, &[("host", "translate.example.com")]).unwrap(), Verdict::NoOrigin);
        assert_eq!(
            judge(Method::OPTIONS, &[("access-control-request-method", "POST")]).unwrap(),
            Verdict::NoOrigin
        );
        let mut answer = HeaderMap::new();
        cors().apply(&Verdict::NoOrigin, &mut answer);
        assert_eq!(answer.len(), 1);
        assert_eq!(answer["vary"], "Origin");
    }

    #[test]
    fn a_listed_page_is_told_so_also_in_errors() {
        let verdict = judge(Method::POST, &[("origin", PAGE)]).unwrap();
        let mut answer = HeaderMap::new();
        answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        cors().apply(&verdict, &mut answer);
        assert_eq!(answer["access-control-allow-origin"], PAGE);
        assert_eq!(answer["access-control-expose-headers"], "X-Request-Id, X-Queue-Wait-Ms, Retry-After");
        assert!(answer.get_all("vary").iter().any(|field| field == "Origin"));
        assert!(!answer.contains_key("access-control-allow-credentials"));
        assert!(answer.values().all(|value| value != "*"));
    }

    #[test]
    fn every_other_origin_is_refused_for_every_method() {
        for origin in [
            "",
            "null",
            "*",
            "https://evil.example",
            "http://translate.example.com",
            "https://translate.example.com:443",
            "https://translate.example.com/",
            "https://translate.example.com.evil.example",
            "https://TRANSLATE.example.com",
            "https://translate.example.com, https://evil.example",
            "https://sub.translate.example.com",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                let refusal = judge(method, &[("origin", origin), ("access-control-request-method", "POST")])
                    .unwrap_err();
                assert_eq!(refusal.status(), 403, "{origin:?}");
            }
        }
        assert!(judge(Method::GET, &[("origin", PAGE), ("origin", PAGE)]).is_err());
        assert!(
            Cors::new(&[])
                .judge(&Method::GET, &[(ORIGIN, HeaderValue::from_static(PAGE))].into_iter().collect())
                .is_err()
        );
    }

    #[test]
    fn a_preflight_gets_the_lists_and_nothing_else() {
        let asked = [("origin", PAGE), ("access-control-request-method", "POST")];
        let verdict = judge(Method::OPTIONS, &asked).unwrap();
        assert_eq!(verdict, Verdict::Preflight(HeaderValue::from_static(PAGE)));
        let mut answer = cors().preflight();
        cors().apply(&verdict, answer.headers_mut());
        assert_eq!(answer.status(), 204);
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], PAGE);
        assert_eq!(headers["access-control-allow-methods"], "GET, HEAD, POST, PATCH, DELETE");
        assert_eq!(headers["access-control-max-age"], "7200");
        let allowed: Vec<&str> =
            headers["access-control-allow-headers"].to_str().unwrap().split(", ").collect();
        for field in ["authorization", "x-api-key", "content-type", "x-stainless-retry-count"] {
            assert!(allowed.contains(&field), "{field}");
        }
        let plain = |field: &&str| field.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(allowed.iter().all(plain), "{allowed:?}");
        let vary: Vec<_> = headers.get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
        assert!(
            vary.join(", ").contains("Origin") && vary.join(", ").contains("Access-Control-Request-Headers")
        );
    }

    #[test]
    fn options_without_a_question_is_no_preflight() {
        let verdict = judge(Method::OPTIONS, &[("origin", PAGE)]).unwrap();
        assert_eq!(verdict, Verdict::Listed(HeaderValue::from_static(PAGE)));
        let asked = [("origin", PAGE), ("access-control-request-method", "POST")];
        assert!(matches!(judge(Method::POST, &asked).unwrap(), Verdict::Listed(_)));
    }
}
