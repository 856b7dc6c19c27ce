//! The calls to Telegram, each at its time, and its errors without the token: addresses hold it, so no error of the HTTP
//! client is ever shown.

pub mod pace;

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use reqwest_of_teloxide::Client;
use teloxide_core::payloads::{
    EditMessageTextSetters, GetUpdatesSetters, SendDocumentSetters, SendMessageSetters,
};
use teloxide_core::requests::{Request, Requester};
use teloxide_core::types::{
    AllowedUpdate, BotCommand, ChatAction, ChatId, InputFile, LinkPreviewOptions, Me, MessageId, Update,
};
use teloxide_core::{ApiError, RequestError};
use tokio::time::{Instant, sleep, sleep_until};

use self::pace::{Kind, Pace};
use crate::config::Config;
use crate::pieces::Piece;

/// Telegram holds a question for updates so long.
const POLL: Duration = Duration::from_secs(50);
/// Any other call is over by then; a file of 50 MB may take its time.
const CALL: Duration = Duration::from_secs(120);
/// A connection is there by then, or never.
const CONNECT: Duration = Duration::from_secs(10);
/// How often one call is tried: after a flood wait, or where repeating it does no harm.
const TRIES: u32 = 5;
/// The largest file that a bot may send (core.telegram.org/bots/api#senddocument: 50 MB).
pub const MOST_BYTES: usize = 50_000_000;

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// There is no bot of this token.
    #[error("Telegram does not know this token; @BotFather shows the right one")]
    Token,
    /// The person is not there for us any more: has blocked the bot, or is no more.
    #[error("the chat is closed to the bot")]
    Gone,
    /// The message is not there any more.
    #[error("the message is gone")]
    NoMessage,
    /// Another process asks for the same bot's updates.
    #[error("another bot with the same token takes the messages; only one may run")]
    Conflict,
    /// Telegram says no.
    #[error("Telegram refuses: {0}")]
    Refused(String),
    /// Telegram asks to wait, again and again.
    #[error("Telegram asks for {0} s of silence")]
    Flood(u32),
    /// There was no answer.
    #[error("Telegram cannot be reached: {0}")]
    Unreachable(String),
    /// There was one, but nothing that can be read.
    #[error("Telegram's answer cannot be read")]
    Garbled,
}

impl From<RequestError> for TelegramError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Api(error) => refused(error),
            RequestError::RetryAfter(wait) => Self::Flood(wait.seconds()),
            RequestError::Network(error) => Self::Unreachable(told(&error)),
            RequestError::MigrateToChatId(_) => Self::Gone,
            RequestError::InvalidJson { .. } => Self::Garbled,
            RequestError::Io(error) => Self::Unreachable(error.kind().to_string()),
        }
    }
}

fn refused(error: ApiError) -> TelegramError {
    match error {
        ApiError::InvalidToken => TelegramError::Token,
        ApiError::TerminatedByOtherGetUpdates => TelegramError::Conflict,
        ApiError::BotBlocked
        | ApiError::UserDeactivated
        | ApiError::ChatNotFound
        | ApiError::BotKicked
        | ApiError::BotKickedFromSupergroup
        | ApiError::CantInitiateConversation
        | ApiError::CantTalkWithBots => TelegramError::Gone,
        ApiError::MessageToEditNotFound
        | ApiError::MessageToDeleteNotFound
        | ApiError::MessageCantBeEdited
        | ApiError::MessageCantBeDeleted
        | ApiError::MessageIdInvalid => TelegramError::NoMessage,
        error => TelegramError::Refused(error.to_string()),
    }
}

/// The causes without the outermost text, which has the address, and that the token.
fn told(error: &reqwest_of_teloxide::Error) -> String {
    let mut told = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if error.is_connect() => "no connection".to_owned(),
        () => "the connection broke".to_owned(),
    };
    let mut source = error.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}

/// Telegram, seen by one bot.
pub struct Telegram {
    bot: teloxide_core::Bot,
    pace: Mutex<Pace>,
}

