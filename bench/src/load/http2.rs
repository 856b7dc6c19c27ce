//! HTTP/2: one connection that several lanes share.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::Fault;
use super::http1::{connect, secure};
use super::prompt::Prompt;
use super::tally::Tally;
use crate::proxy::Target;

/// Windows so large that they never hold a stream back.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// One lane of a connection; the connection closes with its last lane.
#[derive(Clone)]
pub struct Http2 {
    sender: SendRequest<Bytes>,
    _driver: Arc<JoinSet<()>>,
}

impl Http2 {
    /// Opens a connection.
    ///
    /// # Errors
    /// A failed handshake.
    pub async fn open(target: &Target, tls: &TlsConnector) -> Result<Self, Fault> {
        let opening = async {
            let wire = secure(connect(target, None).await?, tls).await?;
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
            let (sender, connection) = builder.handshake(wire).await.map_err(io::Error::other)?;
            let mut driver = JoinSet::new();
            driver.spawn(async move {
                let _ = connection.await; // what breaks here is seen by every lane
            });
            Ok(Self { sender, _driver: Arc::new(driver) })
        };
        opening.await.map_err(|error: io::Error| Fault::failed("connecting", error))
    }

    /// Sends a request and waits for its 200.
    ///
    /// # Errors
    /// Another status, or a broken connection.
    pub async fn ask(&mut self, prompt: &Prompt) -> Result<RecvStream, Fault> {
        let request = Request::post("https://localhost/api/chat")
            .header("authorization", &prompt.authorization)
            .header("content-type", "application/json")
            .header("content-length", prompt.body.len())
            .body(())
            .map_err(|error| Fault::failed("the request", error))?;
        let failed = |error: h2::Error| Fault::failed("sending", error);
        let mut sender = self.sender.clone().ready().await.map_err(failed)?;
        let (answer, mut body) = sender.send_request(request, false).map_err(failed)?;
        body.send_data(prompt.body.clone(), true).map_err(failed)?;
        let answer = answer.await.map_err(|error| Fault::failed("waiting", error))?;
        if answer.status() != 200 {
            return Err(Fault::failed("answered", answer.status()));
        }
        Ok(answer.into_body())
    }
}

/// Reads once and shows the payload to `tally`; false at the end of the body.
///
/// # Errors
/// A stream that breaks off.
pub async fn some(body: &mut RecvStream, tally: &mut Tally) -> Result<bool, Fault> {
    let Some(data) = body.data().await else { return Ok(false) };
    let data = data.map_err(Fault::short)?;
    tally.take(&data);
    body.flow_control().release_capacity(data.len()).map_err(Fault::short)?;
    Ok(true)
}
