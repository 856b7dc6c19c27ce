//! One chat: what each command does. A turn runs beside it, so that /stop and /help are heard meanwhile.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::commands::{self, Command, Said};
use super::turn::Turn;
use super::{Heard, Talk, is_same_model, words};
use crate::gateway::{Failure, Model};
use crate::memory::{Person, Unfinished};
use crate::telegram::MOST_BYTES;

/// A chat in which nothing was said for so long is let go. So long, too, wrong codes are counted.
const QUIET: Duration = Duration::from_secs(600);
/// Wrong codes that a person may try in that time. One code in 2^128 is right, but each try costs the gateway a look.
const WRONG_CODES: u32 = 5;
/// A turn that has shown its end is over by then.
const SETTLING: Duration = Duration::from_secs(2);
/// Conversations that /history shows.
const HISTORY: usize = 10;

/// A chat that is attended to.
pub(super) struct Seat {
    talk: Arc<Talk>,
    chat: i64,
    /// The turn that runs, or the last.
    turn: Option<(JoinHandle<()>, CancellationToken)>,
    wrong_codes: u32,
    /// What /history showed last: ids and models.
    listed: Vec<(String, String)>,
    last: Instant,
}

impl Seat {
    pub(super) fn new(talk: Arc<Talk>, chat: i64) -> Self {
        Self { talk, chat, turn: None, wrong_codes: 0, listed: Vec::new(), last: Instant::now() }
    }

    /// One whose last answer is still to be shown to its end.
    pub(super) async fn resuming(talk: Arc<Talk>, chat: i64, id: u64, unfinished: Unfinished) -> Self {
        let mut seat = Self::new(talk, chat);
        if let Some(person) = seat.talk.memory.person(id).await {
            seat.begin(id, |turn| turn.resume(person, unfinished));
        }
        seat
    }

    /// Ends when nothing was said, and no turn ran, for long.
    pub(super) async fn long_quiet(&mut self) {
        sleep_until(self.last + QUIET).await;
        if let Some((turn, _)) = &mut self.turn {
            // Its outcome is the turn's own affair.
            let _ended = turn.await;
            self.turn = None;
        }
    }

    /// Does what was said.
    pub(super) async fn take(&mut self, heard: Heard) {
        self.last = Instant::now();
        let said = heard.text.as_deref().map(|text| commands::read(text, &self.talk.name));
        if !heard.private {
            // In a group nobody is answered but who speaks to the bot.
            if matches!(said, Some(Said::Command(_))) {
                self.say(words::PRIVATE_ONLY).await;
            }
            return;
        }
        let person = self.talk.memory.person(heard.id).await;
        match (said, person) {
            (Some(Said::Command(Command::Start(code))), person) => {
                self.start(&heard, code.trim(), person).await
            }
            (Some(Said::Command(Command::Help)), person) => self.help(person.is_some()).await,
            (_, None) => self.say(words::UNLINKED).await,
            (Some(Said::Command(command)), Some(person)) => self.obey(command, &heard, person).await,
            (Some(Said::Text(text)), Some(_)) if text.is_empty() => self.say(words::TEXT_ONLY).await,
            (Some(Said::Text(text)), Some(person)) => self.ask(heard.id, person, text).await,
            (Some(Said::UnknownCommand | Said::NotForUs), Some(_)) => self.say(words::WHAT).await,
            (None, Some(_)) => self.say(words::TEXT_ONLY).await,
        }
    }

    async fn say(&self, text: &str) {
        self.talk.say(self.chat, text).await;
    }

    async fn obey(&mut self, command: Command, heard: &Heard, person: Person) {
        let id = heard.id;
        let done = match command {
            // Handled before; here for completeness.
            Command::Start(_) | Command::Help => Ok(()),
            Command::Hello => {
                let model = person.model.as_ref().or(self.talk.model.as_ref());
                let model = model.map_or("the first model that is awake", String::as_str);
                self.say(&format!("Hello, {}! You talk to {model}.", heard.name)).await;
                Ok(())
            }
            Command::Echo(text) if text.trim().is_empty() => {
                self.say(words::ECHO_WHAT).await;
                Ok(())
            }
            Command::Echo(text) => {
                self.say(&text).await;
                Ok(())
            }
            Command::Models => self.models(&person).await,
            Command::Model(name) => self.model(id, &person, name.trim()).await,
            Command::New => {
                self.talk.memory.change_person(id, forget_current).await;
                self.say(words::NEW).await;
                Ok(())
            }
            Command::History(number) => self.history(id, &person, number.trim()).await,
            Command::Export => self.export(&person).await,
            Command::Stop => {
                self.stop().await;
                Ok(())
            }
        };
        if let Err(failure) = done {
            self.talk.sorry(self.chat, id, &failure).await;
        }
    }

