//! When an answer's head goes out: with the answer, or, for a stream that is long in coming, before it.
//!
//! Up to then every failure has a status of its own; from then on it is an error within the stream.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use tokio::time::timeout;

use super::Journey;
use super::account::Account;
use super::forward::Begun;
use super::inspect::{Ask, Kind};
use super::limit::{Pass, Reservation};
use super::relay::{Awaited, Passage, Relay, Traits};
use crate::body::Body;
use crate::connection::serve::Connection;
use crate::drain::leaving;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::identity::Principal;
use crate::ollama::dialect::{Api, Family};

const QUEUE_WAIT: HeaderName = HeaderName::from_static("x-queue-wait-ms");
const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// Tells nginx and its like not to gather tokens into bursts.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What is known of a request while its answer is awaited, and what it holds.
pub(super) struct Committing {
    api: Api,
    kind: Kind,
    stream: bool,
    forwarded: bool,
    traits: Traits,
    pass: Option<Pass>,
    reservation: Option<Reservation>,
}

impl Committing {
    pub(super) fn new(
        ask: &Ask,
        caller: &Caller,
        pass: Option<Pass>,
        reservation: Option<Reservation>,
    ) -> Self {
        let forwarded = caller.forwarded.is_some();
        let traits = Traits::of(ask, forwarded);
        Self { api: ask.api, kind: ask.kind, stream: ask.stream, forwarded, traits, pass, reservation }
    }
}

impl Journey {
    /// Waits for the answer to begin, at most as long as its head may be held back, and relays it.
    pub(super) async fn commit(
        &self,
        mut awaited: Awaited,
        request: Committing,
        account: &mut Account,
        connection: &Arc<Connection>,
    ) -> Result<Response<Body>, Refusal> {
        let Committing { api, kind, stream, forwarded, traits, pass, reservation } = request;
        let caller = account.caller.clone();
        let begun = tokio::select! {
            begun = timeout(self.patience(stream, forwarded, kind), &mut awaited) => begun,
            () = self.shut_out(caller.as_ref()) => return Err(Refusal::Denied),
            () = self.shared.drain.ending() => return Err(leaving()),
        };
        let mut response = match &begun {
            Ok(Ok(begun)) => self.head_of(begun, stream, api),
            Err(_) if stream && !forwarded => stream_head(api),
            Err(_) => {
                let refusal = self.too_late();
                if let (Refusal::StillWaking(_), Some(reservation)) = (&refusal, reservation) {
                    reservation.settle(0); // nothing was begun
                }
                return Err(refusal);
            }
            Ok(Err(refusal)) => {
                reservation.into_iter().for_each(|reservation| reservation.settle(0)); // it cost nothing
                return Err(refusal.clone());
            }
        };
        account.status = response.status().as_u16();
        let passage = Passage { account: account.hand_over(), pass, reservation, serving: None };
        let (pace, rules) = (self.shared.pace.clone(), self.shared.rules);
        let relay = match begun {
            Ok(Ok(begun)) => Relay::begun(begun, traits, passage, pace, rules),
            // Time has won: the 200 goes out, the body goes on polling that same future.
            _ => Relay::awaiting(awaited, traits, passage, pace, rules, self.shared.wake.clone()),
        };
        let clock = (!connection.h2).then(|| connection.clock.clone());
        *response.body_mut() = Body::relay(relay.watched(&self.core.sweeper, clock, &self.shared));
        Ok(response)
    }

    /// Returns when the caller is shut out while the answer is awaited.
    async fn shut_out(&self, caller: Option<&Principal>) {
        match caller {
            Some(caller) => self.shared.denials.shut_out(caller).await,
            None => std::future::pending().await,
        }
    }

    /// What a caller is told whose answer in one piece did not come in time.
    fn too_late(&self) -> Refusal {
        let until_ready = self.shared.wake.until_ready();
        if until_ready.is_zero() { too_late() } else { Refusal::StillWaking(until_ready) }
    }

    /// How long the head may be held back. The first hop keeps its client alive, and puts back what is refused before
    /// the first byte: it gets no head before there is an answer.
    fn patience(&self, stream: bool, forwarded: bool, kind: Kind) -> Duration {
        match (stream, kind) {
            (true, _) if forwarded => self.shared.config.limits.stream_seconds,
            (true, _) => self.shared.config.queue.keepalive_after_seconds,
            (false, Kind::Pull) => self.shared.config.limits.stream_seconds,
            (false, _) => self.shared.config.limits.answer_seconds,
        }
    }

    fn head_of(&self, begun: &Begun, stream: bool, api: Api) -> Response<Body> {
        let mut response = if stream { stream_head(api) } else { Response::new(Body::full("")) };
        let headers = response.headers_mut();
        if !stream && let Some(kind) = &begun.answer.content_type {
            let kind = HeaderValue::from_maybe_shared(kind.clone());
            headers.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/json")));
        }
        headers.insert(QUEUE_WAIT, HeaderValue::from(begun.waited.as_millis() as u64));
        let node = begun.by.as_ref().map_or(&self.shared.config.fleet.node, |peer| &peer.view.node);
        if let Ok(node) = HeaderValue::from_str(node) {
            headers.insert(SERVED_BY, node);
        }
        response
    }
}

/// The head of a stream: one kind per family, never cached, gathered or transformed on its way.
fn stream_head(api: Api) -> Response<Body> {
    let kind = match api.family() {
        Family::Native => "application/x-ndjson",
        Family::OpenAi | Family::Anthropic => "text/event-stream",
    };
    let mut response = Response::new(Body::full(""));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

fn too_late() -> Refusal {
    Refusal::TooLate(
        "the answer was not complete in time; stream it (`\"stream\": true`), or ask for less".to_owned(),
    )
}
