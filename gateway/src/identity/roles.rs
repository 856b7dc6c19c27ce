//! Who may what: from groups, e-mail addresses and a key's roles to [`Rights`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Priority, Rights};
use crate::config::settings::Role;
use crate::ollama::names::{ModelPattern, NameError};

/// Combinations of roles remembered. Real ones are a handful; beyond the bound rights are worked out each time.
const MOST_COMBINATIONS: usize = 1024;

/// A role's `models` holds what is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("roles.{role}.models: `{pattern}`: {error}")]
pub struct BadRole {
    role: String,
    pattern: String,
    error: NameError,
}

/// Some of the configured roles, besides `user`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Held(Vec<usize>);

/// Every role there is.
pub struct Roles {
    user: Rights,
    others: Vec<Other>,
    combined: Mutex<HashMap<Held, Arc<Rights>>>,
}

/// A role besides `user`, with its patterns read.
struct Other {
    name: String,
    role: Role,
    models: Option<Vec<ModelPattern>>,
}

impl Roles {
    /// Reads `[roles]`. `operator` and `admin` are there even when they are not configured, for API keys that name
    /// them.
    ///
    /// # Errors
    /// A model pattern that cannot be read.
    pub fn new(configured: &BTreeMap<String, Role>) -> Result<Self, BadRole> {
        let mut all = configured.clone();
        for name in ["operator", "admin"] {
            let role = all.entry(name.to_owned()).or_default();
            role.operate.get_or_insert(true);
        }
        let user = all.remove("user").unwrap_or_default();
        let user = user_rights(&user, patterns("user", &user)?);
        let others = all
            .into_iter()
            .map(|(name, role)| Ok(Other { models: patterns(&name, &role)?, name, role }))
            .collect::<Result<_, BadRole>>()?;
        Ok(Self { user, others, combined: Mutex::default() })
    }

    /// The roles that one of these groups, or this verified e-mail address, gives.
    pub fn of_person(&self, groups: &[String], email: Option<&str>) -> Held {
        self.holding(|other| {
            let by_email = |email: &str| other.role.emails.iter().any(|one| one.eq_ignore_ascii_case(email));
            other.role.groups.iter().any(|group| groups.contains(group)) || email.is_some_and(by_email)
        })
    }

    /// The roles of an API key. A name that is configured no more gives nothing.
    pub fn of_key(&self, names: &[String]) -> Held {
        self.holding(|other| names.contains(&other.name))
    }

    fn holding(&self, holds: impl Fn(&Other) -> bool) -> Held {
        Held(self.others.iter().enumerate().filter(|(_, other)| holds(other)).map(|(at, _)| at).collect())
    }

    /// Does any role depend on an e-mail address?
    pub fn want_email(&self) -> bool {
        self.others.iter().any(|other| !other.role.emails.is_empty())
    }

    /// Is there a role of this name?
    pub fn exists(&self, name: &str) -> bool {
        name == "user" || self.others.iter().any(|other| other.name == name)
    }

    /// What these roles allow together: the models of all, and of every limit the most generous. Roles that replace
    /// `user` set the start (what they leave out is `user`'s); the others raise it by what they set themselves, so
    /// that being an operator as well does not lift a tighter limit. Callers with the same roles share one value.
    pub fn rights(&self, held: &Held) -> Arc<Rights> {
        let mut combined = self.combined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rights) = combined.get(held) {
            return Arc::clone(rights);
        }
        let rights = Arc::new(self.combine(held));
        if combined.len() < MOST_COMBINATIONS {
            combined.insert(held.clone(), Arc::clone(&rights));
        }
        rights
    }

    fn combine(&self, held: &Held) -> Rights {
        let roles = || held.0.iter().map(|at| &self.others[*at]);
        let replaced =
            roles().filter(|other| other.role.replaces_user).map(|other| other.replacing(&self.user));
        let start = replaced.reduce(|one, other| more_generous(one, &other));
        let start = start.unwrap_or_else(|| self.user.clone());
        roles().filter(|other| !other.role.replaces_user).fold(start, |rights, other| {
            let raised = other.replacing(&rights);
            more_generous(rights, &raised)
        })
    }
}

impl Other {
    /// This role's own values, and those of `base` where it has none.
    fn replacing(&self, base: &Rights) -> Rights {
        let role = &self.role;
        Rights {
            models: self.models.clone().unwrap_or_else(|| base.models.clone()),
            requests_per_minute: role.requests_per_minute.unwrap_or(base.requests_per_minute),
            requests_burst: role.requests_burst.unwrap_or(base.requests_burst),
            tokens_per_minute: role.tokens_per_minute.unwrap_or(base.tokens_per_minute),
            open_requests: role.open_requests.unwrap_or(base.open_requests),
            priority: role.priority.unwrap_or(base.priority),
            operate: role.operate.unwrap_or(base.operate),
            manage_models: role.manage_models.unwrap_or(base.manage_models),
        }
    }
}

fn more_generous(mut one: Rights, other: &Rights) -> Rights {
    for pattern in &other.models {
        if !one.models.contains(pattern) {
            one.models.push(pattern.clone());
        }
    }
    Rights {
        models: one.models,
        requests_per_minute: one.requests_per_minute.max(other.requests_per_minute),
        requests_burst: one.requests_burst.max(other.requests_burst),
        tokens_per_minute: one.tokens_per_minute.max(other.tokens_per_minute),
        open_requests: one.open_requests.max(other.open_requests),
        // The order of `Priority` is the order of urgency.
        priority: one.priority.min(other.priority),
        operate: one.operate || other.operate,
        manage_models: one.manage_models || other.manage_models,
    }
}

/// `user` with the defaults that `settings.rs` states.
fn user_rights(role: &Role, models: Option<Vec<ModelPattern>>) -> Rights {
    Rights {
        models: models.unwrap_or_else(|| vec![ModelPattern::Any]),
        requests_per_minute: role.requests_per_minute.unwrap_or(60),
        requests_burst: role.requests_burst.unwrap_or(20),
        tokens_per_minute: role.tokens_per_minute.unwrap_or(60_000),
        open_requests: role.open_requests.unwrap_or(4),
        priority: role.priority.unwrap_or(Priority::Normal),
        operate: role.operate.unwrap_or(false),
        manage_models: role.manage_models.unwrap_or(false),
    }
}

fn patterns(name: &str, role: &Role) -> Result<Option<Vec<ModelPattern>>, BadRole> {
    let read = |pattern: &String| {
        ModelPattern::parse(pattern).map_err(|error| BadRole {
            role: name.to_owned(),
            pattern: pattern.clone(),
            error,
        })
    };
    role.models.as_ref().map(|models| models.iter().map(read).collect()).transpose()
}

#[cfg(test)]
mod tests;