    async fn help(&self, linked: bool) {
        let first = if linked { "Write something, and the model answers." } else { words::UNLINKED };
        let moderators = words::MODERATORS;
        self.say(&format!("{first}\n\n{}\n\n{moderators}", commands::described())).await;
    }

    /// Links a person by a code.
    async fn start(&mut self, heard: &Heard, code: &str, person: Option<Person>) {
        if code.is_empty() {
            return match person {
                Some(_) => self.say(&format!("Hello, {}! Write something, or /help.", heard.name)).await,
                None => self.say(words::UNLINKED).await,
            };
        }
        if self.wrong_codes >= WRONG_CODES {
            return self.say(words::TOO_MANY_CODES).await;
        }
        let label = format!("telegram-{}", heard.id);
        match self.talk.gateway.redeem(code, &label).await {
            Ok(link) => {
                self.end_turn().await;
                let principal = link.principal.clone();
                let person = Person { key: link.key, principal: link.principal, ..Person::default() };
                self.talk.memory.change(|state| state.people.insert(heard.id, person)).await;
                tracing::info!(telegram_id = heard.id, principal, "linked");
                let welcome =
                    "You are linked. Write something, and the model answers; /help lists what else I do.";
                self.say(&format!("{welcome}\n\n{}", words::MODERATORS)).await;
            }
            Err(Failure::Refused { status: 400 | 404 | 422, .. }) => {
                self.wrong_codes += 1;
                tracing::info!(telegram_id = heard.id, "a wrong code");
                self.say(words::WRONG_CODE).await;
            }
            Err(Failure::Unknown) => {
                tracing::error!(
                    "the gateway does not take the bot's own key (gateway.key); nobody can be linked"
                );
                self.say("I cannot link anybody at the moment. Tell an administrator.").await;
            }
            Err(failure) => self.talk.sorry(self.chat, heard.id, &failure).await,
        }
    }

    async fn models(&self, person: &Person) -> Result<(), Failure> {
        let models = self.talk.gateway.models(&person.key).await?;
        if models.is_empty() {
            self.say(words::NO_MODEL).await;
            return Ok(());
        }
        let line = |model: &Model| {
            let here = if person.model.as_deref() == Some(&model.name) { "→" } else { "•" };
            let loaded = if model.loaded { " (in memory: answers at once)" } else { "" };
            format!("{here} {}{loaded}", model.name)
        };
        let lines: Vec<String> = models.iter().map(line).collect();
        self.say(&format!("{}\n\n/model NAME talks to another.", lines.join("\n"))).await;
        Ok(())
    }

    async fn model(&self, id: u64, person: &Person, asked: &str) -> Result<(), Failure> {
        if asked.is_empty() {
            return self.models(person).await;
        }
        let models = self.talk.gateway.models(&person.key).await?;
        if models.is_empty() {
            // A fleet that has slept since it was made knows none. Whether this one exists shows at the first message.
            let chosen = asked.to_owned();
            self.talk.memory.change_person(id, |person| person.model = Some(chosen)).await;
            self.say(&format!(
                "You talk to {asked} now, if there is such a model: the fleet knows none yet."
            ))
            .await;
            return Ok(());
        }
        match found(&models, asked) {
            Ok(name) => {
                let goes_on = person.conversations.contains_key(name);
                let chosen = name.to_owned();
                self.talk.memory.change_person(id, |person| person.model = Some(chosen)).await;
                let how =
                    if goes_on { "Your conversation with it goes on; /new begins another." } else { "" };
                self.say(format!("You talk to {name} now. {how}").trim_end()).await;
            }
            Err(sentence) => self.say(&sentence).await,
        }
        Ok(())
    }

    async fn history(&mut self, id: u64, person: &Person, number: &str) -> Result<(), Failure> {
        if !number.is_empty() {
            return self.go_on_with(id, person, number).await;
        }
        let conversations = self.talk.gateway.conversations(&person.key, HISTORY).await?;
        if conversations.is_empty() {
            self.say(words::NO_HISTORY).await;
            return Ok(());
        }
        let lines = conversations.iter().enumerate().map(|(at, head)| {
            let current = person.conversations.get(&head.model) == Some(&head.id);
            let title = head.title.as_deref().filter(|title| !title.is_empty()).unwrap_or("(no title)");
            let closed = if head.closed { ", closed" } else { "" };
            let here = if current { "→ " } else { "" };
            format!("{}. {here}{title} ({}, {}{closed})", at + 1, head.model, day(head.updated))
        });
        let lines: Vec<String> = lines.collect();
        self.listed = conversations.into_iter().map(|head| (head.id, head.model)).collect();
        self.say(&format!(
            "{}\n\n/history NUMBER goes on with one; the page has them all.",
            lines.join("\n")
        ))
        .await;
        Ok(())
    }

