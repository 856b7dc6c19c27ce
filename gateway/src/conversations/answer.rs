//! The other side of a turn: an inference in the person's name, whose text is kept as it comes. It needs no reader: the
//! connection that began it may be gone long before.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet::store::{Conversation, Ending, Message, Speaker};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::clock::unix_now;
use super::pen::{Pen, busy};
use super::room::Word;
use super::shapes;
use super::store::{bounded, change, failed};
use super::tell::Sight;
use super::title::Titling;
use super::transcript;
use super::turn::{Turn, too_long};
use super::window::{Window, fit};
use crate::drain::{self, Phase};
use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::spoken::Spoken;
use crate::request::Journey;
use crate::request::account::{Account, Outcome};
use crate::request::forward::broke_off;
use crate::request::inner::Inner;
use crate::request::limit::Pass;
use crate::request::route::Route;
use crate::telling;

/// How often what has come is stored: what a process that is killed can lose.
const STORE_EVERY: Duration = Duration::from_secs(3);
/// How often the end of an answer is tried to be stored.
const TRIES: usize = 4;
/// The time between.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts at an answer of which nothing has come.
const ATTEMPTS: usize = 3;

/// An answer that is to be written.
pub(super) struct Answer {
    journey: Journey,
    route: &'static Route,
    caller: Caller,
    /// The request's.
    id: String,
    account: Mutex<Account>,
    /// The caller's place among their open requests, until the answer has ended.
    pass: Option<Pass>,
    turn: Turn,
    board: watch::Sender<Sight>,
    begun: Instant,
    /// Whole turns that were left out in the end.
    cut: AtomicU64,
    /// The answers that this one replaces are gone.
    replaced: AtomicBool,
}

/// How an answer ended.
enum End {
    Whole,
    Stopped,
    Failed(Refusal),
    /// Another may write: nothing more may be stored.
    Lost,
}

/// What is left of an answer.
struct Told {
    event: (&'static str, Value),
    /// The head, and the answer, where both are stored.
    stored: Option<(Conversation, Message)>,
}

/// Who asks, and how the asking goes on.
pub(super) struct Asking {
    /// The way to a model, on this runtime.
    pub(super) journey: Journey,
    /// The row of the request.
    pub(super) route: &'static Route,
    /// Who asks.
    pub(super) caller: Caller,
    /// Their place among their open requests.
    pub(super) pass: Option<Pass>,
    /// The request's account.
    pub(super) account: Account,
    /// When the question came.
    pub(super) begun: Instant,
}

impl Answer {
    /// An answer to this turn, of which nothing is there yet.
    pub(super) fn new(asking: Asking, turn: Turn, board: watch::Sender<Sight>) -> Self {
        let Asking { journey, route, caller, pass, account, begun } = asking;
        Self {
            journey,
            route,
            caller,
            id: account.id.clone(),
            account: Mutex::new(account),
            pass,
            cut: AtomicU64::new(turn.turns_cut),
            turn,
            board,
            begun,
            replaced: AtomicBool::new(false),
        }
    }

    /// Has it written, stores it, and tells of its end once the next may write.
    pub(super) async fn write(mut self, pen: Pen) {
        let ended = CancellationToken::new();
        let work = async {
            let end = self.end(&pen).await;
            ended.cancel();
            end
        };
        // What is being stored when the answer ends is waited for: it must not come behind the end.
        let (end, ()) = tokio::join!(work, self.save(&pen, &ended));
        let told = self.conclude(&end, &pen).await;
        match &end {
            End::Whole | End::Stopped => self.account().outcome = Outcome::Answered,
            End::Failed(refusal) => self.account().refused(refusal),
            End::Lost => self.account().refused(&busy()),
        }
        pen.lay_down().await;
        self.pass = None; // who hears of the end may send the next at once
        self.board.send_modify(|sight| sight.end = Some(told.event));
        if let (End::Whole, Some((conversation, answer))) = (end, told.stored) {
            self.entitle(conversation, answer.content);
        }
    }

    /// Works on it until it is whole, or must end.
    async fn end(&self, pen: &Pen) -> End {
        let shared = &self.journey.shared;
        tokio::select! {
            biased;
            word = pen.told() => if word == Word::Lost { End::Lost } else { End::Stopped },
            () = shared.denials.shut_out(&self.caller.principal) => End::Failed(Refusal::Denied),
            answered = Box::pin(self.generate()) => match answered {
                Ok(()) => End::Whole,
                Err(refusal) => End::Failed(refusal),
            },
            () = shared.drain.ending() => End::Failed(drain::cut_short()),
        }
    }

