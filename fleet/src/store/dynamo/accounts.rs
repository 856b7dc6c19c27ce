//! Keys and what was used.

use aws_sdk_dynamodb::types::AttributeValue;

use super::client::{DynamoStore, fault};
use super::item::{Item, count_of, number, number_of, text, text_of};
use super::table::LISTED;
use super::update::{Outcome, Repeat};
use super::user_key;
use crate::store::quota::signed;
use crate::store::record::in_order;
use crate::store::{DayOfUse, KeyHash, KeyRecord, MOST_DAYS_OF_USE, StoreError, Usage};

/// Pages of 1 MB that a scan reads at most: all of them are 32,768 read units, some 0.4 US cents (prices of `store/cost.rs`).
pub(super) const MOST_PAGES: usize = 256;

pub(super) async fn put(store: &DynamoStore, key: &KeyRecord) -> Result<(), StoreError> {
    let mut fields = vec![
        (LISTED, text("KEY")),
        ("owner", text(&key.owner)),
        ("roles", AttributeValue::L(key.roles.iter().map(text).collect())),
        ("created", number(key.created)),
        ("disabled", AttributeValue::Bool(key.disabled)),
    ];
    fields.extend(key.expires.map(|expires| ("expires", number(expires))));
    fields.extend(key.acts_as.as_ref().map(|principal| ("acts_as", text(principal))));
    store.put(&format!("KEY#{}", key.hash), "KEY", fields).await
}

pub(super) async fn key(store: &DynamoStore, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
    store.get(&format!("KEY#{hash}"), "KEY").await?.map(|item| record(&item)).transpose()
}

/// The keys whose hash begins with `id`, the oldest first.
pub(super) async fn keys(store: &DynamoStore, id: &str) -> Result<Vec<KeyRecord>, StoreError> {
    let items = store.listed("KEY", &format!("KEY#{id}")).await?;
    let mut records = items.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| (record.created, record.hash));
    Ok(records)
}

pub(super) async fn revoke(store: &DynamoStore, id: &str) -> Result<bool, StoreError> {
    let found = keys(store, id).await?;
    let [only] = found.as_slice() else {
        return if found.is_empty() { Ok(false) } else { Err(StoreError::Ambiguous(id.to_owned())) };
    };
    let update = store
        .update(&format!("KEY#{}", only.hash), "KEY")
        .set("disabled", AttributeValue::Bool(true))
        .name("PK")
        .only_if("attribute_exists(#PK)");
    Ok(matches!(update.run(Repeat::Safe).await?, Outcome::Made(_)))
}

fn record(item: &Item) -> Result<KeyRecord, StoreError> {
    let unreadable = || StoreError::Unreadable("an API key".to_owned());
    let place = text_of(item, "PK")?;
    let roles = item.get("roles").and_then(|roles| roles.as_l().ok()).ok_or_else(unreadable)?;
    let role = |role: &AttributeValue| role.as_s().cloned().map_err(|_| unreadable());
    let disabled =
        item.get("disabled").and_then(|disabled| disabled.as_bool().ok()).ok_or_else(unreadable)?;
    Ok(KeyRecord {
        hash: place.trim_start_matches("KEY#").parse().map_err(|_| unreadable())?,
        owner: text_of(item, "owner")?,
        roles: roles.iter().map(role).collect::<Result<_, _>>()?,
        created: number_of(item, "created")?.ok_or_else(unreadable)?,
        expires: number_of(item, "expires")?,
        disabled: *disabled,
        acts_as: item.contains_key("acts_as").then(|| text_of(item, "acts_as")).transpose()?,
    })
}

pub(super) async fn add_usage(
    store: &DynamoStore,
    principal: &str,
    day: &str,
    usage: &Usage,
) -> Result<(), StoreError> {
    let seconds = if usage.gpu_seconds.is_finite() { usage.gpu_seconds } else { 0.0 };
    let update = store
        .update(&user_key(principal), &format!("USAGE#{day}"))
        .add("prompt_tokens", number(signed(usage.prompt_tokens)))
        .add("generated_tokens", number(signed(usage.generated_tokens)))
        .add("requests", number(signed(usage.requests)))
        // Nanoseconds: the table adds decimals exactly, but refuses more than 38 digits.
        .add("gpu_seconds", number(format_args!("{seconds:.9}")));
    update.run(Repeat::Never).await.map(drop)
}

pub(super) async fn usage(store: &DynamoStore, principal: &str, day: &str) -> Result<Usage, StoreError> {
    let Some(item) = store.get(&user_key(principal), &format!("USAGE#{day}")).await? else {
        return Ok(Usage::default());
    };
    used(&item)
}

/// Everybody's days, by a scan of the whole table: it costs what the table is large, not what is found.
pub(super) async fn usage_since(store: &DynamoStore, since: &str) -> Result<Vec<DayOfUse>, StoreError> {
    let scan = store.client.scan().table_name(&store.table).set_limit(store.page);
    let scan = scan
        .filter_expression("begins_with(#SK, :usage) AND #SK >= :from")
        .expression_attribute_names("#SK", "SK")
        .expression_attribute_values(":usage", text("USAGE#"))
        .expression_attribute_values(":from", text(format!("USAGE#{since}")));
    let mut pages = scan.into_paginator().send();
    let (mut days, mut read) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.map_err(fault)?;
        for item in page.items() {
            days.push(day_of_use(item)?);
        }
        read += 1;
        let more = page.last_evaluated_key().is_some_and(|key| !key.is_empty());
        if more && read == MOST_PAGES {
            return Err(StoreError::TooMuch(format!("the table has more than {MOST_PAGES} pages")));
        }
        if days.len() > MOST_DAYS_OF_USE {
            break; // refused below
        }
    }
    in_order(days)
}

fn day_of_use(item: &Item) -> Result<DayOfUse, StoreError> {
    let (place, sort) = (text_of(item, "PK")?, text_of(item, "SK")?);
    let (Some(principal), Some(day)) = (place.strip_prefix("USER#"), sort.strip_prefix("USAGE#")) else {
        return Err(StoreError::Unreadable(format!("use at {place} {sort}")));
    };
    Ok(DayOfUse { principal: principal.to_owned(), day: day.to_owned(), usage: used(item)? })
}

fn used(item: &Item) -> Result<Usage, StoreError> {
    Ok(Usage {
        prompt_tokens: count_of(item, "prompt_tokens")?,
        generated_tokens: count_of(item, "generated_tokens")?,
        requests: count_of(item, "requests")?,
        gpu_seconds: count_of(item, "gpu_seconds")?,
    })
}
