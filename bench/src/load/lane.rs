//! A lane: one request after another, over either protocol.

use tokio_rustls::TlsConnector;

use super::Fault;
use super::decode::Body;
use super::http1::Http1;
use super::http2::{self, Http2};
use super::prompt::Prompt;
use super::tally::Tally;
use super::tls::{Protocol, connector};
use crate::proxy::Target;

/// Lanes that share one HTTP/2 connection.
const LANES_EACH: usize = 10;

/// One client.
pub enum Lane {
    /// A connection of its own.
    One(Http1),
    /// Part of a shared one.
    Two(Http2),
}

/// An answer being read.
pub enum Answer {
    /// How far it has been read.
    One(Body),
    /// Its stream.
    Two(h2::RecvStream),
}

/// How lanes reach a target.
pub fn tls_of(target: &Target, protocol: Protocol) -> Result<Option<TlsConnector>, Fault> {
    let connector = target.root.clone().map(|root| connector(root, protocol)).transpose();
    connector.map_err(|error| Fault::failed("the certificate", error))
}

impl Lane {
    /// Opens `count` lanes to `target`.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub async fn open(target: &Target, protocol: Protocol, count: usize) -> Result<Vec<Self>, Fault> {
        let tls = tls_of(target, protocol)?;
        let mut lanes = Vec::with_capacity(count);
        while lanes.len() < count {
            match (protocol, &tls) {
                (Protocol::Two, Some(tls)) => {
                    let shared = Http2::open(target, tls).await?;
                    let more = LANES_EACH.min(count - lanes.len());
                    lanes.extend((0..more).map(|_| Self::Two(shared.clone())));
                }
                _ => lanes.push(Self::One(Http1::open(target, tls.as_ref(), None).await?)),
            }
        }
        Ok(lanes)
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// Anything but a 200.
    pub async fn begin(&mut self, prompt: &Prompt) -> Result<Answer, Fault> {
        match self {
            Self::One(lane) => {
                lane.send(prompt).await?;
                lane.head().await.map(Answer::One)
            }
            Self::Two(lane) => lane.ask(prompt).await.map(Answer::Two),
        }
    }

    /// Reads once; false at the end.
    ///
    /// # Errors
    /// An answer that breaks off.
    pub async fn some(&mut self, answer: &mut Answer, tally: &mut Tally) -> Result<bool, Fault> {
        match (self, answer) {
            (Self::One(lane), Answer::One(body)) => lane.some(body, tally).await,
            (_, Answer::Two(body)) => http2::some(body, tally).await,
            (Self::Two(_), Answer::One(_)) => Ok(false),
        }
    }
}