    /// An attempt, and another where nothing has come of it: with less to read where that was too much.
    async fn generate(&self) -> Result<(), Refusal> {
        let (mut window, mut attempts) = (self.turn.window, 0);
        loop {
            attempts += 1;
            let attempted = self.attempt(window, attempts == 1).await;
            let may_again = attempts < ATTEMPTS && self.board.borrow().text.is_empty();
            match attempted {
                Err(Refusal::Ollama { status: StatusCode::BAD_REQUEST, text })
                    if may_again && text.contains("context size") =>
                {
                    window = window.tightened();
                }
                Err(Refusal::Upstream { .. }) if may_again && attempts == 1 => {}
                other => return other,
            }
            self.board.send_modify(|sight| sight.flowing = false);
        }
    }

    async fn attempt(&self, window: Window, first: bool) -> Result<(), Refusal> {
        let body = self.body(window)?;
        let account = self.account().part();
        let inner = Inner { route: self.route, caller: &self.caller, id: &self.id, first, account };
        let mut relay = self.journey.ask_within(inner, body).await?;
        self.board.send_modify(|sight| sight.flowing = true);
        let mut spoken = Spoken::default();
        while let Some(bytes) = poll_fn(|cx| relay.poll_bytes(cx)).await {
            let pushed = spoken.push(&bytes.map_err(|_| broke_off(true))?);
            self.show(&spoken.text);
            pushed?;
        }
        if spoken.whole { Ok(()) } else { Err(broke_off(true)) }
    }

    /// Only what was stored goes to the model: the person's words as a person's, its own as its own.
    fn body(&self, window: Window) -> Result<Bytes, Refusal> {
        let Turn { conversation, said, unread, model, .. } = &self.turn;
        let context = fit(&conversation.system, said, *unread, window).map_err(too_long)?;
        self.cut.store(context.turns_cut, Ordering::Relaxed);
        let system = Some(&conversation.system).filter(|system| !system.is_empty());
        let system = system.map(|system| json!({ "role": "system", "content": system }));
        let said = context.messages.iter().map(|one| json!({ "role": one.role, "content": one.content }));
        let messages: Vec<_> = system.into_iter().chain(said).collect();
        let options = &conversation.options;
        let body = json!({ "model": model.as_str(), "messages": messages, "stream": true, "think": false, "options": options });
        Ok(Bytes::from(body.to_string()))
    }

    /// Puts on the board what has come, without the space that many models begin with.
    fn show(&self, text: &str) {
        let text = text.trim_start();
        self.board.send_if_modified(|sight| {
            let news = &text[sight.text.len()..];
            if !news.is_empty() {
                sight.text.push_str(news);
                sight.first.get_or_insert(self.begun.elapsed());
            }
            !news.is_empty()
        });
    }

    /// Stores what has come, now and then, until it has ended.
    async fn save(&self, pen: &Pen, ended: &CancellationToken) {
        let mut saved = 0;
        loop {
            tokio::select! {
                () = ended.cancelled() => return,
                () = sleep(STORE_EVERY) => {}
            }
            let message = self.message(Ending::Writing);
            if message.content.len() == saved || pen.is_lost() {
                continue;
            }
            saved = message.content.len();
            if self.store(&message).await.is_err() {
                tracing::debug!("a part of an answer was not stored; the next will be");
            }
        }
    }

    /// The answer as it is now.
    fn message(&self, state: Ending) -> Message {
        let sight = self.board.borrow();
        let spent = self.account().spent();
        Message {
            id: self.turn.answer,
            role: Speaker::Assistant,
            content: sight.text.clone(),
            state,
            at: unix_now(),
            prompt_tokens: spent.prompt_tokens,
            output_tokens: spent.output_tokens,
            first_token_seconds: sight.first.map_or(0.0, in_seconds),
            seconds: in_seconds(self.begun.elapsed()),
            turns_cut: self.cut.load(Ordering::Relaxed),
        }
    }

