//! A store and a shelf that count their calls and fail by script, as a process does that dies between two of them.

use std::sync::{Arc, Mutex};

use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use fleet::store::{Pen, PenHeld};

/// When the calls of a process begin to fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    /// Calls that are done before.
    pub after: usize,
    /// Is the next call done too, and only its answer lost?
    pub done: bool,
}

/// What the calls share.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub calls: Mutex<Vec<&'static str>>,
    pub crash: Mutex<Option<Crash>>,
}

impl Script {
    /// Counts a call; is it done, and does its answer come?
    fn turn(&self, call: &'static str) -> (bool, bool) {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        match *self.crash.lock().unwrap() {
            None => (true, true),
            Some(crash) if calls.len() <= crash.after => (true, true),
            Some(crash) => (crash.done && calls.len() == crash.after + 1, false),
        }
    }

    /// The calls since the last time.
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

/// Both, over real ones.
#[derive(Debug, Clone)]
pub(super) struct Faulty<T> {
    pub inner: T,
    pub script: Arc<Script>,
}

impl<T> Faulty<T> {
    async fn run<V, E>(
        &self,
        call: &'static str,
        lost: E,
        work: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let (done, answered) = self.script.turn(call);
        if !done {
            return Err(lost);
        }
        let value = work.await;
        if answered { value } else { Err(lost) }
    }
}

fn out() -> StoreError {
    StoreError::Unavailable("by script".to_owned())
}

#[async_trait]
impl<T: Shelf> Shelf for Faulty<T> {
    async fn get(&self, name: &str) -> Result<(Option<Bytes>, Seen), ArchiveError> {
        self.run("GET object", ArchiveError::Store(out()), self.inner.get(name)).await
    }

    async fn put(&self, name: &str, bytes: Bytes, seen: Seen) -> Result<(), ArchiveError> {
        self.run("PUT object", ArchiveError::Store(out()), self.inner.put(name, bytes, seen)).await
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        self.run("DELETE object", ArchiveError::Store(out()), self.inner.delete(name)).await
    }
}

#[async_trait]
impl<T: Shelf> Shelf for Arc<T> {
    async fn get(&self, name: &str) -> Result<(Option<Bytes>, Seen), ArchiveError> {
        (**self).get(name).await
    }

    async fn put(&self, name: &str, bytes: Bytes, seen: Seen) -> Result<(), ArchiveError> {
        (**self).put(name, bytes, seen).await
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        (**self).delete(name).await
    }
}

#[async_trait]
impl ConversationStore for Faulty<SqliteStore> {
    async fn begin_conversation(&self, conversation: &Conversation) -> Result<bool, StoreError> {
        self.run("begin", out(), self.inner.begin_conversation(conversation)).await
    }

    async fn conversation(&self, principal: &str, id: &str) -> Result<Option<Conversation>, StoreError> {
        self.run("head", out(), self.inner.conversation(principal, id)).await
    }

    async fn change_conversation(
        &self,
        expected: &Conversation,
        new: &Conversation,
    ) -> Result<Change<Conversation>, StoreError> {
        self.run("change head", out(), self.inner.change_conversation(expected, new)).await
    }

    async fn delete_conversation(&self, principal: &str, id: &str) -> Result<bool, StoreError> {
        self.run("delete conversation", out(), self.inner.delete_conversation(principal, id)).await
    }

    async fn take_pen(
        &self,
        principal: &str,
        id: &str,
        holder: &str,
        now: i64,
        until: i64,
    ) -> Result<PenHeld, StoreError> {
        self.run("take pen", out(), self.inner.take_pen(principal, id, holder, now, until)).await
    }

    async fn drop_pen(&self, principal: &str, id: &str, holder: &str) -> Result<(), StoreError> {
        self.run("drop pen", out(), self.inner.drop_pen(principal, id, holder)).await
    }

    async fn pen(&self, principal: &str, id: &str, now: i64) -> Result<Option<Pen>, StoreError> {
        self.run("pen", out(), self.inner.pen(principal, id, now)).await
    }

    async fn write_message(&self, principal: &str, id: &str, message: &Message) -> Result<(), StoreError> {
        self.run("write message", out(), self.inner.write_message(principal, id, message)).await
    }

    async fn messages(
        &self,
        principal: &str,
        id: &str,
        before: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.run("messages", out(), self.inner.messages(principal, id, before, most)).await
    }

    async fn delete_messages(
        &self,
        principal: &str,
        id: &str,
        from: MessageId,
        to: MessageId,
    ) -> Result<(), StoreError> {
        self.run("delete messages", out(), self.inner.delete_messages(principal, id, from, to)).await
    }
}

/// A store whose reader has messages that are not there any more.
#[derive(Debug)]
pub(super) struct Deaf {
    pub store: SqliteStore,
    pub messages: Vec<Message>,
}

#[async_trait]
impl ConversationStore for Deaf {
    async fn messages(
        &self,
        _: &str,
        _: &str,
        _: Option<MessageId>,
        _: usize,
    ) -> Result<Vec<Message>, StoreError> {
        Ok(self.messages.clone())
    }

    async fn change_conversation(
        &self,
        expected: &Conversation,
        new: &Conversation,
    ) -> Result<Change<Conversation>, StoreError> {
        self.store.change_conversation(expected, new).await
    }
}
