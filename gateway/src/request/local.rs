//! Routes the gateway answers itself, from what it knows, without a queue or a GPU.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Journey;
use super::route::{Action, Route};
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::Rights;
use crate::ollama::known::unreachable_now;
use crate::ollama::names::ModelName;

impl Journey {
    /// Answers a route that needs no model. `rights` are there on every route that needs a credential.
    pub(super) fn local(
        &self,
        route: &Route,
        head: &Parts,
        rights: Option<&Rights>,
    ) -> Result<Response<Body>, Refusal> {
        let rights = || rights.ok_or(Refusal::Bug);
        Ok(match route.action {
            Action::Root => text(StatusCode::OK, "Ollama is running"),
            Action::Health => text(StatusCode::OK, "ok"),
            Action::Ready if self.shared.is_ready() => text(StatusCode::OK, "ready"),
            Action::Ready => text(StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            Action::Version => json(&json!({ "version": self.version() })),
            Action::CloudStatus => json(&json!({ "cloud": { "disabled": true, "source": "gateway" } })),
            Action::Tags => json(
                &json!({ "models": self.tags(rights()?)?.into_iter().map(|(_, tag)| tag).collect::<Vec<_>>() }),
            ),
            Action::Running => json(&json!({ "models": self.running(rights()?)? })),
            Action::OpenAiModels => {
                json(&json!({ "object": "list", "data": self.openai_models(rights()?)? }))
            }
            Action::Page => {
                let page = self.shared.page.as_ref().ok_or(Refusal::NoRoute)?;
                page.answer(route.named_segment(head.uri.path()).unwrap_or_default())?
            }
            Action::OpenAiModel => json(&self.openai_model(route, head, rights()?)?),
            Action::Ask(_)
            | Action::Translate(_)
            | Action::Converse(_)
            | Action::Keep(_)
            | Action::Fleet
            | Action::Wake
            | Action::Sleep => {
                return Err(Refusal::Bug);
            }
        })
    }

    /// The version of Ollama behind us; numeric, since Open WebUI splits it into integers.
    fn version(&self) -> String {
        self.shared.known().version.clone().unwrap_or_else(|| "0.0.0".to_owned())
    }

    fn tags(&self, rights: &Rights) -> Result<Vec<(ModelName, Value)>, Refusal> {
        let known = self.shared.known();
        if !known.reachable && known.tags.is_empty() {
            return Err(unreachable_now());
        }
        Ok(known.tags.iter().filter(|(name, _)| rights.may_use(name)).cloned().collect())
    }

    /// What is in memory; an operator sees all of it.
    fn running(&self, rights: &Rights) -> Result<Vec<Value>, Refusal> {
        let known = self.shared.known();
        let shown = known.running.iter().filter(|(name, _)| rights.operate || rights.may_use(name));
        Ok(shown.map(|(_, entry)| entry.clone()).collect())
    }

    fn openai_models(&self, rights: &Rights) -> Result<Vec<Value>, Refusal> {
        Ok(self.tags(rights)?.iter().map(|(name, tag)| openai(name, tag)).collect())
    }

    fn openai_model(&self, route: &Route, head: &Parts, rights: &Rights) -> Result<Value, Refusal> {
        let asked = route.named_segment(head.uri.path()).unwrap_or_default();
        let unknown = || Refusal::NoModel(asked.to_owned());
        let name = ModelName::parse(asked).map_err(|_| unknown())?;
        let tags = self.tags(rights)?;
        let (name, tag) = tags.iter().find(|(tag, _)| *tag == name).ok_or_else(unknown)?;
        Ok(openai(name, tag))
    }
}

fn openai(name: &ModelName, tag: &Value) -> Value {
    let modified = tag["modified_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    json!({
        "id": tag["name"].as_str().unwrap_or(name.as_str()),
        "object": "model",
        "created": modified.map_or(0, Timestamp::as_second),
        "owned_by": "library",
    })
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn json(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
