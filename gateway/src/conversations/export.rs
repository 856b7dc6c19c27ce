//! Everything of one person as one file, written while it is read: nothing of it is ever whole in memory but one
//! conversation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fleet::store::Conversation;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::clock::unix_now;
use super::shapes;
use super::store::{bounded, failed};
use super::transcript;
use crate::body::Body;
use crate::error::Refusal;
use crate::process::Shared;
use crate::request::account::{Account, Outcome};
use crate::request::limit::Pass;

/// Pieces that may wait for a slow reader.
const AHEAD: usize = 4;

/// A person's export, as it is being written.
struct Export {
    shared: Arc<Shared>,
    principal: String,
    reader: mpsc::Sender<Bytes>,
    patience: Duration,
}

/// Why an export ends early.
enum Ended {
    /// Nobody reads it any more.
    Unread,
    /// It cannot be read.
    Failed(Refusal),
}

/// The answer with the export of this principal, written by a task that has the caller's place meanwhile.
///
/// # Errors
/// 503 where not even the list can be read.
pub(super) async fn export(
    shared: &Arc<Shared>,
    principal: &str,
    pass: Option<Pass>,
    account: &mut Account,
) -> Result<Response<Body>, Refusal> {
    let all = bounded(shared.store.conversations(principal)).await.map_err(failed)?;
    let (reader, pieces) = mpsc::channel(AHEAD);
    let export = Export {
        shared: shared.clone(),
        principal: principal.to_owned(),
        reader,
        patience: shared.config.limits.write_stall_seconds,
    };
    let mut response = Response::new(Body::written(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = HeaderValue::from_static("attachment; filename=\"conversations.json\"");
    headers.insert(CONTENT_DISPOSITION, name);
    account.status = 200;
    let mut account = account.hand_over();
    shared.tasks.spawn(async move {
        let _pass = pass;
        match export.write(all).await {
            Ok(()) => account.outcome = Outcome::Answered,
            Err(Ended::Failed(refusal)) => account.refused(&refusal),
            Err(Ended::Unread) => {} // the account says that its client left
        }
        drop(account);
    });
    Ok(response)
}

impl Export {
    /// Writes the file. One that could not be finished says so at its end, and is still JSON.
    async fn write(&self, all: Vec<Conversation>) -> Result<(), Ended> {
        let (time, principal) = (unix_now(), json!(self.principal));
        self.say(format!("{{\"exported\":{time},\"principal\":{principal},\"conversations\":[")).await?;
        let mut first = true;
        let mut written = Ok(());
        for conversation in &all {
            written = self.conversation(conversation, &mut first).await;
            if written.is_err() {
                break;
            }
        }
        let end = match &written {
            Ok(()) => "],\"complete\":true}\n".to_owned(),
            Err(Ended::Failed(refusal)) => {
                format!("],\"complete\":false,\"error\":{}}}\n", json!(refusal.to_string()))
            }
            Err(Ended::Unread) => return written,
        };
        self.say(end).await?;
        written
    }

    async fn conversation(&self, listed: &Conversation, first: &mut bool) -> Result<(), Ended> {
        let read = async {
            let store = &self.shared.store;
            // As it is now, if it is still there: the list is a moment old, and lists may lag.
            let there = bounded(store.conversation(&listed.principal, &listed.id)).await.map_err(failed)?;
            let Some(there) = there else { return Ok(None) };
            let busy = bounded(store.pen(&there.principal, &there.id, unix_now())).await.map_err(failed)?;
            let busy = busy.is_some();
            let mut shown = shapes::whole(&there, busy);
            let messages = transcript::whole(&self.shared, &there).await?;
            shown["transcript"] = messages.iter().map(|message| shapes::message(message, busy)).collect();
            Ok(Some(shown))
        };
        let Some(shown) = read.await.map_err(Ended::Failed)? else { return Ok(()) };
        let comma = if std::mem::replace(first, false) { "" } else { "," };
        self.say(format!("{comma}\n{shown}")).await
    }

    async fn say(&self, text: String) -> Result<(), Ended> {
        let sent = timeout(self.patience, self.reader.send(Bytes::from(text))).await;
        sent.map_err(|_| Ended::Unread)?.map_err(|_| Ended::Unread)
    }
}
