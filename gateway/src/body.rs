//! The one body type of all our answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use tokio::sync::mpsc;

use crate::connection::clock::Serving;
use crate::request::relay::Relay;

/// What we answer with. Its last byte is the end of the request on its connection.
pub struct Body {
    kind: Kind,
    serving: Option<Serving>,
}

enum Kind {
    Full(Full<Bytes>),
    Relay(Relay),
    Written(mpsc::Receiver<Bytes>),
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

    /// A body that a task of ours is writing; it ends when the task does. Dropping it is how the task learns that nobody
    /// reads any more.
    pub fn written(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { kind: Kind::Written(pieces), serving: None }
    }

    /// Ties the end of `serving` to the last byte that is handed out. Not to that of the body: on HTTP/2 hyper keeps
    /// it for as long as a client's window is closed, which may be for ever.
    pub fn ends(mut self, serving: Serving) -> Self {
        match &mut self.kind {
            Kind::Full(_) | Kind::Written(_) => self.serving = Some(serving),
            Kind::Relay(relay) => relay.ends(serving),
        }
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        match &mut this.kind {
            Kind::Full(full) => {
                this.serving = None;
                Pin::new(full).poll_frame(cx).map_err(|never| match never {})
            }
            Kind::Relay(relay) => relay.poll_bytes(cx).map(|chunk| chunk.map(|c| c.map(Frame::data))),
            Kind::Written(pieces) => pieces.poll_recv(cx).map(|piece| {
                if piece.is_none() {
                    this.serving = None;
                }
                piece.map(|bytes| Ok(Frame::data(bytes)))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(full) => full.is_end_stream(),
            Kind::Relay(_) | Kind::Written(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(full) => full.size_hint(),
            Kind::Relay(relay) => relay.length().map_or_else(SizeHint::default, SizeHint::with_exact),
            Kind::Written(_) => SizeHint::default(),
        }
    }
}
