//! Administrators look after conversations: who talks, what was said, what is deleted, and the log of every look.
//!
//! `audit` is written before anything is shown or changed, and read; `people`, `transcripts` and `search` are the looks.

pub mod audit;
mod people;
mod transcripts;
mod search;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::error::Refusal;
use crate::identity::Caller;
use crate::request::Journey;
use crate::request::books::read;

/// What an administrator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// `/moderation/people`
    People,
    /// `/moderation/conversations`
    Conversations,
    /// `/moderation/conversation`: shown, or deleted.
    Conversation,
    /// `/moderation/search`
    Search,
    /// `/moderation/audit`
    Audit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Journey {
    /// Answers a route of moderation.
    pub(crate) async fn moderate(
        &self,
        look: Look,
        method: &Method,
        body: &Bytes,
        caller: &Caller,
    ) -> Result<Value, Refusal> {
        match look {
            Look::People => {
                let Nothing {} = read(body)?;
                self.shared.people(caller).await
            }
            Look::Conversations => self.shared.list_of(caller, &read(body)?).await,
            Look::Conversation if method == Method::DELETE => {
                self.shared.remove_of(caller, &read(body)?).await
            }
            Look::Conversation => self.shared.view_of(caller, &read(body)?).await,
            Look::Search => self.shared.search(caller, &read(body)?).await,
            Look::Audit => self.shared.audit_page(&read(body)?).await,
        }
    }
}