impl Telegram {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// An address that cannot be used, or no TLS.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        // Its HTTP client takes the process's crypto provider: ours is the only one that is linked. A second call
        // changes nothing.
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().connect_timeout(CONNECT).timeout(CALL).tcp_nodelay(true);
        let url = config.telegram_url.parse().context("telegram_url")?;
        let client = client.build().map_err(|error| anyhow::anyhow!("making a client: {}", told(&error)))?;
        let bot = teloxide_core::Bot::with_client(config.token.reveal(), client).set_api_url(url);
        Ok(Self { bot, pace: Mutex::new(Pace::new(Instant::now())) })
    }

    /// Who we are; and from now on messages come by asking for them.
    ///
    /// # Errors
    /// [`TelegramError::Token`] where there is no such bot.
    pub async fn begin(&self, commands: Vec<BotCommand>) -> Result<Me, TelegramError> {
        let me = self.bot.get_me().send().await?;
        self.bot.delete_webhook().send().await?;
        self.bot.set_my_commands(commands).send().await?;
        Ok(me)
    }

    /// What came, or nothing after a while. `after` says which update was the last: those up to it will not be given
    /// again.
    ///
    /// # Errors
    /// As every call.
    pub async fn updates(&self, after: Option<u32>) -> Result<Vec<Update>, TelegramError> {
        let mut asked = self
            .bot
            .get_updates()
            .timeout(u32::try_from(POLL.as_secs()).unwrap_or(0))
            .allowed_updates([AllowedUpdate::Message]);
        if let Some(next) = after.and_then(|last| i32::try_from(last).ok()?.checked_add(1)) {
            asked = asked.offset(next);
        }
        Ok(asked.send().await?)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As every call.
    pub async fn send(&self, chat: i64, piece: &Piece) -> Result<i32, TelegramError> {
        let sent = self
            .formatted(piece, |entities| async move {
                self.at_its_time(chat, Kind::New, || {
                    let message = self.bot.send_message(ChatId(chat), &piece.text);
                    message.entities(entities.to_vec()).link_preview_options(NO_PREVIEW).send()
                })
                .await
            })
            .await?;
        Ok(sent.id.0)
    }

    /// Changes a message. One that says so already is changed.
    ///
    /// # Errors
    /// [`TelegramError::NoMessage`] where the person has deleted it.
    pub async fn edit(&self, chat: i64, message: i32, piece: &Piece) -> Result<(), TelegramError> {
        let edited = self
            .formatted(piece, |entities| async move {
                self.at_its_time(chat, Kind::Edit, || {
                    let edit = self.bot.edit_message_text(ChatId(chat), MessageId(message), &piece.text);
                    edit.entities(entities.to_vec()).link_preview_options(NO_PREVIEW).send()
                })
                .await
            })
            .await;
        match edited {
            Ok(_) | Err(RequestError::Api(ApiError::MessageNotModified)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// With the marks, and without them where Telegram does not like them: the words matter more.
    async fn formatted<'a, T, F>(
        &self,
        piece: &'a Piece,
        call: impl Fn(&'a [teloxide_core::types::MessageEntity]) -> F,
    ) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let done = call(&piece.entities).await;
        match &done {
            Err(RequestError::Api(ApiError::CantParseEntities(_) | ApiError::Unknown(_)))
                if !piece.entities.is_empty() =>
            {
                tracing::warn!("Telegram refuses the marks of a message; it goes without");
                call(&[]).await
            }
            _ => done,
        }
    }

    /// Takes a message away again.
    ///
    /// # Errors
    /// As every call.
    pub async fn delete(&self, chat: i64, message: i32) -> Result<(), TelegramError> {
        self.at_its_time(chat, Kind::Edit, || {
            self.bot.delete_message(ChatId(chat), MessageId(message)).send()
        })
        .await?;
        Ok(())
    }

    /// Sends a file.
    ///
    /// # Errors
    /// As every call.
    pub async fn document(
        &self,
        chat: i64,
        name: &str,
        bytes: Bytes,
        caption: &str,
    ) -> Result<(), TelegramError> {
        self.at_its_time(chat, Kind::New, || {
            let file = InputFile::memory(bytes.clone()).file_name(name.to_owned());
            self.bot.send_document(ChatId(chat), file).caption(caption).send()
        })
        .await?;
        Ok(())
    }

    /// Shows for five seconds that something is being written. If not, nothing is lost.
    pub async fn typing(&self, chat: i64) {
        let _unseen = self.bot.send_chat_action(ChatId(chat), ChatAction::Typing).send().await;
    }

    /// Waits until an edit would go at once, so that it can say what is true then.
    pub async fn quiet(&self, chat: i64) {
        let at = self.pace().free_at(chat, Kind::Edit, Instant::now());
        sleep_until(at).await;
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call when its time has come, and again where that can help and not harm: a message that may have
    /// arrived is not sent twice.
    async fn at_its_time<T, F>(&self, chat: i64, kind: Kind, call: impl Fn() -> F) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let mut tried = 0;
        loop {
            tried += 1;
            let at = self.pace().take(chat, kind, Instant::now());
            sleep_until(at).await;
            let at = self.pace().take_among_all(Instant::now());
            sleep_until(at).await;
            match call().await {
                Err(RequestError::RetryAfter(wait)) if tried < TRIES => {
                    tracing::warn!(seconds = wait.seconds(), "Telegram asks to wait");
                    self.pace().hold(chat, Instant::now() + wait.duration());
                }
                Err(RequestError::Network(error))
                    if tried < TRIES && (kind == Kind::Edit || error.is_connect()) =>
                {
                    tracing::warn!(error = told(&error), "Telegram cannot be reached; once more");
                    sleep(Duration::from_secs(1 << tried)).await;
                }
                done => return done,
            }
        }
    }
}

/// Answers are full of addresses; a picture of the first one says little.
const NO_PREVIEW: LinkPreviewOptions = LinkPreviewOptions {
    is_disabled: true,
    url: None,
    prefer_small_media: false,
    prefer_large_media: false,
    show_above_text: false,
};
