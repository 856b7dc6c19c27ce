//! The query protocol: a form in, XML out; and the failures a test has asked for.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::group::Refused;
use super::{Shared, autoscaling, elb};
use crate::tasks::Tasks;

/// Forms are short.
const BODY_BYTES: usize = 64 * 1024;

/// What a scripted call does instead of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Answers with this status and code. Nothing is done.
    Refuse(u16, String),
    /// Does its work and then breaks the connection: the answer is lost.
    Lost,
    /// Never answers. Nothing is done.
    Stall,
}

/// A call, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its action.
    pub action: String,
    /// Its parameters, without action and version.
    pub form: Vec<(String, String)>,
}

impl Call {
    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| Refused::invalid(format!("{name} is missing")))
    }

    /// The parameters of a list: `Name.member.1`, `Name.member.2`, and so on.
    pub(super) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        (1..).map_while(move |at| self.get(&format!("{name}.member.{at}")))
    }
}

/// What an action answers: the inside of its result element.
pub(super) type Answered = Result<String, Refused>;

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

/// The connection breaks without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost, as scripted")]
struct Cut;

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, Cut> {
    let body = Limited::new(request.into_body(), BODY_BYTES).collect().await.map_err(|_| Cut)?.to_bytes();
    let call = parsed(&body);
    let failure = {
        let mut world = shared.world();
        world.calls.push(call.clone());
        let scripted = world.script.iter().position(|(action, _)| *action == call.action);
        scripted.map(|at| world.script.remove(at).1)
    };
    match failure {
        Some(Failure::Refuse(status, code)) => Ok(error(status, &code, "as scripted")),
        Some(Failure::Stall) => std::future::pending().await,
        Some(Failure::Lost) => {
            drop(act(&call, shared));
            Err(Cut)
        }
        None => Ok(match act(&call, shared) {
            Ok(result) => {
                let action = &call.action;
                xml(
                    200,
                    format!(
                        "<{action}Response><{action}Result>{result}</{action}Result>{META}</{action}Response>"
                    ),
                )
            }
            Err(Refused(code, message)) => error(400, code, &message),
        }),
    }
}

const META: &str = "<ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata>";

fn parsed(body: &[u8]) -> Call {
    let form = url::form_urlencoded::parse(body).into_owned();
    let (named, form): (Vec<_>, Vec<_>) = form.partition(|(key, _)| key == "Action" || key == "Version");
    let action = named.into_iter().find(|(key, _)| key == "Action").map(|(_, action)| action);
    Call { action: action.unwrap_or_default(), form }
}

fn act(call: &Call, shared: &Shared) -> Answered {
    let mut world = shared.world();
    let answered = autoscaling::act(call, &mut world).or_else(|| elb::act(call, &mut world));
    world.judge();
    answered.unwrap_or_else(|| {
        Err(Refused("InvalidAction", format!("The fake does not know the action {}.", call.action)))
    })
}

fn error(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let what = format!("<Type>Sender</Type>{}{}", tag("Code", code), tag("Message", message));
    xml(status, format!("<ErrorResponse><Error>{what}</Error><RequestId>fake</RequestId></ErrorResponse>"))
}

fn xml(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    answer
}

/// An element with text.
pub(super) fn tag(name: &str, text: impl ToString) -> String {
    let text = text.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{text}</{name}>")
}

/// An element with members.
pub(super) fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: String = members.into_iter().map(|inside| format!("<member>{inside}</member>")).collect();
    format!("<{name}>{members}</{name}>")
}
