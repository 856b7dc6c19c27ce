//! Where a place is: the local Ollama, or another node, which has to be told for whom it works.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::inspect::Ask;
use super::queue::UpstreamId;
use super::route::Route;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::client::{Outgoing, Upstream};
use crate::ollama::models::Keeper;
use crate::ollama::names::ModelName;
use crate::ollama::plain_words;
use crate::peers::Peer;
use crate::process::Shared;
use crate::trust::Errand;

/// Where a request is sent.
#[derive(Clone)]
pub enum Destination {
    /// To the local Ollama.
    Here(Arc<Keeper>),
    /// To another node.
    Peer(Arc<Peer>),
}

/// What is sent, whose it is, and its id.
#[derive(Clone, Copy)]
pub struct Errands<'a> {
    /// What is sent.
    pub ask: &'a Ask,
    /// Whose it is.
    pub caller: &'a Caller,
    /// The request's id.
    pub id: &'a str,
}

impl Destination {
    /// The destination of a place; `None` where that is gone.
    pub fn of(id: UpstreamId, shared: &Shared) -> Option<Self> {
        if id.is_local() {
            return shared.keeper().ok().cloned().map(Self::Here);
        }
        shared.roster.peer(id).map(Self::Peer)
    }

    /// Is it the local Ollama?
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    /// The other node, where it is one.
    pub fn peer(&self) -> Option<&Arc<Peer>> {
        match self {
            Self::Here(_) => None,
            Self::Peer(peer) => Some(peer),
        }
    }

    /// Where it listens; `None` for a node that does not say.
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Here(keeper) => Some(keeper.upstream()),
            Self::Peer(peer) => peer.upstream.as_ref(),
        }
    }

    /// It broke, or cannot be reached: nothing more is granted there before it was seen again.
    pub fn broke(&self, shared: &Shared) {
        match self {
            Self::Here(keeper) => keeper.broke(),
            Self::Peer(peer) => shared.places.failed(peer),
        }
    }

    /// It does not have the model after all; is there another that may?
    pub fn lacks(&self, shared: &Shared, model: &ModelName) -> bool {
        match self {
            Self::Here(_) => false,
            Self::Peer(peer) => shared.places.lacks(peer, model),
        }
    }

    /// The request as it is sent there. `waited`: in the queue here.
    ///
    /// # Errors
    /// Where no token can be made for it, which is logged here.
    pub fn outgoing(
        &self,
        shared: &Shared,
        errands: Errands<'_>,
        waited: Duration,
    ) -> Result<Outgoing, Refusal> {
        let Errands { ask, caller, id } = errands;
        let route = Route::asking(ask.api).ok_or(Refusal::Bug)?;
        let (method, path) = (route.methods, route.path);
        let headers = match self {
            Self::Here(_) => Vec::new(),
            Self::Peer(peer) => {
                let errand = Errand {
                    principal: &caller.principal,
                    rights: &caller.rights,
                    model: Some(&ask.model),
                    method,
                    path,
                    body: &ask.body,
                    request_id: id,
                    // While it was held for a node to wake, the time that it may wait did not run.
                    waited: waited.min(shared.queue.ready_for()),
                };
                shared.trust.vouch(&peer.view.node, &errand).map_err(|error| {
                    tracing::error!(%error, node = peer.view.node, "a request cannot be forwarded");
                    Refusal::Bug
                })?
            }
        };
        Ok(Outgoing { method, path, body: Some(ask.body.clone()), headers })
    }

    /// What an error answer means to the caller.
    pub fn refusal(&self, status: StatusCode, body: &[u8]) -> Refusal {
        let text = match self {
            Self::Here(_) => None,
            Self::Peer(_) => plain_words::of_error(body),
        };
        // A node's error is one of ours already, or an Ollama's that was put into plain words.
        match (text, status) {
            (Some(text), StatusCode::GATEWAY_TIMEOUT) => Refusal::TooLate(text),
            (Some(text), StatusCode::BAD_GATEWAY) => Refusal::Upstream { text, worked: true },
            _ => plain_words::refusal(status, body),
        }
    }
}

/// Does this status of another node say that it has not taken the request? 401: it does not know this process yet.
pub fn has_not_taken(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::SERVICE_UNAVAILABLE)
}