    /// Stores it, and removes what it replaces, once. The new one first, where both are in the table.
    async fn store(&self, message: &Message) -> Result<(), Refusal> {
        let shared = &self.journey.shared;
        let Conversation { principal, id, archive, .. } = &self.turn.conversation;
        let goes = self.turn.old.first().zip(self.turn.old.last());
        let goes = goes.filter(|_| !self.replaced.load(Ordering::Relaxed));
        let until = archive.as_ref().map(|archive| archive.until);
        let archived = goes.is_some_and(|(from, _)| until.is_some_and(|until| from.id <= until));
        if let Some((from, _)) = goes.filter(|_| archived) {
            transcript::truncate(shared, &self.turn.conversation, from.id).await?;
            self.replaced.store(true, Ordering::Relaxed);
        }
        bounded(shared.store.write_message(principal, id, message)).await.map_err(failed)?;
        if let Some((from, to)) = goes.filter(|_| !archived) {
            bounded(shared.store.delete_messages(principal, id, from.id, to.id)).await.map_err(failed)?;
            self.replaced.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Stores the answer as it ended, and the head with it.
    async fn conclude(&self, end: &End, pen: &Pen) -> Told {
        let state = match end {
            End::Whole => Ending::Whole,
            End::Stopped => Ending::Stopped,
            End::Failed(_) | End::Lost => Ending::Broken,
        };
        let answer = self.message(state);
        let cost = (answer.prompt_tokens, answer.output_tokens);
        let old = self.turn.old.last();
        // Where nothing came, nothing is kept, but for what a person or the model has ended there; an older answer stays.
        let keep = !answer.content.is_empty()
            || state == Ending::Whole
            || (state == Ending::Stopped && old.is_none());
        let others = self.turn.others;
        let stored = async {
            if keep {
                self.surely(pen, || self.store(&answer)).await?;
            }
            let messages = others + if keep { 1 } else { self.turn.old.len() as u64 };
            let head = self.surely(pen, || self.head(messages, cost)).await?;
            Ok((head, if keep { Some(answer.clone()) } else { old.cloned() }))
        };
        let stored: Result<_, Refusal> = stored.await;
        match (end, stored) {
            (End::Whole | End::Stopped, Ok((head, Some(message)))) => Told {
                event: (
                    "message",
                    json!({ "message": shapes::message(&message, false), "conversation": shapes::whole(&head, false) }),
                ),
                stored: Some((head, message)),
            },
            (End::Failed(refusal), Ok((_, message))) => self.failed(refusal, message.as_ref()),
            (End::Failed(refusal), Err(_)) => self.failed(refusal, None),
            (_, Err(refusal)) => self.failed(&refusal, None),
            (_, Ok(_)) => self.failed(&Refusal::Bug, None),
        }
    }

    fn failed(&self, refusal: &Refusal, kept: Option<&Message>) -> Told {
        let waits = !self.journey.shared.wake.until_ready().is_zero() && !self.board.borrow().flowing;
        let mut error = telling::error(refusal, waits);
        error["message"] = kept.map_or(Value::Null, |message| shapes::message(message, false));
        Told { event: ("error", error), stored: None }
    }

    async fn head(&self, messages: u64, (prompt, output): (u64, u64)) -> Result<Conversation, Refusal> {
        let (now, there) = (unix_now(), self.turn.conversation.clone());
        change(&*self.journey.shared.store, there, |head| {
            (head.messages, head.updated) = (messages, now);
            head.prompt_tokens += prompt;
            head.output_tokens += output;
        })
        .await
    }

    /// Does what the store must do now, as long as the pen is ours and the store only faltered.
    async fn surely<T, F>(&self, pen: &Pen, store: impl Fn() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let mut tries = 0;
        loop {
            if pen.is_lost() {
                return Err(busy());
            }
            tries += 1;
            match store().await {
                Err(Refusal::Overloaded { .. }) if tries < TRIES => sleep(PAUSE).await,
                other => return other,
            }
        }
    }

    /// Has a title made of the first whole answer, unless a person chose one.
    fn entitle(&self, conversation: Conversation, answer: String) {
        let shared = &self.journey.shared;
        let stays = shared.drain.phase() == Phase::Serving && shared.config.conversations.titles;
        let question = self.turn.said.last().filter(|_| stays && self.turn.first && !conversation.titled);
        let Some(question) = question else { return };
        let titling = Titling {
            journey: self.journey.apart(),
            route: self.route,
            caller: self.caller.clone(),
            id: self.id.clone(),
            conversation,
            model: self.turn.model.clone(),
            said: (question.content.clone(), answer),
        };
        shared.tasks.spawn_background(titling.make());
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
