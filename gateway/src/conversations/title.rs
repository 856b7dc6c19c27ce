//! What a conversation is called: at first by its first words, then as a model sees it, which nobody waits for.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use fleet::store::Conversation;
use serde_json::json;
use tokio::time::timeout;

use super::store::{change, find};
use crate::error::Refusal;
use crate::identity::{Caller, Priority};
use crate::ollama::names::ModelName;
use crate::ollama::spoken::Spoken;
use crate::request::Journey;
use crate::request::account::{Account, Outcome};
use crate::request::forward::broke_off;
use crate::request::inner::Inner;
use crate::request::route::Route;

/// What the model is told; a change is a new file with a new number.
const PROMPT: &str = include_str!("../../prompts/title-1.txt");
/// Longest title, in characters.
const CHARACTERS: usize = 80;
/// Characters of a question, and of an answer, that the model sees.
const SAMPLE: usize = 1000;
/// Tokens of a title: more than eighty characters need in most languages.
const TOKENS: u32 = 48;
/// Longest work on a title, the wait for a slot included.
const WITHIN: Duration = Duration::from_secs(600);

/// The title that a question gives by itself: its first words.
pub(super) fn of_question(question: &str) -> String {
    shortened(&question.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Of `text` as many whole words as a title may have; of one long word its beginning.
fn shortened(text: &str) -> String {
    if text.chars().count() <= CHARACTERS {
        return text.to_owned();
    }
    let most: String = text.chars().take(CHARACTERS - 1).collect();
    let words = most.rsplit_once(' ').map_or(most.as_str(), |(words, _)| words);
    format!("{words}…")
}

/// What a model said, as a title: its first line, without what models put around it.
fn of_answer(answer: &str) -> Option<String> {
    let line = answer.lines().map(str::trim).find(|line| !line.is_empty())?;
    let around = |c: char| c.is_whitespace() || "\"'“”„«»*#`_.:".contains(c);
    let line = line.strip_prefix("Title:").unwrap_or(line).trim_matches(around);
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    Some(shortened(&line)).filter(|title| !title.is_empty())
}

/// A title that is to be made.
pub(super) struct Titling {
    /// The way to a model.
    pub(super) journey: Journey,
    /// The row of the request that it is made for.
    pub(super) route: &'static Route,
    /// Whose conversation it is.
    pub(super) caller: Caller,
    /// The id of that request.
    pub(super) id: String,
    /// The conversation.
    pub(super) conversation: Conversation,
    /// Its model.
    pub(super) model: ModelName,
    /// What was asked first, and answered.
    pub(super) said: (String, String),
}

impl Titling {
    /// Asks for a title and keeps it. Where that fails, the first words stay.
    pub(super) async fn make(self) {
        let model = self.namer();
        let mut account = Account::open(self.id.clone(), self.journey.shared.books.clone());
        account.route = Some(self.route);
        account.caller = Some(self.caller.principal.clone());
        account.model = Some(model.clone());
        account.status = 200;
        let made = timeout(WITHIN, self.ask(&model, &mut account)).await;
        let made = made.unwrap_or_else(|_| Err(Refusal::TooLate("no title was made in time".to_owned())));
        match made {
            Ok(answer) => {
                account.outcome = Outcome::Answered;
                drop(account);
                if let Some(title) = of_answer(&answer) {
                    self.keep(title).await;
                }
            }
            Err(refusal) => account.refused(&refusal),
        }
    }

    /// The one of the configuration, if its owner may use it; else the conversation's.
    fn namer(&self) -> ModelName {
        let named = self.journey.shared.config.conversations.titles_model.as_deref();
        let named = named.and_then(|name| ModelName::parse(name).ok());
        named.filter(|model| self.caller.rights.may_use(model)).unwrap_or_else(|| self.model.clone())
    }

    async fn ask(&self, model: &ModelName, account: &mut Account) -> Result<String, Refusal> {
        let caller = self.caller.at(Priority::Batch);
        let inner =
            Inner { route: self.route, caller: &caller, id: &self.id, first: false, account: account.part() };
        let mut relay = self.journey.ask_within(inner, self.body(model)).await?;
        let mut spoken = Spoken::default();
        while let Some(bytes) = poll_fn(|cx| relay.poll_bytes(cx)).await {
            spoken.push(&bytes.map_err(|_| broke_off(true))?)?;
        }
        if spoken.whole { Ok(spoken.text) } else { Err(broke_off(true)) }
    }

    fn body(&self, model: &ModelName) -> Bytes {
        let sample = |text: &str| text.chars().take(SAMPLE).collect::<String>();
        // What was said is data, in a message of its own; only the prompt file speaks as the system.
        let said = format!(
            "<question>\n{}\n</question>\n<answer>\n{}\n</answer>",
            sample(&self.said.0),
            sample(&self.said.1)
        );
        let body = json!({
            "model": model.as_str(),
            "messages": [{ "role": "system", "content": PROMPT }, { "role": "user", "content": said }],
            "stream": true,
            "think": false,
            "options": { "temperature": 0.2, "seed": 1, "num_predict": TOKENS },
        });
        Bytes::from(body.to_string())
    }

    /// A person who has chosen a title meanwhile keeps it.
    async fn keep(&self, title: String) {
        let (store, of) = (&self.journey.shared.store, &self.conversation);
        let kept = async {
            let there = find(&**store, &of.principal, &of.id).await?;
            change(&**store, there, |conversation| {
                if !conversation.titled {
                    conversation.title.clone_from(&title);
                }
            })
            .await
        };
        if kept.await.is_err() {
            tracing::debug!("a title was made and could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_conversation_by_its_first_words() {
        assert_eq!(of_question("  What is\n\nRust? "), "What is Rust?");
        let long = of_question(&"many words ".repeat(20));
        assert!(long.chars().count() <= CHARACTERS && long.ends_with(" words…"), "{long}");
        assert_eq!(of_question(&"ü".repeat(200)).chars().count(), CHARACTERS);
    }

    #[test]
    fn a_models_title_is_one_plain_line() {
        for (answer, title) in [
            ("Baking bread", Some("Baking bread")),
            ("\n \"Baking bread.\"\nIs that all?", Some("Baking bread")),
            ("Title: **Baking bread**", Some("Baking bread")),
            ("\u{7}Baking\u{0} bread", Some("Baking bread")),
            (" \n", None),
            ("***", None),
        ] {
            assert_eq!(of_answer(answer).as_deref(), title, "{answer:?}");
        }
        assert!(of_answer(&"words ".repeat(50)).unwrap().chars().count() <= CHARACTERS);
    }
}
