//! The issuer's endpoints: which there are, who may read them from a page, and how they misbehave when told to.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL,
    CONTENT_TYPE, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::state::{Mood, Shared};
use super::{exchange, sign_in};

pub(super) type Answer = Response<Full<Bytes>>;

/// Forms are short.
const BODY_BYTES: usize = 64 * 1024;

/// Serves a connection to its end.
pub(super) async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    // How a connection ended is the client's affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Answer {
    let (head, body) = request.into_parts();
    count(shared, head.uri.path());
    let mood = *shared.mood.borrow();
    match mood {
        Mood::Well => {}
        Mood::Stalled => {
            // Recovering releases who waits, with the right answer.
            let _ = shared.mood.subscribe().wait_for(|mood| *mood != Mood::Stalled).await;
        }
        Mood::Garbage => return text(StatusCode::OK, "application/json", "<html>not what you asked for"),
        Mood::Broken => {
            return json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "server_error"}));
        }
    }
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return json_answer(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": "invalid_request"}));
    };
    let answer = routed(&head, &body.to_bytes(), shared);
    readable_by_pages(answer, &head, shared)
}

fn count(shared: &Shared, path: &str) {
    shared.fetches.send_modify(|fetches| match path {
        "/.well-known/jwks.json" => fetches.keys += 1,
        "/.well-known/openid-configuration" => fetches.configuration += 1,
        "/userinfo" => fetches.userinfo += 1,
        _ => {}
    });
}

fn routed(head: &Parts, body: &[u8], shared: &Shared) -> Answer {
    let query = head.uri.query().unwrap_or_default();
    match (&head.method, head.uri.path()) {
        (&Method::OPTIONS, _) => text(StatusCode::NO_CONTENT, "", ""),
        (&Method::GET, "/.well-known/openid-configuration") => {
            json_answer(StatusCode::OK, &configuration(&shared.lock().url))
        }
        (&Method::GET, "/.well-known/jwks.json") => json_answer(StatusCode::OK, &shared.lock().key_set()),
        (&Method::GET, "/authorize") => sign_in::page(query),
        (&Method::POST, "/authorize") => sign_in::submit(body, shared),
        (&Method::POST, "/token") => exchange::token(body, shared),
        (&Method::GET | &Method::POST, "/userinfo") => exchange::userinfo(head, shared),
        (&Method::GET, "/logout") => sign_in::logout(query),
        (&Method::POST, "/rotate") => match shared.lock().rotate() {
            Ok(()) => text(StatusCode::NO_CONTENT, "", ""),
            Err(_) => json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "server_error"})),
        },
        _ => json_answer(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
    }
}

fn configuration(url: &str) -> Value {
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "end_session_endpoint": format!("{url}/logout"),
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
    })
}

fn readable_by_pages(mut answer: Answer, head: &Parts, shared: &Shared) -> Answer {
    let Some(origin) = head.headers.get("origin") else { return answer };
    let listed = shared.origins.is_empty() || shared.origins.iter().any(|listed| origin == listed.as_str());
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if listed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    }
    answer
}

/// A JSON answer that nobody keeps.
pub(super) fn json_answer(status: StatusCode, value: &Value) -> Answer {
    text(status, "application/json", &value.to_string())
}

/// Any answer.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !content_type.is_empty() {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    answer
}
