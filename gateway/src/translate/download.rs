//! `GET /download_file/{file}`: a translated file, from this process or from the one that made it.
//!
//! A load balancer sends who fetches to any gateway of the fleet. The name of the file ends with the node that has it, and
//! that one is asked over the same pinned connection, and with the same proof of who asks, as for an inference.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::request::Parts as Head;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::Task;
use super::kept::KeptFile;
use crate::body::Body;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::Outgoing;
use crate::request::Journey;
use crate::request::account::Account;
use crate::request::receive::receive;
use crate::request::route::Route;
use crate::trust::Errand;

/// Bytes of a request for a file by another gateway.
const REQUEST: u64 = 1 << 10;
/// How long another gateway may take to hand a file over.
const HAND_OVER: Duration = Duration::from_secs(60);
/// Hexadecimal digits of an id.
const DIGITS: usize = 32;
const NO_SNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// What another gateway asks for.
#[derive(Serialize, Deserialize)]
struct Wanted {
    id: String,
}

impl Journey {
    pub(super) async fn download(
        &self,
        head: &Head,
        body: Incoming,
        route: &'static Route,
        task: Task,
        account: &mut Account,
    ) -> Result<Response<Body>, Refusal> {
        let caller = self.authenticate(head, route, &account.id).await?;
        account.caller = Some(caller.principal.clone());
        account.forwarded_by = caller.forwarded.as_ref().map(|forwarded| forwarded.by.clone());
        let _pass = self.limit(&caller)?;
        let limits = &self.shared.config.limits;
        let (bytes, _hold) = receive(&head.headers, body, REQUEST, limits, &self.shared.bodies).await?;
        caller.sends(&bytes)?;
        if task == Task::Handover {
            let wanted: Wanted = serde_json::from_slice(&bytes)
                .map_err(|_| Refusal::Invalid("the `id` of a file is wanted, as JSON".to_owned()))?;
            let file = self.shared.translated.get(&caller.principal, &wanted.id).ok_or_else(gone)?;
            return Ok(account.answered(as_response(file)));
        }
        let name = route.named_segment(head.uri.path()).unwrap_or_default();
        let (id, node) = name.split_at_checked(DIGITS).ok_or_else(gone)?;
        let node = node.strip_prefix('-').unwrap_or_default();
        if let Some(file) = self.shared.translated.get(&caller.principal, id) {
            return Ok(account.answered(as_response(file)));
        }
        let response = timeout(HAND_OVER, self.fetch(&caller, id, node, &account.id)).await;
        Ok(account.answered(response.unwrap_or_else(|_| Err(gone()))?))
    }

    /// The file at the node that made it.
    async fn fetch(
        &self,
        caller: &Caller,
        id: &str,
        node: &str,
        request: &str,
    ) -> Result<Response<Body>, Refusal> {
        let peers = self.shared.roster.peers();
        let peer = peers.iter().find(|peer| peer.view.node == node).ok_or_else(gone)?;
        let upstream = peer.upstream.as_ref().ok_or_else(gone)?;
        let body = Bytes::from(serde_json::to_vec(&Wanted { id: id.to_owned() }).map_err(|_| Refusal::Bug)?);
        let (method, path) = ("POST", "/fleet/file");
        let errand = Errand {
            principal: &caller.principal,
            rights: &caller.rights,
            model: None,
            method,
            path,
            body: &body,
            request_id: request,
            waited: Duration::ZERO,
        };
        let headers = self.shared.trust.vouch(node, &errand).map_err(|error| {
            tracing::error!(%error, node, "a file cannot be asked for");
            Refusal::Bug
        })?;
        let outgoing = Outgoing { method, path, body: Some(body), headers };
        let mut answer = self.core.client.send(upstream, &outgoing).await.map_err(|_| gone())?;
        if answer.status != StatusCode::OK {
            return Err(gone());
        }
        let kind = answer.content_type.take();
        let most =
            usize::try_from(self.shared.config.translate.file_bytes).unwrap_or(usize::MAX).saturating_mul(4);
        let bytes = answer.body.collect(most).await.map_err(|_| gone())?;
        let mut response = Response::new(Body::full(bytes));
        let kind = kind.and_then(|kind| HeaderValue::from_maybe_shared(kind).ok());
        dress(&mut response, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")), "");
        Ok(response)
    }
}

fn as_response(file: KeptFile) -> Response<Body> {
    let mut response = Response::new(Body::full(file.bytes));
    dress(&mut response, HeaderValue::from_static(file.kind), &file.name);
    response
}

/// A file is saved, never shown: what is in it would run in the name of this site.
fn dress(response: &mut Response<Body>, kind: HeaderValue, name: &str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_SNIFF, HeaderValue::from_static("nosniff"));
    let ascii = name.is_ascii() && !name.is_empty();
    let disposition =
        if ascii { format!("attachment; filename=\"{name}\"") } else { "attachment".to_owned() };
    let disposition = HeaderValue::from_str(&disposition);
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
}

fn gone() -> Refusal {
    Refusal::NoFile
}
