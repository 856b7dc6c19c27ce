//! The search in what was said, of one person or of all, where the configuration allows it: in the table and the archive,
//! bounded in conversations and in time, so that it says whether it is complete.

mod needle;

use std::time::Duration;

use fleet::store::{Conversation, Message};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use self::needle::Needle;
use super::audit::Act;
use super::transcripts::person;
use crate::conversations::{shapes, transcript};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::process::Shared;
use crate::request::books::failed;

/// How long one search may take: browsers and proxies wait a minute, and nobody looks at an empty page for longer.
const LONGEST: Duration = Duration::from_secs(30);
/// Conversations that one search looks at. Each is some kilobytes of the table, or an object of the archive.
const MOST_CONVERSATIONS: usize = 2000;
/// Messages that one search finds.
const MOST_FOUND: usize = 100;
/// Of these, in one conversation: more would hide the others.
const MOST_IN_ONE: usize = 5;
/// Messages read at once. One may have some megabytes.
const AT_ONCE: usize = 50;
/// Characters of the text.
const TEXT: std::ops::RangeInclusive<usize> = 3..=200;

/// What is searched, and in whose conversations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    text: String,
    #[serde(default)]
    principal: Option<String>,
}

impl Shared {
    /// Messages with a text in them, of the people who were last active first.
    pub(super) async fn search(&self, caller: &Caller, wanted: &Wanted) -> Result<Value, Refusal> {
        let text = wanted.text.trim();
        let characters = text.chars().count();
        if !TEXT.contains(&characters) {
            let (least, most) = TEXT.into_inner();
            return Err(Refusal::Invalid(format!("`text` must have {least} to {most} characters")));
        }
        let principal = wanted.principal.as_deref().map(person).transpose()?;
        if !self.config.conversations.search {
            return Err(Refusal::Invalid(
                "searching in what people said is off here; the operators of this service can switch it on \
                 (`search = true` under `[conversations]`)"
                    .to_owned(),
            ));
        }
        // Not what was searched: it may be what somebody wrote.
        let detail = format!("a text of {characters} characters");
        let act = Act {
            action: "search",
            principal: principal.unwrap_or_default(),
            detail: &detail,
            ..Act::default()
        };
        self.note(&caller.principal, act).await?;
        let people = match principal {
            Some(one) => vec![one.to_owned()],
            None => self.last_active_first().await?,
        };
        let mut hunt = Hunt::new(self, text);
        hunt.run(&people).await;
        Ok(json!({ "found": hunt.found, "complete": hunt.complete, "looked_at": hunt.looked_at }))
    }

    async fn last_active_first(&self) -> Result<Vec<String>, Refusal> {
        let mut people = self.store.people().await.map_err(failed)?;
        people.sort_by_key(|person| std::cmp::Reverse(person.seen));
        Ok(people.into_iter().map(|person| person.principal).collect())
    }
}

/// A search on its way.
struct Hunt<'a> {
    shared: &'a Shared,
    needle: Needle,
    until: Instant,
    found: Vec<Value>,
    looked_at: usize,
    /// Nothing was left out so far.
    complete: bool,
}

impl<'a> Hunt<'a> {
    fn new(shared: &'a Shared, text: &str) -> Self {
        let until = Instant::now() + LONGEST;
        Self { shared, needle: Needle::new(text), until, found: Vec::new(), looked_at: 0, complete: true }
    }

    async fn run(&mut self, people: &[String]) {
        for principal in people {
            let Some(all) = self.in_time(self.shared.store.conversations(principal)).await else { continue };
            for conversation in &all {
                if self.looked_at == MOST_CONVERSATIONS || self.found.len() == MOST_FOUND {
                    self.complete = false;
                    return;
                }
                self.look_into(conversation).await;
            }
            if Instant::now() >= self.until {
                self.complete = false;
                return;
            }
        }
    }

    /// The latest messages first.
    async fn look_into(&mut self, conversation: &Conversation) {
        let (mut before, mut here) = (None, 0);
        loop {
            let page = transcript::page(self.shared, conversation, before, AT_ONCE);
            let Some(page) = self.in_time(page).await else { return };
            for message in page.iter().rev() {
                let Some(excerpt) = self.needle.excerpt(&message.content) else { continue };
                if here == MOST_IN_ONE || self.found.len() == MOST_FOUND {
                    self.complete = false;
                    break;
                }
                here += 1;
                self.found.push(shown(conversation, message, &excerpt));
            }
            before = page.first().map(|first| first.id);
            if page.len() < AT_ONCE || !self.complete && here == MOST_IN_ONE {
                break;
            }
        }
        self.looked_at += 1;
    }

    /// What the store or the archive gives; where it fails, or time is over, something is left out.
    async fn in_time<T, E: std::fmt::Display>(
        &mut self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        match timeout_at(self.until, call).await {
            Ok(Ok(read)) => return Some(read),
            Ok(Err(error)) => tracing::warn!(%error, "a search left out what cannot be read"),
            Err(_) => {}
        }
        self.complete = false;
        None
    }
}

fn shown(conversation: &Conversation, message: &Message, excerpt: &str) -> Value {
    json!({
        "principal": conversation.principal,
        "id": conversation.id,
        "title": conversation.title,
        "message": shapes::shown_id(message.id),
        "at": message.at,
        "excerpt": excerpt,
    })
}
