//! The one body type of all our answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;

use crate::connection::clock::Serving;
use crate::request::relay::Relay;

/// What we answer with. Its end is the end of the request on its connection.
pub struct Body {
    kind: Kind,
    serving: Option<Serving>,
}

enum Kind {
    Full(Full<Bytes>),
    Relay(Relay),
}

/// The answer cannot be finished; the connection or stream ends visibly cut.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut")]
pub struct Cut;

impl Body {
    /// A whole body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Full(Full::new(bytes.into())), serving: None }
    }

    /// A body that Ollama is still writing.
    pub fn relay(relay: Relay) -> Self {
        Self { kind: Kind::Relay(relay), serving: None }
    }

    /// Ties the end of `serving` to the end of this body.
    pub fn ends(mut self, serving: Serving) -> Self {
        self.serving = Some(serving);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.get_mut().kind {
            Kind::Full(full) => Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Kind::Relay(relay) => relay.poll_bytes(cx).map(|chunk| chunk.map(|c| c.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(full) => full.is_end_stream(),
            Kind::Relay(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(full) => full.size_hint(),
            Kind::Relay(relay) => relay.length().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
