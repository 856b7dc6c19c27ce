//! The store of a fleet in AWS: one DynamoDB table, on demand, with `PK` and `SK` as its keys.
//!
//! Every condition is the table's own, never a read before a write. What must be current is read consistently; keys,
//! denials and people, which have partitions of their own, and the heads of a person's conversations are listed by the
//! sparse index `listed`, since a scan, or a query of the person, would read every message. The one scan is everybody's usage, for a person who asks: an index over it would be one partition that
//! every request writes to.

mod client;
mod item;
mod update;
mod ranges;
mod table;
mod accounts;
mod nodes;
mod shared;
mod quota;
mod messages;
mod conversations;
mod oversight;

use async_trait::async_trait;

use super::record::is_id;
use super::{
    Change, DayOfUse, Denial, FleetState, KeyHash, KeyRecord, LeaseRecord, Progress, Reservation, Store,
    StoreError, Usage, WantedModel,
};
use crate::report::{NodeRecord, Order, Report, ReportAnswer, Summary};

pub use client::{DynamoStore, Patience};

#[async_trait]
impl Store for DynamoStore {
    async fn put_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        accounts::put(self, key).await
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        accounts::key(self, hash).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        accounts::keys(self, "").await
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        if !is_id(id) {
            return Err(StoreError::NotAnId(id.to_owned()));
        }
        accounts::revoke(self, id).await
    }

    async fn add_usage(&self, principal: &str, day: &str, usage: &Usage) -> Result<(), StoreError> {
        accounts::add_usage(self, principal, day, usage).await
    }

    async fn usage(&self, principal: &str, day: &str) -> Result<Usage, StoreError> {
        accounts::usage(self, principal, day).await
    }

    async fn usage_since(&self, since: &str) -> Result<Vec<DayOfUse>, StoreError> {
        accounts::usage_since(self, since).await
    }

    async fn write_report(&self, fleet: &str, report: &Report, now: i64) -> Result<ReportAnswer, StoreError> {
        nodes::write(self, fleet, report, now).await
    }

    async fn reports(&self, fleet: &str, now: i64) -> Result<Vec<NodeRecord>, StoreError> {
        nodes::current(self, fleet, now).await
    }

    async fn order(&self, fleet: &str, node: &str, order: &Order) -> Result<bool, StoreError> {
        nodes::order(self, fleet, node, order).await
    }

    async fn forget(&self, fleet: &str, node: &str) -> Result<(), StoreError> {
        self.remove(&fleet_key(fleet), &format!("NODE#{node}")).await.map(drop)
    }

    async fn write_summary(&self, fleet: &str, summary: &Summary) -> Result<(), StoreError> {
        nodes::write_summary(self, fleet, summary).await
    }

    async fn summary(&self, fleet: &str, now: i64) -> Result<Option<Summary>, StoreError> {
        nodes::summary(self, fleet, now).await
    }

    async fn lease(&self, fleet: &str) -> Result<Option<LeaseRecord>, StoreError> {
        shared::lease(self, fleet).await
    }

    async fn take_lease(
        &self,
        fleet: &str,
        owner: &str,
        observed: Option<u64>,
    ) -> Result<Change<LeaseRecord>, StoreError> {
        shared::take_lease(self, fleet, owner, observed).await
    }

    async fn state(&self, fleet: &str) -> Result<FleetState, StoreError> {
        shared::state(self, fleet).await
    }

    async fn change_state(
        &self,
        fleet: &str,
        expected: &FleetState,
        new: &FleetState,
    ) -> Result<Change<FleetState>, StoreError> {
        shared::change_state(self, fleet, expected, new).await
    }

    async fn want_model(&self, fleet: &str, model: &WantedModel) -> Result<(), StoreError> {
        shared::want(self, fleet, model).await
    }

    async fn unwant_model(&self, fleet: &str, model: &str) -> Result<bool, StoreError> {
        self.remove(&fleet_key(fleet), &format!("MODEL#{model}")).await
    }

    async fn write_progress(
        &self,
        fleet: &str,
        wish: &WantedModel,
        node: &str,
        progress: &Progress,
    ) -> Result<bool, StoreError> {
        shared::write_progress(self, fleet, wish, node, progress).await
    }

    async fn models(&self, fleet: &str) -> Result<Vec<WantedModel>, StoreError> {
        shared::models(self, fleet).await
    }

    async fn deny(&self, denial: &Denial) -> Result<(), StoreError> {
        quota::deny(self, denial).await
    }

    async fn allow(&self, principal: &str) -> Result<bool, StoreError> {
        self.remove(&format!("DENY#{principal}"), "DENY").await
    }

    async fn denial(&self, principal: &str) -> Result<Option<Denial>, StoreError> {
        quota::denial(self, principal).await
    }

    async fn denials(&self) -> Result<Vec<Denial>, StoreError> {
        quota::denials(self).await
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
        let room = super::quota::room(tokens, requests, token_limit, request_limit);
        quota::reserve(self, principal, minute, [tokens, requests], room).await
    }

    async fn settle(&self, principal: &str, minute: i64, delta_tokens: i64) -> Result<(), StoreError> {
        quota::settle(self, principal, minute, delta_tokens).await
    }
}

fn fleet_key(fleet: &str) -> String {
    format!("FLEET#{fleet}")
}

fn user_key(principal: &str) -> String {
    format!("USER#{principal}")
}

#[cfg(test)]
mod tests;
