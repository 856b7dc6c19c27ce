//! The loop: ask Telegram for messages, hand each to its chat, once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use fleet::shutdown::Tasks;
use teloxide_core::types::{Me, Update, UpdateKind};
use tokio::time::sleep;

use crate::chat::{Chats, Heard, Talk, listed};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::memory::Memory;
use crate::telegram::{Telegram, TelegramError};

/// After a failure it is asked again: at first soon, later less often.
const AGAIN: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// The bot, before it has asked anybody anything.
pub struct Bot {
    telegram: Telegram,
    gateway: Gateway,
    memory: Memory,
    model: Option<String>,
    tasks: Tasks,
}

impl Bot {
    /// Reads its memory and makes its clients.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(config: &Config, tasks: Tasks) -> anyhow::Result<Self> {
        let memory = Memory::open(&config.state)?;
        let (telegram, gateway) = (Telegram::new(config)?, Gateway::new(&config.gateway)?);
        Ok(Self { telegram, gateway, memory, model: config.model.clone(), tasks })
    }

    /// Tells Telegram that we are there. While Telegram cannot be reached it goes on trying. None when the process is
    /// to end before.
    ///
    /// # Errors
    /// A token that Telegram does not know.
    pub async fn greet(self) -> anyhow::Result<Option<Talking>> {
        let mut failures = 0;
        let me: Me = loop {
            match self.telegram.begin(listed()).await {
                Ok(me) => break me,
                Err(error @ TelegramError::Token) => bail!("token: {error}"),
                Err(error) => {
                    tracing::warn!(%error, "Telegram does not answer yet");
                    if pause(&self.tasks, failures).await.is_none() {
                        return Ok(None);
                    }
                    failures += 1;
                }
            }
        };
        let name = me.username.clone().unwrap_or_default();
        tracing::info!(bot = name, "Telegram knows us");
        let Self { telegram, gateway, memory, model, tasks } = self;
        let talk = Arc::new(Talk::new(name, telegram, gateway, memory, tasks).with_model(model));
        Ok(Some(Talking { chats: Chats::new(talk.clone()), talk }))
    }
}

/// The bot at work.
pub struct Talking {
    talk: Arc<Talk>,
    chats: Chats,
}

impl Talking {
    /// Takes messages until the process is to end.
    ///
    /// # Errors
    /// A token that is no more.
    pub async fn talk(&self) -> anyhow::Result<()> {
        self.chats.resume().await;
        let tasks = &self.talk.tasks;
        // The last update is named once: that confirms it. Later questions name none, since after a quiet week
        // Telegram's numbers begin anew at any number, which may lie below.
        let (mut after, mut failures) = (None, 0);
        loop {
            let asked = tasks.draining().run_until_cancelled(self.talk.telegram.updates(after)).await;
            match asked {
                None => return Ok(()),
                Some(Ok(updates)) => {
                    failures = 0;
                    after = updates.last().map(|update| update.id.0);
                    for update in updates {
                        self.hand_on(update).await;
                    }
                }
                Some(Err(error @ TelegramError::Token)) => bail!("token: {error}"),
                Some(Err(error)) => {
                    tracing::warn!(%error, "no messages from Telegram");
                    if pause(tasks, failures).await.is_none() {
                        return Ok(());
                    }
                    failures += 1;
                }
            }
        }
    }

    async fn hand_on(&self, update: Update) {
        // Before anything is done: a process that dies in between leaves a message unanswered, never one answered
        // twice.
        if !self.talk.memory.take(update.id.0).await {
            return;
        }
        let UpdateKind::Message(message) = update.kind else { return };
        let Some(from) = message.from.as_ref().filter(|from| !from.is_bot) else { return };
        let heard = Heard {
            id: from.id.0,
            name: from.first_name.clone(),
            private: message.chat.is_private(),
            text: message.text().map(str::to_owned),
        };
        self.chats.hear(message.chat.id.0, heard);
    }
}

/// Waits a while; none when the process is to end.
async fn pause(tasks: &Tasks, failures: usize) -> Option<()> {
    tasks.draining().run_until_cancelled(sleep(AGAIN[failures.min(AGAIN.len() - 1)])).await
}
