//! Every error the gateway makes itself: whose fault it is, what the caller is told, and in which shape.
//!
//! A step of the journey returns a [`Refusal`]; it becomes a response in [`Refusal::into_response`] or, once a
//! stream has been committed, bytes inside it in [`Refusal::in_stream`]. Nothing else in the crate writes an
//! error body. Statuses, types and codes follow the table that the official clients were tried against
//! (ARCHITECTURE.md, "Errors").

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::body::Body;
use crate::ollama::dialect::{Api, Family};

/// Why a request gets no answer from a model. The text is for people: what was wrong and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// 400: the request is malformed, ambiguous, or asks for what cannot be.
    #[error("{0}")]
    Invalid(String),
    /// 400, and the connection ends: two parsers could disagree about this request, and so about where the next one
    /// begins.
    #[error("{0}")]
    Ambiguous(&'static str),
    /// 401: no credential, two, or one that does not hold. The text never says which check failed.
    #[error("a valid token or API key is needed: send `Authorization: Bearer <token>` or `x-api-key: <key>`")]
    Unauthenticated(&'static str),
    /// 403: the caller is known and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// 403: the caller is known and shut out, on whatever route.
    #[error("access for this account has been withdrawn; ask the operators of this service")]
    Denied,
    /// 404: no such route.
    #[error(
        "there is no such route here; the Ollama, OpenAI and Anthropic routes are listed in the documentation"
    )]
    NoRoute,
    /// 404: the model does not exist, or the caller may not know that it does.
    #[error("model '{0}' not found; the models you may use are listed by GET /api/tags and GET /v1/models")]
    NoModel(String),
    /// 404: a translated file is not kept any more, never was, or is somebody else's.
    #[error("there is no such file here (any more); translate it again")]
    NoFile,
    /// 404: a link code that was never made, is used, or is over.
    #[error(
        "this code is not good, or not any more: it works once and for an hour; ask an administrator for a new one"
    )]
    NoCode,
    /// 404: there is no such conversation, or it is somebody else's: nobody is told which.
    #[error("you have no such conversation; GET /conversations lists yours")]
    NoConversation,
    /// 405: the route exists for other methods, which `Allow` lists.
    #[error("this route answers {0} only")]
    Method(&'static str),
    /// 405, and the connection ends: CONNECT and TRACE, on whatever path.
    #[error("this gateway answers {METHODS} only")]
    NoSuchMethod,
    /// 408: the client sent its body too slowly.
    #[error("the request body arrived too slowly; send it again on a better connection")]
    BodyTooSlow,
    /// 409: it cannot be done to what is there now.
    #[error("{0}")]
    Conflict(String),
    /// 413: what is asked does not fit into what the model reads at once, or what is kept.
    #[error("{0}")]
    TooLong(String),
    /// 413: the body is over the limit, in bytes.
    #[error("the request body is over the limit of {0} bytes; send less, or smaller images")]
    BodyTooLarge(u64),
    /// 414: the request target is too long.
    #[error("the request target is over the limit of {0} bytes")]
    UriTooLong(usize),
    /// 415: the body is encoded.
    #[error("the content encoding `{0}` is not supported; send the body as plain JSON")]
    Encoding(String),
    /// 421: the request names a host this gateway does not answer to.
    #[error("this gateway does not answer to that host name")]
    ForeignHost,
    /// 431: too many header fields or bytes.
    #[error("the request has too many header fields")]
    HeadersTooLarge,
    /// 429: over a limit of the caller's own. The duration is true: trying then will work.
    #[error("{what}; try again in {} s", whole_seconds(*.retry_after))]
    TooMany {
        /// Which limit, in words.
        what: &'static str,
        /// When the limit will let this request through.
        retry_after: Duration,
    },
    /// 502: Ollama broke before the first byte.
    #[error("{text}")]
    Upstream {
        /// What happened, without inner names.
        text: String,
        /// The model may have begun to work: a client should not blindly try again.
        worked: bool,
    },
    /// 503: more is waiting than can be served in time.
    #[error("{what}; try again in {} s", whole_seconds(*.retry_after))]
    Overloaded {
        /// What is full, in words.
        what: &'static str,
        /// When there will probably be room.
        retry_after: Duration,
    },
    /// 503: the fleet sleeps and its nodes do not come up.
    #[error("the fleet cannot start: {reason}; it tries again by itself, try again later")]
    Broken {
        /// Why, in words, as the scaler said it.
        reason: String,
        /// When a node may be there at the soonest.
        retry_after: Duration,
    },
    /// 504, and nothing was begun: the fleet did not wake in the time an answer in one piece may take.
    #[error(
        "no node is ready yet; one is expected in about {} s: try again then, or stream the answer \
         (`\"stream\": true`), which may wait longer", whole_seconds(*.0)
    )]
    StillWaking(Duration),
    /// 504: the queue, the load or the model took longer than the request may.
    #[error("{0}")]
    TooLate(String),
    /// An error that Ollama itself gave, in plain words, with its status (4xx, or 500).
    #[error("{text}")]
    Ollama {
        /// Ollama's status.
        status: StatusCode,
        /// Its innermost message, without paths of the server.
        text: String,
    },
    /// 500: a bug of ours. The log has the rest.
    #[error("the gateway failed while handling this request; please report the request id")]
    Bug,
}

