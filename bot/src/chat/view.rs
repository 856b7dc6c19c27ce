//! The messages of a chat that show one answer: sent when there is more, edited when something has changed.

use crate::pieces::Piece;
use crate::telegram::{Telegram, TelegramError};

/// What is shown where.
#[derive(Debug)]
pub struct View {
    chat: i64,
    /// A message, and what it says; none where an earlier process wrote it.
    shown: Vec<(i32, Option<Piece>)>,
}

impl View {
    /// Of a chat; `messages` are those that an earlier process sent.
    pub fn new(chat: i64, messages: &[i32]) -> Self {
        Self { chat, shown: messages.iter().map(|message| (*message, None)).collect() }
    }

    /// The messages.
    pub fn messages(&self) -> Vec<i32> {
        self.shown.iter().map(|(message, _)| *message).collect()
    }

    /// Makes the chat show these pieces and nothing else. What says so already is left alone.
    ///
    /// # Errors
    /// [`TelegramError::Gone`] and the like. A message that the person has deleted is left deleted.
    pub async fn show(&mut self, telegram: &Telegram, pieces: Vec<Piece>) -> Result<(), TelegramError> {
        for (at, piece) in pieces.iter().enumerate() {
            match self.shown.get_mut(at) {
                Some((_, before)) if before.as_ref() == Some(piece) => {}
                Some((message, before)) => match telegram.edit(self.chat, *message, piece).await {
                    Ok(()) | Err(TelegramError::NoMessage) => *before = Some(piece.clone()),
                    Err(error) => return Err(error),
                },
                None => {
                    let message = telegram.send(self.chat, piece).await?;
                    self.shown.push((message, Some(piece.clone())));
                }
            }
        }
        // Marks that turned out to be none, or the reverse, can make the whole shorter than its beginning.
        if !pieces.is_empty() {
            for (message, _) in self.shown.drain(pieces.len().min(self.shown.len())..) {
                match telegram.delete(self.chat, message).await {
                    Ok(()) | Err(TelegramError::NoMessage) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