    async fn go_on_with(&mut self, id: u64, person: &Person, number: &str) -> Result<(), Failure> {
        let chosen = number.parse::<usize>().ok().and_then(|number| self.listed.get(number.checked_sub(1)?));
        let Some((conversation, model)) = chosen.cloned() else {
            self.say("Which one? /history shows the numbers.").await;
            return Ok(());
        };
        let (head, _) = self.talk.gateway.view(&person.key, &conversation).await?;
        if head.closed {
            self.say("That conversation is closed. On the page you can open it again.").await;
            return Ok(());
        }
        let said = format!("Going on with \u{201c}{}\u{201d} ({model}).", head.title.unwrap_or_default());
        let change = |person: &mut Person| {
            person.conversations.insert(model.clone(), conversation);
            person.model = Some(model);
        };
        self.talk.memory.change_person(id, change).await;
        self.say(&said).await;
        Ok(())
    }

    async fn export(&self, person: &Person) -> Result<(), Failure> {
        let Ok(_held) = self.talk.exports.acquire().await else { return Ok(()) };
        let (name, bytes) = self.talk.gateway.export(&person.key, MOST_BYTES).await?;
        if let Err(error) = self.talk.telegram.document(self.chat, &name, bytes, words::EXPORTED).await {
            tracing::warn!(%error, "an export could not be sent");
            self.say("The file could not be sent. Try again later.").await;
        }
        Ok(())
    }

    async fn ask(&mut self, id: u64, person: Person, text: String) {
        if let Some((turn, _)) = &mut self.turn {
            // One whose last word is shown already ends at once; who is quick must not be sent away.
            if timeout(SETTLING, turn).await.is_err() {
                return self.say(words::BUSY).await;
            }
        }
        self.begin(id, |turn| turn.run(person, text));
    }

    fn begin<F>(&mut self, id: u64, work: impl FnOnce(Turn) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let turn = Turn { talk: self.talk.clone(), chat: self.chat, id, stop: stop.clone() };
        self.turn = Some((self.talk.tasks.spawn(work(turn)), stop));
    }

    async fn stop(&self) {
        match &self.turn {
            // What was stopped says so itself.
            Some((turn, stop)) if !turn.is_finished() => stop.cancel(),
            _ => self.say(words::NOTHING_TO_STOP).await,
        }
    }

    /// What still runs belongs to another link: nothing of it is shown any more.
    async fn end_turn(&mut self) {
        if let Some((turn, _)) = self.turn.take() {
            turn.abort();
            let _ended = turn.await;
        }
    }
}

fn forget_current(person: &mut Person) {
    if let Some(model) = &person.model {
        person.conversations.remove(model);
    }
}

/// The one model that is meant: its whole name, or a beginning that no other has.
fn found<'a>(models: &'a [Model], asked: &str) -> Result<&'a str, String> {
    if let Some(model) = models.iter().find(|model| is_same_model(asked, &model.name)) {
        return Ok(&model.name);
    }
    let small = asked.to_lowercase();
    let begin: Vec<&str> = models
        .iter()
        .map(|model| model.name.as_str())
        .filter(|name| name.to_lowercase().starts_with(&small))
        .collect();
    match begin[..] {
        [name] => Ok(name),
        [] => Err("There is no such model that you may use. /models lists them.".to_owned()),
        _ => Err(format!("Which one? {}", begin.join(", "))),
    }
}

fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_name_or_beginning() {
        let models: Vec<Model> = ["gemma3:4b", "gemma3:12b", "Llama:latest"]
            .map(|name| Model { name: name.to_owned(), loaded: false })
            .to_vec();
        for (asked, name) in
            [("gemma3:4b", "gemma3:4b"), ("GEMMA3:12", "gemma3:12b"), ("llama", "Llama:latest")]
        {
            assert_eq!(found(&models, asked), Ok(name), "{asked}");
        }
        assert!(found(&models, "gemma").unwrap_err().contains("gemma3:4b, gemma3:12b"));
        assert!(found(&models, "mistral").unwrap_err().contains("no such model"));
    }

    #[test]
    fn a_day_is_a_day() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(i64::MAX), "?");
    }
}
