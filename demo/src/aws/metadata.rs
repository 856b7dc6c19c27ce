//! What an instance can ask of itself: the second version of the metadata service, with its session tokens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::Shared;
use super::group::Stage;
use crate::tasks::Tasks;

/// The one token there is; AWS's last for as long as was asked, this one for ever.
const TOKEN: &str = "fake-session-token";

/// A Spot notice comes two minutes ahead.
const NOTICE: Duration = Duration::from_secs(120);

/// Serves one instance's metadata until the fake ends.
pub(super) async fn serve(listener: TcpListener, id: String, shared: Arc<Shared>, tasks: Tasks) {
    let id: Arc<str> = id.into();
    while let Ok((stream, _)) = listener.accept().await {
        let (shared, id) = (shared.clone(), id.clone());
        tasks.spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, &id, &shared);
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(request: &Request<Incoming>, id: &str, shared: &Shared) -> Response<Full<Bytes>> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let path = request.uri().path();
    if path == "/latest/api/token" {
        let seconds = header("x-aws-ec2-metadata-token-ttl-seconds");
        let asked =
            seconds.and_then(|seconds| seconds.parse::<u32>().ok()).filter(|span| (1..=21600).contains(span));
        return match asked {
            Some(span) if request.method() == Method::PUT => {
                let mut answer = text(StatusCode::OK, TOKEN.to_owned());
                answer.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", HeaderValue::from(span));
                answer
            }
            _ => text(StatusCode::BAD_REQUEST, String::new()),
        };
    }
    if header("x-aws-ec2-metadata-token") != Some(TOKEN) {
        return text(StatusCode::UNAUTHORIZED, String::new());
    }
    match about(path, id, shared) {
        Some(told) => text(StatusCode::OK, told),
        None => text(StatusCode::NOT_FOUND, String::new()),
    }
}

/// What is known under this path: nothing, too, of an instance that is gone.
fn about(path: &str, id: &str, shared: &Shared) -> Option<String> {
    let world = shared.world();
    let instance = world.group.instances.iter().find(|instance| instance.id == id)?;
    match path.strip_prefix("/latest/meta-data/")? {
        "instance-id" => Some(id.to_owned()),
        "placement/region" => Some("eu-west-1".to_owned()),
        "placement/availability-zone" => Some("eu-west-1a".to_owned()),
        "autoscaling/target-lifecycle-state" => {
            // AWS documents the word, not the moment; the later one, when the hook opens, leaves the node less time.
            let going = matches!(instance.stage, Stage::TerminatingWait | Stage::TerminatingProceed);
            Some(if going { "Terminated" } else { "InService" }.to_owned())
        }
        "spot/instance-action" => {
            let time = world.date(instance.interrupted_at? + NOTICE);
            Some(format!(r#"{{"action":"terminate","time":"{time}"}}"#))
        }
        _ => None,
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
}
