//! The fake's requests: `/bot<token>/<method>` in every form that Telegram takes (core.telegram.org/bots/api#making-requests),
//! and `/control/...` for whoever plays the people.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::api::{Answered, Ask, Refused, call, scripted};
use super::{Shared, control};
use crate::tasks::Tasks;

/// A file of the largest kind, and then some: the fake refuses it by its size, not by its body's.
const BODY_BYTES: usize = 60_000_000;

/// The connection breaks without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost, as scripted")]
struct Cut;

/// Serves the port until the fake ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, tasks: Tasks) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tasks.spawn(async move {
            let service = service_fn(|request| {
                let shared = shared.clone();
                async move { answer(request, &shared).await }
            });
            // An error here is a client that left, or a connection that a failure broke.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return Ok(told(Err(Refused::new(413, "Request Entity Too Large"))));
    };
    let (path, body) = (head.uri.path().to_owned(), body.to_bytes());
    if let Some(what) = path.strip_prefix("/control/") {
        return Ok(json_answer(StatusCode::OK, &control::answer(what, &body, shared)));
    }
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return Ok(told(Err(Refused::new(404, "Not Found"))));
    };
    if token != shared.token {
        // One that looks like a token is unknown; one that does not is no address at all.
        let looks_right = token.split_once(':').is_some_and(|(number, _)| number.parse::<u64>().is_ok());
        let refused =
            if looks_right { Refused::new(401, "Unauthorized") } else { Refused::new(404, "Not Found") };
        return Ok(told(Err(refused)));
    }
    let content_type =
        head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ask = match read(content_type, body, head.uri.query().unwrap_or_default()).await {
        Ok(ask) => ask,
        Err(refused) => return Ok(told(Err(refused))),
    };
    match scripted(method, &ask, shared) {
        Ok(false) => Ok(told(call(method, ask, shared).await)),
        Ok(true) => {
            drop(call(method, ask, shared).await);
            Err(Cut)
        }
        Err(refused) => Ok(told(Err(refused))),
    }
}

async fn read(content_type: &str, body: Bytes, query: &str) -> Result<Ask, Refused> {
    let text = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        (name.into_owned(), Value::String(value.into_owned()))
    };
    let mut ask =
        Ask { fields: url::form_urlencoded::parse(query.as_bytes()).map(text).collect(), files: Vec::new() };
    if content_type.starts_with("application/json") {
        let fields: Map<String, Value> =
            serde_json::from_slice(&body).map_err(|_| Refused::bad("can't parse JSON"))?;
        ask.fields.extend(fields);
    } else if content_type.starts_with("multipart/form-data") {
        parts(content_type, body, &mut ask).await.map_err(|_| Refused::bad("can't parse the form"))?;
    } else {
        ask.fields.extend(url::form_urlencoded::parse(&body).map(text));
    }
    Ok(ask)
}

async fn parts(content_type: &str, body: Bytes, ask: &mut Ask) -> Result<(), multer::Error> {
    let boundary = multer::parse_boundary(content_type)?;
    let whole = Full::new(body);
    let mut form = multer::Multipart::new(http_body_util::BodyDataStream::new(whole), boundary);
    while let Some(part) = form.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        match part.file_name().map(str::to_owned) {
            Some(file) => ask.files.push((name, file, part.bytes().await?)),
            None => {
                let value = part.text().await?;
                ask.fields.insert(name, value.into());
            }
        }
    }
    Ok(())
}

fn told(answered: Answered) -> Response<Full<Bytes>> {
    match answered {
        Ok(result) => json_answer(StatusCode::OK, &json!({ "ok": true, "result": result })),
        Err(Refused { status, description, retry_after }) => {
            let mut body = json!({ "ok": false, "error_code": status, "description": description });
            if let Some(seconds) = retry_after {
                body["parameters"] = json!({ "retry_after": seconds });
            }
            json_answer(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &body)
        }
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
