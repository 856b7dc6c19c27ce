//! The chats: what each person says is taken in its order, one turn at a time.
//!
//! - `commands`: what people can say
//! - `words`: what the bot says
//! - `seat`: one chat, and what each command does
//! - `turn`: a question and its answer
//! - `progress`: how far an answer is, and what of it is shown
//! - `view`: the messages that show it

mod commands;
mod words;
mod seat;
mod turn;
mod progress;
mod view;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use fleet::shutdown::Tasks;
use tokio::sync::{Semaphore, mpsc};

pub use self::commands::{Command, listed};
use self::seat::Seat;
use crate::gateway::{Failure, Gateway};
use crate::markup::Shown;
use crate::memory::Memory;
use crate::pieces::{MOST, cut};
use crate::telegram::Telegram;

/// Chats that are attended to at once. Strangers may open them too, so there is an end.
const MOST_CHATS: usize = 2000;
/// Messages of one chat that may wait; behind them they are dropped, and the person sees no answer.
const WAITING: usize = 32;
/// Exports that are held in memory at once: each may be 50 MB.
const EXPORTS: usize = 1;

/// What every chat needs.
pub struct Talk {
    /// The bot's name, without `@`.
    pub name: String,
    pub(crate) telegram: Telegram,
    pub(crate) gateway: Gateway,
    pub(crate) memory: Memory,
    pub(crate) tasks: Tasks,
    /// The model of who has chosen none.
    pub(crate) model: Option<String>,
    exports: Semaphore,
}

impl Talk {
    /// Puts the parts together.
    pub fn new(name: String, telegram: Telegram, gateway: Gateway, memory: Memory, tasks: Tasks) -> Self {
        Self { name, telegram, gateway, memory, tasks, model: None, exports: Semaphore::new(EXPORTS) }
    }

    /// The same, where who has chosen no model talks to this one.
    #[must_use]
    pub fn with_model(self, model: Option<String>) -> Self {
        Self { model, ..self }
    }

    /// Says something to a chat. Nobody waits for whether it arrived: that it did not is logged.
    async fn say(&self, chat: i64, text: &str) {
        for piece in cut(&Shown::plain(text), MOST) {
            if let Err(error) = self.telegram.send(chat, &piece).await {
                tracing::warn!(%error, "a message could not be sent");
                return;
            }
        }
    }

    /// Tells a person why a call failed. A link that is no more is forgotten.
    async fn sorry(&self, chat: i64, id: u64, failure: &Failure) {
        match failure {
            Failure::Unknown => {
                tracing::info!(telegram_id = id, "a link is no more; forgotten");
                let forget = |state: &mut crate::memory::State| {
                    state.people.remove(&id);
                    state.unfinished.remove(&id);
                };
                self.memory.change(forget).await;
            }
            Failure::Unreachable(_) | Failure::Garbled(_) => {
                tracing::warn!(%failure, "a call to the gateway failed")
            }
            Failure::Refused { .. } | Failure::Told(_) | Failure::TooLong(_) => {}
        }
        self.say(chat, &words::failure(failure)).await;
    }
}

/// What came in a chat.
#[derive(Debug)]
pub struct Heard {
    /// Who wrote.
    pub id: u64,
    /// How they call themselves.
    pub name: String,
    /// Is it a chat with the bot alone?
    pub private: bool,
    /// The text; none of a picture and the like.
    pub text: Option<String>,
}

/// All chats that something was said in lately.
#[derive(Clone)]
pub struct Chats {
    talk: Arc<Talk>,
    open: Arc<Mutex<HashMap<i64, mpsc::Sender<Heard>>>>,
}

impl Chats {
    /// None yet.
    pub fn new(talk: Arc<Talk>) -> Self {
        Self { talk, open: Arc::default() }
    }

    /// Goes on with the answers that an earlier process left unfinished.
    pub async fn resume(&self) {
        for (id, unfinished) in self.talk.memory.unfinished().await {
            if let Ok(chat) = i64::try_from(id) {
                let seat = Seat::resuming(self.talk.clone(), chat, id, unfinished).await;
                let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                if let Entry::Vacant(place) = open.entry(chat) {
                    place.insert(self.attend(chat, seat));
                }
            }
        }
    }

    /// Hands a message to its chat.
    pub fn hear(&self, chat: i64, heard: Heard) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let many = open.len() >= MOST_CHATS;
        let inbox = match open.entry(chat) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(_) if many => {
                tracing::warn!(chats = MOST_CHATS, "too many chats at once; a message is dropped");
                return;
            }
            Entry::Vacant(place) => place.insert(self.attend(chat, Seat::new(self.talk.clone(), chat))),
        };
        if inbox.try_send(heard).is_err() {
            tracing::warn!(waiting = WAITING, "too many messages in one chat; one is dropped");
        }
    }

    /// Attends to a chat until it has been quiet for long.
    fn attend(&self, chat: i64, mut seat: Seat) -> mpsc::Sender<Heard> {
        let (sender, mut inbox) = mpsc::channel(WAITING);
        let (open, tasks) = (self.open.clone(), self.talk.tasks.clone());
        self.talk.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tasks.draining().cancelled() => return,
                    heard = inbox.recv() => match heard {
                        Some(heard) => seat.take(heard).await,
                        None => return,
                    },
                    () = seat.long_quiet() => {
                        // Under the lock nothing can come any more.
                        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                        if inbox.is_empty() {
                            open.remove(&chat);
                            return;
                        }
                    }
                }
            }
        });
        sender
    }
}

/// The kind of thing a model is called: what /model takes, and what a list of them marks.
fn is_same_model(asked: &str, name: &str) -> bool {
    let whole = |text: &str| if text.contains(':') { text.to_owned() } else { format!("{text}:latest") };
    whole(asked).eq_ignore_ascii_case(&whole(name))
}