/// How a refusal looks to each family: status, OpenAI type and code, Anthropic type, label of the metric.
struct Look {
    status: StatusCode,
    openai: &'static str,
    code: Option<&'static str>,
    anthropic: &'static str,
    label: &'static str,
}

const fn look(
    status: StatusCode,
    openai: &'static str,
    code: Option<&'static str>,
    anthropic: &'static str,
    label: &'static str,
) -> Look {
    Look { status, openai, code, anthropic, label }
}

/// The request itself is at fault.
const fn bad(status: StatusCode, code: Option<&'static str>, label: &'static str) -> Look {
    look(status, BAD, code, BAD, label)
}

/// OpenAI and Anthropic use one word for it.
const fn both(status: StatusCode, kind: &'static str, code: &'static str, label: &'static str) -> Look {
    look(status, kind, Some(code), kind, label)
}

const fn forbidden(label: &'static str) -> Look {
    both(StatusCode::FORBIDDEN, "permission_error", "forbidden", label)
}

const fn no_model(label: &'static str) -> Look {
    both(StatusCode::NOT_FOUND, "not_found_error", "model_not_found", label)
}

/// Every method that some route answers.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE";

const BAD: &str = "invalid_request_error";

impl Refusal {
    fn look(&self) -> Look {
        use StatusCode as S;
        match self {
            Self::Invalid(_) => bad(S::BAD_REQUEST, None, "invalid"),
            Self::Ambiguous(_) => bad(S::BAD_REQUEST, None, "ambiguous"),
            Self::Unauthenticated(reason) => {
                let kind = "authentication_error";
                look(S::UNAUTHORIZED, kind, Some("invalid_api_key"), kind, reason)
            }
            Self::Forbidden(_) => forbidden("forbidden"),
            Self::Denied => forbidden("denied"),
            Self::NoRoute => both(S::NOT_FOUND, "not_found_error", "not_found", "no_route"),
            Self::NoCode => both(S::NOT_FOUND, "not_found_error", "not_found", "no_code"),
            Self::NoFile => both(S::NOT_FOUND, "not_found_error", "not_found", "no_file"),
            Self::NoConversation => both(S::NOT_FOUND, "not_found_error", "not_found", "no_conversation"),
            Self::Conflict(_) => both(S::CONFLICT, "invalid_request_error", "conflict", "conflict"),
            Self::TooLong(_) => bad(S::PAYLOAD_TOO_LARGE, Some("context_length_exceeded"), "too_long"),
            Self::NoModel(_) => no_model("no_model"),
            Self::Method(_) | Self::NoSuchMethod => {
                bad(S::METHOD_NOT_ALLOWED, Some("method_not_allowed"), "method")
            }
            Self::BodyTooSlow => both(S::REQUEST_TIMEOUT, "timeout_error", "request_timeout", "body_slow"),
            Self::BodyTooLarge(_) => {
                let code = "request_too_large";
                look(S::PAYLOAD_TOO_LARGE, BAD, Some(code), code, "body_large")
            }
            Self::UriTooLong(_) => bad(S::URI_TOO_LONG, None, "uri_long"),
            Self::Encoding(_) => bad(S::UNSUPPORTED_MEDIA_TYPE, None, "encoding"),
            Self::ForeignHost => bad(S::MISDIRECTED_REQUEST, None, "foreign_host"),
            Self::HeadersTooLarge => bad(S::REQUEST_HEADER_FIELDS_TOO_LARGE, None, "headers"),
            Self::TooMany { .. } => {
                both(S::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", "too_many")
            }
            Self::Upstream { .. } => both(S::BAD_GATEWAY, "api_error", "upstream_error", "upstream"),
            Self::Overloaded { .. } => {
                both(S::SERVICE_UNAVAILABLE, "overloaded_error", "overloaded", "overloaded")
            }
            Self::Broken { .. } => both(S::SERVICE_UNAVAILABLE, "overloaded_error", "overloaded", "broken"),
            Self::StillWaking(_) => {
                both(S::GATEWAY_TIMEOUT, "timeout_error", "upstream_timeout", "still_waking")
            }
            Self::TooLate(_) => both(S::GATEWAY_TIMEOUT, "timeout_error", "upstream_timeout", "too_late"),
            Self::Ollama { status, .. } => match *status {
                S::NOT_FOUND => no_model("ollama"),
                S::FORBIDDEN => forbidden("ollama"),
                other if other.is_client_error() => bad(other, None, "ollama"),
                other => both(other, "api_error", "upstream_error", "ollama"),
            },
            Self::Bug => look(S::INTERNAL_SERVER_ERROR, "api_error", None, "api_error", "bug"),
        }
    }

    /// The status the caller sees.
    pub fn status(&self) -> StatusCode {
        self.look().status
    }

    /// A short constant word for metrics and logs.
    pub fn label(&self) -> &'static str {
        self.look().label
    }

