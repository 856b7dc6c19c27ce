//! Reports, orders and the summary.

use super::client::DynamoStore;
use super::fleet_key;
use super::item::{Item, count_of, json, json_of, number, number_of, text, text_of};
use super::table::EXPIRES_AT;
use super::update::{Outcome, Repeat};
use crate::report::{EXPIRES_AFTER, NodeRecord, Order, OrderKind, Report, ReportAnswer, Summary, is_current};
use crate::store::StoreError;
use crate::store::quota::signed;

/// Writes a report and gives the order beside it.
pub(super) async fn write(
    store: &DynamoStore,
    fleet: &str,
    report: &Report,
    now: i64,
) -> Result<ReportAnswer, StoreError> {
    let encoded = report.encode().map_err(|error| StoreError::Unreadable(error.to_string()))?;
    let update = store
        .update(&fleet_key(fleet), &format!("NODE#{}", report.node))
        .set("report", text(encoded))
        .set("written_at", number(now))
        .set(EXPIRES_AT, number(now + EXPIRES_AFTER));
    match update.run(Repeat::Safe).await? {
        Outcome::Made(item) => answer(&item),
        Outcome::Refused(_) => Err(StoreError::Unavailable("a report was refused".to_owned())),
    }
}

fn answer(item: &Item) -> Result<ReportAnswer, StoreError> {
    let order = match item.get("order") {
        None => OrderKind::None,
        Some(_) => serde_json::from_value(text_of(item, "order")?.into())
            .map_err(|error| StoreError::Unreadable(error.to_string()))?,
    };
    Ok(ReportAnswer {
        order,
        order_seq: count_of(item, "order_seq")?,
        order_until: count_of(item, "order_until")?,
    })
}

/// The reports that still count. The table may keep what has expired for days. One that this version cannot read is as
/// good as none: its node is unknown, and what is unknown counts as busy.
pub(super) async fn current(
    store: &DynamoStore,
    fleet: &str,
    now: i64,
) -> Result<Vec<NodeRecord>, StoreError> {
    let items = store.list(&fleet_key(fleet), "NODE#").await?;
    let readable = |item: &Item| {
        record(item, now)
            .inspect_err(|error| tracing::warn!(%error, "a report cannot be read"))
            .ok()
            .flatten()
    };
    Ok(items.iter().filter_map(readable).collect())
}

fn record(item: &Item, now: i64) -> Result<Option<NodeRecord>, StoreError> {
    let written_at: i64 = count_of(item, "written_at")?;
    let expires_at: i64 = count_of(item, EXPIRES_AT)?;
    if expires_at <= now || !is_current(written_at, now) {
        return Ok(None);
    }
    Ok(Some(NodeRecord { report: json_of(item, "report")?, written_at, answer: answer(item)? }))
}

/// Writes an order beside a report; false where there is none, or a later order.
pub(super) async fn order(
    store: &DynamoStore,
    fleet: &str,
    node: &str,
    order: &Order,
) -> Result<bool, StoreError> {
    let kind = match order.kind {
        OrderKind::None => "none",
        OrderKind::Drain => "drain",
    };
    let update = store
        .update(&fleet_key(fleet), &format!("NODE#{node}"))
        .set("order", text(kind))
        .set("order_seq", number(signed(order.seq)))
        .set("order_until", number(order.until))
        .name("PK")
        .only_if("attribute_exists(#PK) AND (attribute_not_exists(#order_seq) OR #order_seq <= :order_seq)");
    Ok(matches!(update.run(Repeat::Safe).await?, Outcome::Made(_)))
}

pub(super) async fn write_summary(
    store: &DynamoStore,
    fleet: &str,
    summary: &Summary,
) -> Result<(), StoreError> {
    let fields = [("nodes", json(&summary.nodes)?), ("written_at", number(summary.written_at))];
    store.put(&fleet_key(fleet), "SUMMARY", fields).await
}

pub(super) async fn summary(
    store: &DynamoStore,
    fleet: &str,
    now: i64,
) -> Result<Option<Summary>, StoreError> {
    let Some(item) = store.read(&fleet_key(fleet), "SUMMARY", false).await? else { return Ok(None) };
    let written_at = number_of(&item, "written_at")?.unwrap_or_default();
    let summary = Summary { written_at, nodes: json_of(&item, "nodes")? };
    Ok(Some(summary).filter(|summary| summary.is_current(now)))
}
