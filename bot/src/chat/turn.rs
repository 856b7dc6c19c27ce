//! One turn: what a person said goes to the gateway, and the chat shows the answer as it grows. Reading and showing run
//! side by side, so that Telegram's pace never holds up the gateway.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Talk;
use super::progress::{End, Progress};
use super::view::View;
use super::words;
use crate::config::Secret;
use crate::gateway::{Events, Failure};
use crate::memory::{Person, Unfinished};
use crate::pieces::{MOST, cut};
use crate::telegram::TelegramError;

/// A wait is counted down as often; more would use up the chat's rate for nothing.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked how far an answer is whose stream broke.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long: an hour is more than any gateway lets an answer take.
const LOOK_FOR: Duration = Duration::from_secs(3600);
/// Looks without an answer from the gateway in a row, after which it is given up.
const LOOKS_IN_VAIN: u32 = 60;

/// A turn of one person.
pub(super) struct Turn {
    pub(super) talk: Arc<Talk>,
    /// The chat, and the person's id: in a private chat they are the same number.
    pub(super) chat: i64,
    pub(super) id: u64,
    /// Cancelled by /stop.
    pub(super) stop: CancellationToken,
}

/// Whose conversation an answer is in.
#[derive(Clone, Copy)]
struct Place<'a> {
    key: &'a Secret,
    conversation: &'a str,
}

/// How the showing of an answer ended.
#[derive(Debug, PartialEq, Eq)]
enum Showing {
    /// With the answer.
    Whole,
    /// With the process.
    CutShort,
}

/// A question that the gateway has taken.
struct Asked {
    conversation: String,
    events: Events,
    note: Option<&'static str>,
}

impl Turn {
    /// Asks, and shows the answer to its end.
    pub(super) async fn run(self, person: Person, text: String) {
        self.talk.telegram.typing(self.chat).await;
        match self.ask(&person, &text).await {
            Ok(asked) => {
                let (progress, shown) = watch::channel(Progress::with_note(asked.note));
                let place = Place { key: &person.key, conversation: &asked.conversation };
                let reading = self.read(place, asked.events, progress);
                Box::pin(self.follow(place, reading, shown, View::new(self.chat, &[]))).await;
            }
            Err(failure) => self.talk.sorry(self.chat, self.id, &failure).await,
        }
    }

    /// Shows an answer to its end that began in an earlier process.
    pub(super) async fn resume(self, person: Person, unfinished: Unfinished) {
        let (progress, shown) = watch::channel(Progress::of(&unfinished.answer));
        let place = Place { key: &person.key, conversation: &unfinished.conversation };
        let reading = self.look(place, progress);
        let view = View::new(self.chat, &unfinished.messages);
        Box::pin(self.follow(place, reading, shown, view)).await;
    }

    /// Reads and shows until the end. Where the process ends before, the answer stays unfinished in memory.
    async fn follow(
        &self,
        place: Place<'_>,
        reading: impl Future<Output = ()>,
        shown: watch::Receiver<Progress>,
        view: View,
    ) {
        let only_reads = async {
            reading.await;
            std::future::pending().await
        };
        let ended = tokio::select! {
            shown = self.show(place, shown, view) => shown,
            never = only_reads => never,
            never = self.pass_on_stop(place) => never,
        };
        if let Err(error) = &ended {
            tracing::warn!(%error, "an answer could not be shown to its end");
        }
        if ended != Ok(Showing::CutShort) {
            self.talk.memory.change(|state| state.unfinished.remove(&self.id)).await;
        }
    }

    /// Waits for /stop, and passes it on. What it ends is seen by whoever reads.
    async fn pass_on_stop<T>(&self, place: Place<'_>) -> T {
        self.stop.cancelled().await;
        if let Err(failure) = self.talk.gateway.stop(place.key, place.conversation).await {
            self.talk.sorry(self.chat, self.id, &failure).await;
        }
        std::future::pending().await
    }

    /// Puts the question into the current conversation, or a new one where that is closed or gone.
    async fn ask(&self, person: &Person, text: &str) -> Result<Asked, Failure> {
        let (gateway, key) = (&self.talk.gateway, &person.key);
        let model = match &person.model {
            Some(model) => model.clone(),
            None => self.first_model(key).await?,
        };
        let mut note = None;
        if let Some(conversation) = person.conversations.get(&model) {
            match gateway.say(key, conversation, text).await {
                Ok(events) => return Ok(Asked { conversation: conversation.clone(), events, note }),
                Err(failure) if self.is_over(key, conversation, &failure).await? => {
                    note = Some(words::BEGUN_ANEW);
                }
                Err(failure) => return Err(failure),
            }
        }
        let conversation = gateway.begin(key, &model).await?.id;
        let remembered = conversation.clone();
        let change = |person: &mut Person| {
            person.model = Some(model.clone());
            person.conversations.insert(model, remembered);
        };
        self.talk.memory.change_person(self.id, change).await;
        let events = gateway.say(key, &conversation, text).await?;
        Ok(Asked { conversation, events, note })
    }