    /// How long the caller is told to wait, before it is bounded and rounded for the header.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. }
            | Self::Overloaded { retry_after, .. }
            | Self::Broken { retry_after, .. }
            | Self::StillWaking(retry_after) => Some(*retry_after),
            _ => None,
        }
    }

    /// May a client not simply send the same again? Work may have been done, or time is what ran out.
    fn forbids_retry(&self) -> bool {
        matches!(
            self,
            Self::Upstream { worked: true, .. } | Self::TooLate(_) | Self::BodyTooSlow | Self::Ollama { .. }
        )
    }

    /// The error as a whole response in the shape of `family`.
    pub fn into_response(self, family: Family, request_id: &str) -> Response<Body> {
        let look = self.look();
        let mut response = Response::new(Body::full(self.body(family, request_id)));
        *response.status_mut() = look.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_header(wait)));
        }
        if self.forbids_retry() {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        match self {
            Self::Unauthenticated(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ollama\""));
            }
            Self::Method(allow) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::NoSuchMethod => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Ambiguous(_) | Self::BodyTooSlow | Self::BodyTooLarge(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    fn body(&self, family: Family, request_id: &str) -> Bytes {
        let text = self.to_string();
        let look = self.look();
        let body = match family {
            Family::Native => json!({ "error": text }),
            Family::OpenAi => json!({ "error": openai(&text, &look) }),
            Family::Anthropic => json!({
                "type": "error",
                "error": { "type": look.anthropic, "message": text },
                "request_id": request_id,
            }),
        };
        Bytes::from(body.to_string())
    }

    /// The error as the last bytes of a stream that has already answered 200: the family's own form, then its
    /// terminal marker where it has one, so that clients see the error and not a transport fault.
    pub fn in_stream(&self, api: Api, request_id: &str) -> Bytes {
        let text = self.to_string();
        let look = self.look();
        let bytes = match api {
            Api::Responses => {
                let failed = json!({
                    "type": "response.failed",
                    "response": {
                        "id": request_id,
                        "object": "response",
                        "status": "failed",
                        "error": { "code": look.code.unwrap_or(look.openai), "message": text },
                        "output": [],
                    },
                });
                format!("event: response.failed\ndata: {failed}\n\n")
            }
            _ => match api.family() {
                Family::Native => format!("{}\n", json!({ "error": text })),
                Family::OpenAi => {
                    format!("data: {}\n\ndata: [DONE]\n\n", json!({ "error": openai(&text, &look) }))
                }
                Family::Anthropic => {
                    let error = json!({
                        "type": "error",
                        "error": { "type": look.anthropic, "message": text },
                        "request_id": request_id,
                    });
                    format!("event: error\ndata: {error}\n\n")
                }
            },
        };
        Bytes::from(bytes)
    }
}

fn openai(text: &str, look: &Look) -> serde_json::Value {
    json!({ "message": text, "type": look.openai, "param": null, "code": look.code })
}

/// Whole seconds, rounded up, at least 1: what a text says.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs_f64().ceil() as u64).max(1)
}

/// `Retry-After` in whole seconds, 1..=60. Jitter only adds (up to a tenth, at least a second's chance), so the
/// promise stays true; 60 is what every official client still obeys.
fn retry_after_header(wait: Duration) -> u64 {
    let seconds = whole_seconds(wait);
    (seconds + fastrand::u64(0..=seconds / 10 + 1)).min(60)
}
