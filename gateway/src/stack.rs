//! The layers that every request gets, read downwards. What this product decides is in `request`.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use tower::{BoxError, Service, ServiceBuilder, service_fn};
use tower_http::body::UnsyncBoxBody;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

use crate::body::Body;
use crate::connection::serve::Connection;
use crate::error::Refusal;
use crate::ollama::dialect::Family;
use crate::request::Journey;
use crate::trust::IDENTITY;

/// Another header that carries a credential.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The body as hyper gets it: boxed once, by the panic guard.
pub type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// The service of one connection.
pub fn stack(
    journey: Arc<Journey>,
    connection: Arc<Connection>,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send + Unpin> + Clone {
    let handle = service_fn(move |request: Request<Incoming>| {
        let (journey, connection) = (journey.clone(), connection.clone());
        Box::pin(async move {
            let serving = connection.clock.serving();
            let answer = journey.handle(request, &connection).await;
            Ok::<_, Infallible>(answer.map(|body| body.ends(serving)))
        })
    });
    ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION, API_KEY, IDENTITY])) // no Debug print shows a credential
        .layer(CatchPanicLayer::custom(after_panic)) // a bug costs one request, never the process
        .service(handle)
}

/// The answer to a request whose handling panicked. Its log event and its permits are gone with its future, each by
/// its own `Drop`.
fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    Refusal::Bug.into_response(Family::Native, "")
}
