//! A fake of Telegram on a loopback address, for tests and the demo: its Bot API for one bot, and people who write to it.
//!
//! It fakes getMe, getUpdates (long polling, offsets, one poller at a time), deleteWebhook, setMyCommands, sendMessage,
//! editMessageText, deleteMessage, sendChatAction and sendDocument, as core.telegram.org/bots/api tells them, with the
//! wording of the real server's errors. It holds a bot to the limits: 4096 UTF-16 units, no empty text, files of 50 MB,
//! one message a second in a chat with short bursts and thirty a second in all, flood waits, edits that change
//! nothing, marks that are wrong. Where Telegram is lenient (marks that cross each other are mended there) it refuses.
//! There are no groups of its own, no pictures, no webhooks; people are made by their first word.
//!
//! - `web`: requests in all the forms that Telegram takes, answers, and the calls that the demo's commands make
//! - `api`: the methods
//! - `text`: what a text and its marks must be
//! - `flood`: how much a bot may send
//! - `world`: what was said

mod web;
mod api;
mod text;
mod flood;
mod world;
pub mod control;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::world::World;
pub use self::world::{Failure, Message};
use crate::tasks::Tasks;

/// No wait of a test is longer: it must only be long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of the bot there is.
pub const BOT: &str = "fleet_demo_bot";

/// What the handle and the endpoints share.
pub(crate) struct Shared {
    token: String,
    world: Mutex<World>,
    /// Rises at every change.
    changes: watch::Sender<u64>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, and wakes whoever waits for that.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changes.send_modify(|count| *count += 1);
        result
    }
}

/// A running fake. Dropping it stops it.
pub struct Telegram {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
}

impl Telegram {
    /// One on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening for Telegram")?;
        let address = listener.local_addr().context("listening for Telegram")?;
        let secret: String = (0..35).map(|_| fastrand::alphanumeric()).collect();
        let shared = Arc::new(Shared {
            token: format!("{}:{secret}", fastrand::u32(100_000_000..)),
            world: Mutex::new(World::default()),
            changes: watch::Sender::default(),
        });
        let tasks = Tasks::default();
        tasks.spawn(web::serve(listener, shared.clone(), tasks.clone()));
        Ok(Self { address, shared, tasks })
    }

    /// Its address, as a bot's configuration names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token of its one bot.
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Somebody writes to the bot in a private chat.
    pub fn say(&self, from: i64, text: &str) {
        self.shared.change(|world| world.said(from, from, Some(text)));
    }

    /// Somebody sends the bot a picture.
    pub fn send_picture(&self, from: i64) {
        self.shared.change(|world| world.said(from, from, None));
    }

    /// Somebody writes in a group with the bot; groups have negative numbers.
    pub fn say_in(&self, group: i64, from: i64, text: &str) {
        self.shared.change(|world| world.said(group, from, Some(text)));
    }

    /// Gives the bot what it has been given already, as after a crash before it was confirmed.
    pub fn repeat_updates(&self) {
        self.shared.change(World::repeat);
    }

    /// Every message of a chat that has not been deleted, oldest first.
    pub fn chat(&self, chat: i64) -> Vec<Message> {
        self.shared.world().shown(chat)
    }

    /// What the bot has in a chat.
    pub fn bot_says(&self, chat: i64) -> Vec<String> {
        self.chat(chat).into_iter().filter(|message| message.by_bot).map(|message| message.text).collect()
    }

    /// Waits until the bot's messages in a chat are as wanted.
    ///
    /// # Errors
    /// When they are not after a long time: what they are then.
    pub async fn until(&self, chat: i64, wanted: impl Fn(&[String]) -> bool) -> anyhow::Result<Vec<String>> {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            loop {
                let says = self.bot_says(chat);
                if wanted(&says) || changes.changed().await.is_err() {
                    return says;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(says) => Ok(says),
            Err(_) => bail!("waited in vain; the bot says {:#?}", self.bot_says(chat)),
        }
    }

    /// Waits until the bot's last message in a chat holds these words.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn until_last(&self, chat: i64, words: &str) -> anyhow::Result<Vec<String>> {
        self.until(chat, |says| says.last().is_some_and(|last| last.contains(words)))
            .await
            .with_context(|| format!("for {words:?}"))
    }

    /// When messages were sent to or changed in a chat.
    pub fn writes(&self, chat: i64) -> Vec<Instant> {
        self.shared.world().writes(chat)
    }

    /// How often the bot sent more than it may. Scripted flood waits are not counted.
    pub fn floods(&self) -> usize {
        self.shared.world().flood.broken
    }

    /// The commands that the bot has told.
    pub fn commands(&self) -> Vec<String> {
        self.shared.world().commands.clone()
    }

    /// The next call of this method meets this.
    pub fn fail_next(&self, method: &str, failure: Failure) {
        self.shared.change(|world| world.script.push((method.to_owned(), failure)));
    }

    /// A person blocks the bot.
    pub fn block(&self, person: i64) {
        self.shared.change(|world| world.blocked.insert(person));
    }

    /// A person deletes a message on both sides.
    pub fn delete(&self, chat: i64, message: i64) {
        self.shared.change(|world| world.delete(chat, message));
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.tasks.end();
    }
}
