//! An answer as far as it is known, and what a chat shows of it. No clock, no calls: time comes in as a value.

use tokio::time::Instant;

use super::words;
use crate::gateway::{Condition, Event, Message};
use crate::markup::Shown;

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// As it was stored.
    Stored(Condition),
    /// With a sentence.
    Failed(String),
    /// Nobody knows: the gateway cannot be reached.
    Lost,
}

/// A wait that the gateway has told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    state: String,
    until: Option<Instant>,
}

/// How far an answer is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// The message id it is stored by, once that is known.
    pub answer: Option<String>,
    /// What has come.
    text: String,
    waiting: Option<Waiting>,
    turns_cut: u64,
    /// Said before the answer.
    note: Option<&'static str>,
    end: Option<End>,
}

impl Progress {
    /// Nothing yet, but something to say first.
    pub fn with_note(note: Option<&'static str>) -> Self {
        Self { note, ..Self::default() }
    }

    /// One that began in an earlier process.
    pub fn of(answer: &str) -> Self {
        Self { answer: Some(answer.to_owned()), ..Self::default() }
    }

    /// Has it ended?
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Is there a wait to be counted down?
    pub fn counts(&self) -> bool {
        self.end.is_none() && self.waiting.is_some()
    }

    /// Takes an event that came at `now`.
    pub fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::Start(start) => {
                self.answer = Some(start.answer);
                self.turns_cut = start.turns_cut;
            }
            Event::Wait(wait) => {
                // Whoever announces more than a day knows nothing.
                let seconds = wait.seconds.filter(|seconds| (0.0..=86_400.0).contains(seconds));
                let until = seconds.map(|seconds| now + std::time::Duration::from_secs_f64(seconds));
                self.waiting = Some(Waiting { state: wait.state, until });
            }
            Event::Delta(piece) => {
                self.waiting = None;
                self.text.push_str(&piece);
            }
            Event::Whole(message, _) => self.stored(message),
            Event::Failed(broken) => {
                if let Some(message) = broken.message {
                    self.keep(message.content);
                }
                self.finish(End::Failed(broken.error));
            }
        }
    }

    /// Takes the message as the gateway has it.
    pub fn stored(&mut self, message: Message) {
        if message.state == Condition::Writing {
            self.keep(message.content);
        } else {
            self.text = message.content;
            self.finish(End::Stored(message.state));
        }
    }

    /// It ends so, if it has not ended before.
    pub fn finish(&mut self, end: End) {
        self.waiting = None;
        self.end.get_or_insert(end);
    }

    /// What is stored while an answer is written lags behind what came over the wire.
    fn keep(&mut self, text: String) {
        self.waiting = None;
        if text.len() > self.text.len() {
            self.text = text;
        }
    }

    /// What a chat shows at `now`; nothing before there is something.
    pub fn shown(&self, now: Instant) -> Option<Shown> {
        if let (None, Some(waiting)) = (&self.end, &self.waiting) {
            let seconds =
                waiting.until.map(|until| until.saturating_duration_since(now).as_secs_f64().ceil());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, not negative, at most a day"
            )]
            let seconds = seconds.map(|seconds| seconds as u64);
            return Some(Shown::plain(words::waiting(&waiting.state, seconds)));
        }
        let Some(end) = &self.end else {
            let begun = !self.text.trim().is_empty();
            return begun.then(|| self.headed(Shown::markdown(&format!("{} …", self.text.trim_end()))));
        };
        let empty = self.text.trim().is_empty();
        let mut shown = self.headed(Shown::markdown(&self.text));
        match end {
            End::Stored(Condition::Stopped) => shown = shown.with_note(words::STOPPED),
            End::Stored(Condition::Broken) => shown = shown.with_note(words::BROKEN),
            End::Stored(_) if empty => shown = shown.with_note(words::NO_ANSWER),
            End::Stored(_) => {}
            End::Failed(sentence) => shown = shown.with_note(&format!("({sentence})")),
            End::Lost => shown = shown.with_note(words::LOST),
        }
        if self.turns_cut > 0 {
            shown = shown.with_note(&words::turns_cut(self.turns_cut));
        }
        Some(shown)
    }

    fn headed(&self, shown: Shown) -> Shown {
        let Some(note) = self.note else { return shown };
        let mut whole = Shown::default().with_note(&format!("({note})"));
        let moved = whole.text.len() + 2;
        whole.text = format!("{}\n\n{}", whole.text, shown.text);
        whole.marks.extend(shown.marks.into_iter().map(|mut mark| {
            mark.range = mark.range.start + moved..mark.range.end + moved;
            mark
        }));
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::{Broken, Start, Wait};

    fn text(progress: &Progress, now: Instant) -> Option<String> {
        progress.shown(now).map(|shown| shown.text)
    }

    fn message(content: &str, state: Condition) -> Message {
        Message { id: "2".to_owned(), content: content.to_owned(), state }
    }

    #[test]
    fn a_wait_counts_down_until_words_come() {
        let now = Instant::now();
        let mut progress = Progress::default();
        assert_eq!(text(&progress, now), None);
        let wait = Wait { state: "waking".to_owned(), seconds: Some(30.0) };
        progress.take(Event::Wait(wait), now);
        assert!(progress.counts());
        assert!(text(&progress, now).unwrap().contains("30 seconds"));
        assert!(text(&progress, now + Duration::from_secs(12)).unwrap().contains("18 seconds"));
        assert!(text(&progress, now + Duration::from_secs(99)).unwrap().contains("Any moment"));
        progress.take(Event::Delta("Good".to_owned()), now);
        assert_eq!(text(&progress, now).as_deref(), Some("Good …"));
        assert!(!progress.counts());
    }

    #[test]
    fn an_end_says_how_it_ended() {
        let now = Instant::now();
        let ended = |event: Event| {
            let mut progress = Progress::default();
            progress.take(Event::Start(Start { answer: "2".to_owned(), turns_cut: 0 }), now);
            progress.take(Event::Delta("so far".to_owned()), now);
            progress.take(event, now);
            assert!(progress.is_over());
            text(&progress, now).unwrap()
        };
        let head = |_: &str| crate::gateway::Conversation {
            id: "c".to_owned(),
            title: None,
            model: "m".to_owned(),
            updated: 0,
            busy: false,
            closed: false,
        };
        let whole = |content: &str, state| Event::Whole(message(content, state), head(""));
        assert_eq!(ended(whole("**All** of it", Condition::Whole)), "All of it");
        assert_eq!(ended(whole("so", Condition::Stopped)), format!("so\n\n{}", words::STOPPED));
        assert_eq!(ended(whole("", Condition::Whole)), words::NO_ANSWER);
        let broken = Broken { error: "the model failed".to_owned(), message: None };
        assert_eq!(ended(Event::Failed(broken)), "so far\n\n(the model failed)");
    }

    #[test]
    fn what_is_stored_meanwhile_never_takes_words_back() {
        let now = Instant::now();
        let mut progress = Progress::of("2");
        progress.take(Event::Delta("one two".to_owned()), now);
        progress.stored(message("one", Condition::Writing));
        assert_eq!(text(&progress, now).as_deref(), Some("one two …"));
        progress.stored(message("one two three", Condition::Writing));
        assert_eq!(text(&progress, now).as_deref(), Some("one two three …"));
        progress.stored(message("one two three four", Condition::Whole));
        progress.finish(End::Lost);
        assert_eq!(text(&progress, now).as_deref(), Some("one two three four"));
    }

    #[test]
    fn a_note_comes_first_and_what_was_cut_last() {
        let now = Instant::now();
        let mut progress = Progress::with_note(Some("New."));
        progress.take(Event::Start(Start { answer: "2".to_owned(), turns_cut: 3 }), now);
        progress.stored(message("**b**", Condition::Whole));
        let shown = progress.shown(now).unwrap();
        assert!(shown.text.starts_with("(New.)\n\nb\n\n(The conversation is longer"), "{}", shown.text);
        assert_eq!(&shown.text[shown.marks[1].range.clone()], "b");
    }
}
