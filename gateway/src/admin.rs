//! The plain listener on loopback: `/metrics`, for the agent on this machine.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::drain::Phase;
use crate::process::Shared;

/// Answers on `listener` until the drain is over.
pub async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.drain.reached(Phase::Over) => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (asked, over) = (shared.clone(), shared.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let response = answer(&asked, request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        shared.tasks.spawn(async move {
            let mut http = http1::Builder::new();
            let serving = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                _ = serving => {}
                () = over.drain.reached_for_good(Phase::Closing) => {}
            }
        });
    }
}

fn answer(shared: &Shared, path: &str) -> Response<Full<Bytes>> {
    if path != "/metrics" {
        let mut response = Response::new(Full::from("only /metrics is here\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut response = Response::new(Full::from(shared.metrics.render(&shared.present())));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
