//! Administrators look after conversations: who talks, what was said, what is deleted, and the log of every look.
//!
//! `audit` is written before anything is shown or changed, and read; `people` and `transcripts` are the looks, `search` the
//! one across people.

pub mod audit;
mod people;

use bytes::Bytes;
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
    /// `/moderation/audit`
    Audit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Journey {
    /// Answers a route of moderation.
    pub(crate) async fn moderate(&self, look: Look, body: &Bytes, caller: &Caller) -> Result<Value, Refusal> {
        match look {
            Look::People => {
                let Nothing {} = read(body)?;
                self.shared.people(caller).await
            }
            Look::Audit => self.shared.audit_page(&read(body)?).await,
        }
    }
}
