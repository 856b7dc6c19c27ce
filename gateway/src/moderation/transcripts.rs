//! A person's conversations as a moderator sees them: the list, one of them with what was said, and its deletion. The same
//! as the person sees.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::audit::Act;
use crate::conversations::query::{Cursor, MOST_LISTED, MOST_SHOWN, Part, USUAL, Wanted, before, search};
use crate::conversations::shapes::is_id;
use crate::conversations::shelf;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::process::Shared;

/// Bytes of a principal at most: a key of the table may have 2048, and some of them say what it is.
const LONGEST_PRINCIPAL: usize = 2000;

/// A part of somebody's list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    principal: String,
    #[serde(default)]
    search: Option<String>,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// A part of one conversation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct View {
    principal: String,
    id: String,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// A conversation that is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    principal: String,
    id: String,
}

impl Shared {
    /// A page of a person's conversations, the newest first.
    pub(super) async fn list_of(&self, caller: &Caller, list: &List) -> Result<Value, Refusal> {
        let principal = person(&list.principal)?;
        let wanted = Wanted {
            search: list.search.as_deref().map(search).transpose()?.flatten(),
            before: list.before.as_deref().map(Cursor::read).transpose()?,
            limit: limit(list.limit, MOST_LISTED)?,
        };
        let detail = if wanted.search.is_some() { "searched in titles" } else { "" };
        self.note(&caller.principal, Act { action: "list", principal, detail, ..Act::default() }).await?;
        shelf::list(self, principal, &wanted).await
    }

    /// A conversation and a page of its messages.
    pub(super) async fn view_of(&self, caller: &Caller, view: &View) -> Result<Value, Refusal> {
        let (principal, id) = (person(&view.principal)?, conversation(&view.id)?);
        let part = Part {
            before: view.before.as_deref().map(before).transpose()?,
            limit: limit(view.limit, MOST_SHOWN)?,
        };
        let detail = if part.before.is_some() { "earlier messages" } else { "" };
        let act = Act { action: "view", principal, conversation: id, detail };
        self.note(&caller.principal, act).await?;
        shelf::view(self, principal, id, part).await
    }

    /// Deletes a conversation, with all that was said in it.
    pub(super) async fn remove_of(
        self: &Arc<Self>,
        caller: &Caller,
        removal: &Removal,
    ) -> Result<Value, Refusal> {
        let (principal, id) = (person(&removal.principal)?, conversation(&removal.id)?);
        let act = Act { action: "delete", principal, conversation: id, ..Act::default() };
        self.note(&caller.principal, act).await?;
        shelf::remove(self, principal, id).await?;
        Ok(json!({ "deleted": true }))
    }
}

/// Also one of an issuer that is configured no more: what they said is still there.
pub(super) fn person(principal: &str) -> Result<&str, Refusal> {
    if (1..=LONGEST_PRINCIPAL).contains(&principal.len()) && !principal.contains(char::is_control) {
        return Ok(principal);
    }
    Err(Refusal::Invalid("`principal` must be one that POST /moderation/people lists".to_owned()))
}

fn conversation(id: &str) -> Result<&str, Refusal> {
    let wrong = || Refusal::Invalid("`id` must be one that POST /moderation/conversations lists".to_owned());
    is_id(id).then_some(id).ok_or_else(wrong)
}

fn limit(wanted: Option<usize>, most: usize) -> Result<usize, Refusal> {
    let limit = wanted.unwrap_or(USUAL);
    let wrong = || Refusal::Invalid(format!("`limit` must be a number between 1 and {most}"));
    (1..=most).contains(&limit).then_some(limit).ok_or_else(wrong)
}
