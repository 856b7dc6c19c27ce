//! The reader's side of an answer. The answer is written to a board, which holds all of it; whoever reads the board sends
//! on what is new. So a slow reader gets larger pieces, one who is gone costs nothing, and neither holds up the writer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, timeout};

use crate::error::Refusal;
use crate::identity::Caller;
use crate::ollama::names::ModelName;
use crate::process::Shared;
use crate::telling::{self, Waits};

/// An answer as far as it is.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The text that has come.
    pub(super) text: String,
    /// When the first of it came, counted from the question.
    pub(super) first: Option<Duration>,
    /// The model is at work on it; else it is waited for.
    pub(super) flowing: bool,
    /// How it ended: the last event.
    pub(super) end: Option<(&'static str, Value)>,
}

/// One reader of a board.
pub(super) struct Teller {
    /// What is read.
    pub(super) board: watch::Receiver<Sight>,
    /// Where it goes.
    pub(super) reader: mpsc::Sender<Bytes>,
    /// What is known of waits.
    pub(super) shared: Arc<Shared>,
    /// Whose answer it is.
    pub(super) caller: Caller,
    /// The model that is waited for.
    pub(super) model: ModelName,
}

/// Nobody reads any more.
struct Gone;

impl Teller {
    /// Tells all of it, from the first event to the last, as long as somebody reads.
    pub(super) async fn tell(mut self, start: Value) {
        if self.say(telling::event("start", &start)).await.is_ok() {
            let _gone = self.tell_rest().await;
        }
    }

    async fn tell_rest(&mut self) -> Result<(), Gone> {
        let mut waits = Waits::new(self.shared.config.queue.keepalive_every_seconds);
        let mut ticks = interval(waits.every());
        ticks.tick().await; // at once: nothing has had time to come
        let mut shown = 0;
        loop {
            let ticked = tokio::select! {
                changed = self.board.changed() => match changed {
                    Ok(()) => false,
                    // The writer is gone without a word.
                    Err(_) => return self.say(telling::event("error", &fault())).await,
                },
                _ = ticks.tick() => true,
                () = self.reader.closed() => return Err(Gone),
            };
            let (news, flowing, end) = {
                let sight = self.board.borrow_and_update();
                (sight.text[shown..].to_owned(), sight.flowing, sight.end.clone())
            };
            if !news.is_empty() {
                shown += news.len();
                self.say(telling::event("delta", &json!({ "text": news }))).await?;
            }
            if let Some((name, data)) = end {
                return self.say(telling::event(name, &data)).await;
            }
            if ticked {
                self.tell_wait(&mut waits, flowing).await?;
            }
        }
    }

    async fn tell_wait(&self, waits: &mut Waits, flowing: bool) -> Result<(), Gone> {
        if waits.is_silent() {
            self.say(telling::COMMENT).await?;
        }
        if flowing {
            waits.over();
            return Ok(());
        }
        match waits.tell(telling::wait(&self.shared, &self.caller, &self.model)) {
            Some(wait) => self.say(telling::event("wait", &wait)).await,
            None => Ok(()),
        }
    }

    async fn say(&self, event: Bytes) -> Result<(), Gone> {
        let patience = self.shared.config.limits.write_stall_seconds;
        timeout(patience, self.reader.send(event)).await.map_err(|_| Gone)?.map_err(|_| Gone)
    }
}

fn fault() -> Value {
    let mut fault = telling::error(&Refusal::Bug, false);
    fault["message"] = Value::Null;
    fault
}
