//! A bot in this process, between a fake Telegram and a scripted gateway. All of it ends with the test.

use std::path::PathBuf;

use bot::config::{self, Config};
use bot::run::Bot;
use demo::telegram::Telegram;
use fleet::shutdown::Tasks;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::scripted::{CODE, OWN_KEY, Scripted};

/// The person of most tests.
pub const ANN: i64 = 41;

/// Everything around a bot, and the bot while it runs.
pub struct World {
    pub telegram: Telegram,
    pub gateway: Scripted,
    pub folder: TempDir,
    running: Option<(Tasks, JoinHandle<()>)>,
}

impl World {
    /// With a running bot that knows nobody.
    pub async fn new() -> Self {
        let (telegram, gateway) = (Telegram::start().await.unwrap(), Scripted::start().await);
        let mut world = Self { telegram, gateway, folder: TempDir::new().unwrap(), running: None };
        world.start_bot();
        world
    }

    /// The same, and Ann is linked.
    pub async fn linked() -> Self {
        let world = Self::new().await;
        world.telegram.say(ANN, &format!("/start {CODE}"));
        world.last("You are linked").await;
        world
    }

    /// The file of its memory.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// Its configuration.
    pub fn toml(&self) -> String {
        format!(
            "token = \"{}\"\ntelegram_url = \"{}\"\nstate = {:?}\n[gateway]\nurl = \"{}\"\nkey = \"{OWN_KEY}\"\n",
            self.telegram.token(),
            self.telegram.url(),
            self.state(),
            self.gateway.url,
        )
    }

    pub fn start_bot(&mut self) {
        self.start_bot_with("");
    }

    /// With these keys before the others.
    pub fn start_bot_with(&mut self, keys: &str) {
        let config: Config = config::from_toml(&format!("{keys}{}", self.toml())).unwrap();
        let tasks = Tasks::new();
        let bot = Bot::new(&config, tasks.clone()).unwrap();
        let talking = tokio::spawn(async move {
            let talking = bot.greet().await.unwrap();
            if let Some(talking) = talking {
                talking.talk().await.unwrap();
            }
        });
        self.running = Some((tasks, talking));
    }

    /// As at SIGTERM.
    pub async fn end_bot(&mut self) {
        let (tasks, talking) = self.running.take().unwrap();
        tasks.drain();
        talking.await.unwrap();
        tasks.finished().await;
        tasks.stop();
    }

    /// Says something as Ann.
    pub fn say(&self, text: &str) {
        self.telegram.say(ANN, text);
    }

    /// Waits until the bot's last message to Ann holds these words; all its messages then.
    pub async fn last(&self, words: &str) -> Vec<String> {
        self.telegram.until_last(ANN, words).await.unwrap()
    }

    /// Says something, and waits for the answer.
    pub async fn asked(&self, text: &str, answer: &str) -> Vec<String> {
        self.say(text);
        self.last(answer).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((tasks, talking)) = self.running.take() {
            tasks.stop();
            talking.abort();
        }
    }
}