    /// The model of who has chosen none: the configured one, one that is in memory, the first.
    async fn first_model(&self, key: &Secret) -> Result<String, Failure> {
        if let Some(model) = &self.talk.model {
            return Ok(model.clone());
        }
        let models = self.talk.gateway.models(key).await?;
        let first = models.iter().find(|model| model.loaded).or(models.first());
        first.map(|model| model.name.clone()).ok_or(Failure::Told(words::NO_MODEL))
    }

    /// Does this failure mean that nothing can be said in the conversation any more?
    async fn is_over(&self, key: &Secret, conversation: &str, failure: &Failure) -> Result<bool, Failure> {
        match failure {
            Failure::Refused { status: 404, .. } => Ok(true),
            Failure::Refused { status: 409, .. } => {
                let (head, _) = self.talk.gateway.view(key, conversation).await?;
                if head.closed { Ok(true) } else { Err(Failure::Told(words::ELSEWHERE)) }
            }
            _ => Ok(false),
        }
    }

    /// Takes events until the end; where they break off, looks how the answer goes on.
    async fn read(&self, place: Place<'_>, mut events: Events, progress: watch::Sender<Progress>) {
        loop {
            match events.next().await {
                Ok(Some(event)) => progress.send_modify(|known| known.take(event, Instant::now())),
                Ok(None) => break,
                Err(failure) => {
                    tracing::info!(%failure, "a stream broke off; looking how the answer goes on");
                    break;
                }
            }
            if progress.borrow().is_over() {
                return;
            }
        }
        drop(events);
        self.look(place, progress).await;
    }

    /// Looks again and again how far the answer is.
    async fn look(&self, place: Place<'_>, progress: watch::Sender<Progress>) {
        let looking = async {
            let mut in_vain = 0;
            while !progress.borrow().is_over() {
                match self.talk.gateway.view(place.key, place.conversation).await {
                    Ok((head, messages)) => {
                        in_vain = 0;
                        let answer = progress.borrow().answer.clone();
                        match messages.into_iter().find(|message| Some(&message.id) == answer.as_ref()) {
                            Some(message) => progress.send_modify(|known| known.stored(message)),
                            None if !head.busy => return,
                            None => {}
                        }
                    }
                    Err(Failure::Unreachable(_)) if in_vain < LOOKS_IN_VAIN => in_vain += 1,
                    Err(failure) => {
                        tracing::info!(%failure, "no more looking for an answer");
                        return;
                    }
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let _too_long = timeout(LOOK_FOR, looking).await;
        progress.send_modify(|known| known.finish(End::Lost));
    }

    /// Shows what is known, as often as the chat's pace allows, and the end in any case but that of the process.
    async fn show(
        &self,
        place: Place<'_>,
        mut progress: watch::Receiver<Progress>,
        mut view: View,
    ) -> Result<Showing, TelegramError> {
        let mut remembered = None;
        loop {
            self.talk.telegram.quiet(self.chat).await;
            let known = progress.borrow_and_update().clone();
            // Before, so that nothing is lost if the process dies now; after, so that it goes on in the same messages.
            self.remember(&known, place.conversation, &view, &mut remembered).await;
            if let Some(shown) = known.shown(Instant::now()) {
                match view.show(&self.talk.telegram, cut(&shown, MOST)).await {
                    Err(TelegramError::Refused(reason)) if !known.is_over() => {
                        tracing::warn!(reason, "Telegram refuses a piece of an answer");
                    }
                    done => done?,
                }
            }
            if known.is_over() {
                return Ok(Showing::Whole);
            }
            self.remember(&known, place.conversation, &view, &mut remembered).await;
            tokio::select! {
                () = self.talk.tasks.draining().cancelled() => return Ok(Showing::CutShort),
                changed = progress.changed() => {
                    // Whoever read has given up without an end: there is none to show.
                    if changed.is_err() && !progress.borrow().is_over() {
                        return Ok(Showing::Whole);
                    }
                }
                () = sleep(COUNT_EVERY), if known.counts() => {}
            }
        }
    }

    /// Keeps in memory which messages show the answer, so that a later process can go on.
    async fn remember(
        &self,
        known: &Progress,
        conversation: &str,
        view: &View,
        remembered: &mut Option<Unfinished>,
    ) {
        let Some(answer) = known.answer.clone() else { return };
        let unfinished =
            Unfinished { conversation: conversation.to_owned(), answer, messages: view.messages() };
        if remembered.as_ref() != Some(&unfinished) {
            *remembered = Some(unfinished.clone());
            self.talk.memory.change(|state| state.unfinished.insert(self.id, unfinished)).await;
        }
    }
}
