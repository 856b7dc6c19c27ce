//! The embedded store: one SQLite file, shared by the processes of one machine.
//!
//! SQLite blocks, and a write waits for other processes; so it never runs on a runtime's thread. Two threads of its
//! own, one to read and one to write, take closures from bounded channels: reads never wait behind a write.

mod schema;
mod worker;
mod items;
mod accounts;
mod nodes;
mod shared;
mod quota;
mod conversations;
mod oversight;

use std::path::Path;

use async_trait::async_trait;

use super::record::{in_order, is_id};
use super::{
    Change, DayOfUse, Denial, FleetState, KeyHash, KeyRecord, LeaseRecord, Progress, Reservation, Store,
    StoreError, Usage, WantedModel,
};
use crate::report::{NodeRecord, Order, Report, ReportAnswer, Summary};
use items::json;
use worker::Worker;

/// The table in one file. Clones share the threads; the last one ends them.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    reader: Worker,
    writer: Worker,
}

impl SqliteStore {
    /// Opens the file, makes it where there is none (mode 0600), and brings its tables up to date. Blocks for some
    /// milliseconds, up to 5 s where another process is doing the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the file cannot be opened or written; [`StoreError::Unreadable`] where it
    /// is no SQLite file, or one of a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = Worker::start("store-write", schema::open(path)?)?;
        let reader = Worker::start("store-read", schema::open(path)?)?;
        Ok(Self { reader, writer })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn put_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let (pk, document) = (format!("KEY#{}", key.hash), key.document());
        self.writer.call(move |file| accounts::put(file, &pk, &json(&document)?)).await
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        let hash = *hash;
        self.reader.call(move |file| accounts::key(file, hash)).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        accounts::records(self.reader.call(|file| accounts::keys(file)).await?)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        if !is_id(id) {
            return Err(StoreError::NotAnId(id.to_owned()));
        }
        let prefix = id.to_owned();
        let found = self.writer.call(move |file| accounts::revoke(file, &prefix)).await?;
        if found > 1 { Err(StoreError::Ambiguous(id.to_owned())) } else { Ok(found == 1) }
    }

    async fn add_usage(&self, principal: &str, day: &str, usage: &Usage) -> Result<(), StoreError> {
        let (pk, sk, usage) = (user(principal), format!("USAGE#{day}"), *usage);
        self.writer.call(move |file| accounts::add(file, &pk, &sk, &usage)).await
    }

    async fn usage(&self, principal: &str, day: &str) -> Result<Usage, StoreError> {
        let (pk, sk) = (user(principal), format!("USAGE#{day}"));
        self.reader.call(move |file| Ok(items::get(file, &pk, &sk)?.unwrap_or_default())).await
    }

    async fn usage_since(&self, since: &str) -> Result<Vec<DayOfUse>, StoreError> {
        let from = format!("USAGE#{since}");
        in_order(self.reader.call(move |file| accounts::used_since(file, &from)).await?)
    }

    async fn write_report(&self, fleet: &str, report: &Report, now: i64) -> Result<ReportAnswer, StoreError> {
        let (pk, sk) = (place(fleet), format!("NODE#{}", report.node));
        let text = report.encode().map_err(|error| StoreError::Unreadable(error.to_string()))?;
        self.writer.call(move |file| nodes::write(file, &pk, &sk, &text, now)).await
    }

    async fn reports(&self, fleet: &str, now: i64) -> Result<Vec<NodeRecord>, StoreError> {
        let pk = place(fleet);
        self.reader.call(move |file| nodes::current(file, &pk, now)).await
    }

    async fn order(&self, fleet: &str, node: &str, order: &Order) -> Result<bool, StoreError> {
        let (pk, sk, order) = (place(fleet), format!("NODE#{node}"), *order);
        self.writer.call(move |file| nodes::order(file, &pk, &sk, &order)).await
    }

    async fn forget(&self, fleet: &str, node: &str) -> Result<(), StoreError> {
        let (pk, sk) = (place(fleet), format!("NODE#{node}"));
        self.writer.call(move |file| items::remove(file, &pk, &sk).map(drop)).await
    }

    async fn write_summary(&self, fleet: &str, summary: &Summary) -> Result<(), StoreError> {
        let (pk, summary) = (place(fleet), summary.clone());
        self.writer.call(move |file| items::put(file, &pk, "SUMMARY", &summary)).await
    }

    async fn summary(&self, fleet: &str, now: i64) -> Result<Option<Summary>, StoreError> {
        let pk = place(fleet);
        let found: Option<Summary> = self.reader.call(move |file| items::get(file, &pk, "SUMMARY")).await?;
        Ok(found.filter(|summary| summary.is_current(now)))
    }

    async fn lease(&self, fleet: &str) -> Result<Option<LeaseRecord>, StoreError> {
        let pk = place(fleet);
        self.reader.call(move |file| items::get(file, &pk, shared::LEASE)).await
    }

    async fn take_lease(
        &self,
        fleet: &str,
        owner: &str,
        observed: Option<u64>,
    ) -> Result<Change<LeaseRecord>, StoreError> {
        let (pk, owner) = (place(fleet), owner.to_owned());
        self.writer.call(move |file| shared::take_lease(file, &pk, owner, observed)).await
    }

    async fn state(&self, fleet: &str) -> Result<FleetState, StoreError> {
        let pk = place(fleet);
        self.reader.call(move |file| Ok(items::get(file, &pk, shared::STATE)?.unwrap_or_default())).await
    }

    async fn change_state(
        &self,
        fleet: &str,
        expected: &FleetState,
        new: &FleetState,
    ) -> Result<Change<FleetState>, StoreError> {
        let (pk, expected, new) = (place(fleet), expected.version, new.after(expected));
        self.writer.call(move |file| shared::change_state(file, &pk, expected, new)).await
    }

    async fn want_model(&self, fleet: &str, model: &WantedModel) -> Result<(), StoreError> {
        let model = WantedModel { progress: Default::default(), ..model.clone() };
        let (pk, sk) = (place(fleet), format!("MODEL#{}", model.name));
        self.writer
            .call(move |file| items::durably(file, |change| items::put(change, &pk, &sk, &model)))
            .await
    }

    async fn unwant_model(&self, fleet: &str, model: &str) -> Result<bool, StoreError> {
        let (pk, sk) = (place(fleet), format!("MODEL#{model}"));
        self.writer.call(move |file| items::durably(file, |change| items::remove(change, &pk, &sk))).await
    }

    async fn write_progress(
        &self,
        fleet: &str,
        wish: &WantedModel,
        node: &str,
        progress: &Progress,
    ) -> Result<bool, StoreError> {
        let (pk, sk) = (place(fleet), format!("MODEL#{}", wish.name));
        let (source, node, progress) = (wish.source.clone(), node.to_owned(), progress.clone());
        self.writer.call(move |file| shared::progress(file, [&pk, &sk], &source, node, progress)).await
    }

    async fn models(&self, fleet: &str) -> Result<Vec<WantedModel>, StoreError> {
        let pk = place(fleet);
        self.reader.call(move |file| items::list(file, &pk, "MODEL#")).await
    }

    async fn deny(&self, denial: &Denial) -> Result<(), StoreError> {
        let (pk, denial) = (format!("DENY#{}", denial.principal), denial.clone());
        self.writer
            .call(move |file| items::durably(file, |change| items::put(change, &pk, "DENY", &denial)))
            .await
    }

    async fn allow(&self, principal: &str) -> Result<bool, StoreError> {
        let pk = format!("DENY#{principal}");
        self.writer.call(move |file| items::durably(file, |change| items::remove(change, &pk, "DENY"))).await
    }

    async fn denial(&self, principal: &str) -> Result<Option<Denial>, StoreError> {
        let pk = format!("DENY#{principal}");
        self.reader.call(move |file| items::get(file, &pk, "DENY")).await
    }

    async fn denials(&self) -> Result<Vec<Denial>, StoreError> {
        self.reader.call(|file| quota::denials(file)).await
    }

    async fn reserve(
        &self,
        principal: &str,
        minute: i64,
        tokens: u64,
        requests: u64,
        token_limit: u64,
        request_limit: u64,
    ) -> Result<Reservation, StoreError> {
        let (pk, room) = (user(principal), super::quota::room(tokens, requests, token_limit, request_limit));
        self.writer.call(move |file| quota::reserve(file, &pk, minute, [tokens, requests], room)).await
    }

    async fn settle(&self, principal: &str, minute: i64, delta_tokens: i64) -> Result<(), StoreError> {
        let pk = user(principal);
        self.writer.call(move |file| quota::settle(file, &pk, minute, delta_tokens)).await
    }
}

fn place(fleet: &str) -> String {
    format!("FLEET#{fleet}")
}

fn user(principal: &str) -> String {
    format!("USER#{principal}")
}

#[cfg(test)]
mod tests;
