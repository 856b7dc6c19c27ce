//! Who is calling, and what they may: principals, rights, and the credentials that prove them.
//!
//! `identify` is the step of the journey. A token goes through `jwt`, which reads by `strict`, with a `jwk` that
//! `jwks` keeps fresh through `fetch`; an API key through `api_keys`, and `link_codes` become such keys. `roles` turns who it is into what they may,
//! asking `userinfo` where an e-mail address decides; `memory` spares both for callers seen before. `denials` shuts
//! out who was let go before their token ends.

pub(crate) mod strict;
pub mod jwk;
pub mod jwt;
mod fetch;
pub mod jwks;
pub mod api_keys;
pub mod link_codes;
mod userinfo;
pub mod roles;
mod memory;
pub mod identify;
pub mod denials;
pub mod keys_command;
pub mod denials_command;
#[cfg(test)]
mod testing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fleet::store::KeyRecord;
use serde::{Deserialize, Serialize};

use crate::error::Refusal;
use crate::ollama::names::{ModelName, ModelPattern};
use crate::trust::Forwarded;

pub use crate::request::authenticate::Credential;
pub use denials::Denials;
pub use denials_command::DenialsCommand;
pub use identify::{Identity, IdentityError};
pub use keys_command::KeysCommand;

/// Who is charged, limited and remembered: issuer and subject, never a name or an address that may be reassigned.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The principal of a verified token.
    pub fn of_token(issuer: &str, subject: &str) -> Self {
        Self(format!("{issuer}#{subject}").into())
    }

    /// The principal of an API key: its owner.
    pub fn of_key(owner: &str) -> Self {
        Self(format!("key#{owner}").into())
    }

    /// The principal that holders of this key count as: the one it acts as, else its owner.
    pub fn of_record(record: &KeyRecord) -> Self {
        record.acts_as.as_deref().map_or_else(|| Self::of_key(&record.owner), Self::vouched_for)
    }

    /// The principal that a peer, or an administrator's link, vouches for, by the text it goes by.
    pub(crate) fn vouched_for(text: &str) -> Self {
        Self(text.into())
    }

    /// The text under which the store and the logs know this principal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose request goes first when all wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Someone looks at the screen.
    Interactive,
    /// The default.
    #[default]
    Normal,
    /// Nobody waits for it.
    Batch,
}

/// What a caller may do: the union of their roles, most generous first.
#[derive(Debug, Clone, PartialEq)]
pub struct Rights {
    /// Models the caller may use and see.
    pub models: Vec<ModelPattern>,
    /// Requests that may begin in a minute.
    pub requests_per_minute: u32,
    /// Of these, how many at once.
    pub requests_burst: u32,
    /// Prompt and generated tokens in a minute.
    pub tokens_per_minute: u64,
    /// Requests open at the same time.
    pub open_requests: u32,
    /// The class their requests queue in.
    pub priority: Priority,
    /// Whole lists, load and unload, runner options, fleet commands.
    pub operate: bool,
    /// Pull and delete models.
    pub manage_models: bool,
}

impl Rights {
    /// May the caller use (and know of) this model?
    pub fn may_use(&self, model: &ModelName) -> bool {
        self.models.iter().any(|pattern| pattern.covers(model))
    }
}

/// A proven caller. Only [`Identity::identify`] and [`crate::trust::Trust::identify`] make one; every later step wants
/// one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// What they may.
    pub rights: Arc<Rights>,
    /// There if a peer has forwarded the request and vouches for its caller: such a request is charged and limited
    /// already, and is not forwarded a second time.
    pub forwarded: Option<Arc<Forwarded>>,
}

impl Caller {
    /// May this body come from them? Only a peer has vouched for one.
    ///
    /// # Errors
    /// 401 for a forwarded request with another body than its token's.
    pub fn sends(&self, body: &[u8]) -> Result<(), Refusal> {
        self.forwarded.as_ref().map_or(Ok(()), |forwarded| forwarded.covers(body))
    }

    /// The same caller, whose inference waits in this class; who may only ask when nobody else does stays so.
    pub(crate) fn at(&self, priority: Priority) -> Self {
        let mut rights = (*self.rights).clone();
        if rights.priority != Priority::Batch {
            rights.priority = priority;
        }
        Self { rights: Arc::new(rights), ..self.clone() }
    }

    /// How much of the time that a request may wait is used up already.
    pub fn waited(&self) -> Duration {
        self.forwarded.as_ref().map_or(Duration::ZERO, |forwarded| forwarded.waited)
    }
}
