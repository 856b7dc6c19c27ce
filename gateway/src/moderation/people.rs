//! Everybody whom an administrator may have to look after: who has had a conversation, used a model, or is shut out.

use std::collections::BTreeMap;

use fleet::store::{DayOfUse, Denial, Person, StoreError, Usage};
use serde_json::{Value, json};

use super::audit::Act;
use crate::error::Refusal;
use crate::identity::Caller;
use crate::process::Shared;
use crate::request::books::{failed, first_day};

/// What is known of somebody.
#[derive(Debug, Default, PartialEq)]
struct Known {
    seen: Option<i64>,
    denied: bool,
    usage: Usage,
}

impl Shared {
    /// Everybody, by name.
    pub(super) async fn people(&self, caller: &Caller) -> Result<Value, Refusal> {
        self.note(&caller.principal, Act { action: "people", ..Act::default() }).await?;
        let people = self.store.people().await.map_err(failed)?;
        let denials = self.store.denials().await.map_err(failed)?;
        let used = match self.store.usage_since(&first_day()?).await {
            // The table is too large to add up; who there is must be told all the same.
            Err(StoreError::TooMuch(why)) => {
                tracing::warn!(why, "people are listed without what they used");
                None
            }
            used => Some(used.map_err(failed)?),
        };
        let with_usage = used.is_some();
        let known = known(people, denials, used.unwrap_or_default());
        let shown: Vec<Value> = known.iter().map(|(name, known)| shown(name, known, with_usage)).collect();
        Ok(json!({ "people": shown }))
    }
}

fn known(people: Vec<Person>, denials: Vec<Denial>, used: Vec<DayOfUse>) -> BTreeMap<String, Known> {
    let mut all: BTreeMap<String, Known> = BTreeMap::new();
    for person in people {
        let known = all.entry(person.principal).or_default();
        known.seen = known.seen.max(Some(person.seen));
    }
    for denial in denials {
        all.entry(denial.principal).or_default().denied = true;
    }
    for line in used.into_iter().filter(|line| line.usage.requests > 0) {
        let sum = &mut all.entry(line.principal).or_default().usage;
        sum.requests += line.usage.requests;
        sum.prompt_tokens += line.usage.prompt_tokens;
        sum.generated_tokens += line.usage.generated_tokens;
        sum.gpu_seconds += line.usage.gpu_seconds;
    }
    all
}

/// What could not be added up is `null`, never 0.
fn shown(name: &str, known: &Known, with_usage: bool) -> Value {
    let usage = with_usage.then_some(&known.usage);
    json!({
        "principal": name,
        "seen": known.seen,
        "denied": known.denied,
        "requests": usage.map(|usage| usage.requests),
        "prompt_tokens": usage.map(|usage| usage.prompt_tokens),
        "output_tokens": usage.map(|usage| usage.generated_tokens),
        "gpu_seconds": usage.map(|usage| usage.gpu_seconds),
    })
}

#[cfg(test)]
mod tests {
    use fleet::store::ModelUsage;

    use super::*;

    #[test]
    fn everybody_is_there_once_with_all_that_is_known() {
        let person = |principal: &str, seen| Person { principal: principal.to_owned(), seen };
        let denial = Denial { principal: "out".to_owned(), ..Denial::default() };
        let line = |principal: &str, day: &str, requests| DayOfUse {
            principal: principal.to_owned(),
            day: day.to_owned(),
            usage: Usage { requests, prompt_tokens: 2, generated_tokens: 3, gpu_seconds: 0.5 },
            models: ModelUsage::new(),
        };
        let used =
            vec![line("both", "2027-01-02", 1), line("both", "2027-01-01", 2), line("none", "2027-01-01", 0)];
        let all = known(vec![person("both", 7), person("talks", 8)], vec![denial], used);
        assert_eq!(
            all.keys().collect::<Vec<_>>(),
            ["both", "out", "talks"],
            "who only asked in vain used nothing"
        );
        let both = shown("both", &all["both"], true);
        let expected = json!({
            "principal": "both", "seen": 7, "denied": false,
            "requests": 3, "prompt_tokens": 4, "output_tokens": 6, "gpu_seconds": 1.0,
        });
        assert_eq!(both, expected);
        assert_eq!((all["out"].denied, all["out"].seen), (true, None));
        assert_eq!(shown("both", &all["both"], false)["requests"], Value::Null);
    }
}
