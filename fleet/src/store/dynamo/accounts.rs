//! Keys and what was used.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Span;
use jiff::civil::Date;

use super::client::{DynamoStore, fault};
use super::item::{Item, count_of, number, number_of, text, text_of};
use super::table::LISTED;
use super::update::{Outcome, Repeat};
use super::user_key;
use crate::store::quota::signed;
use crate::store::record::in_order;
use crate::store::{DayOfUse, KeyHash, KeyRecord, MOST_DAYS_OF_USE, ModelUsage, StoreError, Usage};

/// Begins the attributes of one model, as in `MODEL#gemma3:4b#requests`: the table adds to what is not there yet only at
/// the top of an item.
const MODEL: &str = "MODEL#";

/// Models told apart in one write; more are in the sum alone. Four sums of 45 characters each stay below the 4 KB that an
/// expression may have (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
const MOST_MODELS: usize = 20;

/// Pages of 1 MB that are read at most: all of them are 32,768 read units, some 0.4 US cents (prices of `store/cost.rs`).
pub(super) const MOST_PAGES: usize = 256;

/// Characters of a month, `yyyy-mm`.
const MONTH: usize = 7;

/// Months that are looked through from the first one on: a year, and the month that it ends in.
pub(super) const MOST_MONTHS: usize = 13;

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

/// Adds to the sums of a day and to those of its models, all in one write of one item.
pub(super) async fn add_usage(
    store: &DynamoStore,
    principal: &str,
    day: &str,
    usage: &Usage,
    models: &ModelUsage,
) -> Result<(), StoreError> {
    let update = store.update(&user_key(principal), &format!("USAGE#{day}"));
    let mut update = update.set(LISTED, text(listed(day)));
    for (field, value) in fields(usage) {
        update = update.add(field, value);
    }
    for (at, (model, used)) in models.iter().take(MOST_MODELS).enumerate() {
        for (field, value) in fields(used) {
            update = update.add_as(&format!("m{at}_{field}"), &format!("{MODEL}{model}#{field}"), value);
        }
    }
    update.run(Repeat::Never).await.map(drop)
}

/// The numbers of a sum, by the names of their attributes.
fn fields(usage: &Usage) -> [(&'static str, AttributeValue); 4] {
    let seconds = if usage.gpu_seconds.is_finite() { usage.gpu_seconds } else { 0.0 };
    [
        ("prompt_tokens", number(signed(usage.prompt_tokens))),
        ("generated_tokens", number(signed(usage.generated_tokens))),
        ("requests", number(signed(usage.requests))),
        // Nanoseconds: the table adds decimals exactly, but refuses more than 38 digits.
        ("gpu_seconds", number(format_args!("{seconds:.9}"))),
    ]
}

pub(super) async fn usage(store: &DynamoStore, principal: &str, day: &str) -> Result<Usage, StoreError> {
    let Some(item) = store.get(&user_key(principal), &format!("USAGE#{day}")).await? else {
        return Ok(Usage::default());
    };
    used(&item, "")
}

/// Where everybody's days of one month are listed: by month, so that a look costs what it shows.
fn listed(day: &str) -> String {
    format!("USAGE#{}", day.get(..MONTH).unwrap_or(day))
}

/// The months that are looked through, the first one that of `since`.
fn months(since: &str) -> Vec<String> {
    let Ok(first) = since.parse::<Date>() else { return vec![since.to_owned()] };
    let months = first.first_of_month().series(Span::new().months(1)).take(MOST_MONTHS);
    months.map(|month| month.to_string()).collect()
}

/// Everybody's days from the index, month by month: conversations and all else in the table cost nothing here.
pub(super) async fn usage_since(store: &DynamoStore, since: &str) -> Result<Vec<DayOfUse>, StoreError> {
    let (mut days, mut read) = (Vec::new(), 0);
    for month in months(since) {
        let query = store.client.query().table_name(&store.table).index_name(LISTED).set_limit(store.page);
        let query = query
            .key_condition_expression("#listed = :month")
            .filter_expression("#SK >= :from")
            .expression_attribute_names("#listed", LISTED)
            .expression_attribute_names("#SK", "SK")
            .expression_attribute_values(":month", text(listed(&month)))
            .expression_attribute_values(":from", text(format!("USAGE#{since}")));
        let mut pages = query.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(fault)?;
            for item in page.items() {
                days.push(day_of_use(item)?);
            }
            read += 1;
            let more = page.last_evaluated_key().is_some_and(|key| !key.is_empty());
            if more && read >= MOST_PAGES {
                return Err(StoreError::TooMuch(format!("there are more than {MOST_PAGES} pages of usage")));
            }
            if days.len() > MOST_DAYS_OF_USE {
                return in_order(days); // which refuses them
            }
        }
    }
    in_order(days)
}

fn day_of_use(item: &Item) -> Result<DayOfUse, StoreError> {
    let (place, sort) = (text_of(item, "PK")?, text_of(item, "SK")?);
    let (Some(principal), Some(day)) = (place.strip_prefix("USER#"), sort.strip_prefix("USAGE#")) else {
        return Err(StoreError::Unreadable(format!("use at {place} {sort}")));
    };
    Ok(DayOfUse {
        principal: principal.to_owned(),
        day: day.to_owned(),
        usage: used(item, "")?,
        models: models(item)?,
    })
}

/// The sum whose attributes begin so.
fn used(item: &Item, prefix: &str) -> Result<Usage, StoreError> {
    let name = |field: &str| format!("{prefix}{field}");
    Ok(Usage {
        prompt_tokens: count_of(item, &name("prompt_tokens"))?,
        generated_tokens: count_of(item, &name("generated_tokens"))?,
        requests: count_of(item, &name("requests"))?,
        gpu_seconds: count_of(item, &name("gpu_seconds"))?,
    })
}

fn models(item: &Item) -> Result<ModelUsage, StoreError> {
    let names = item.keys().filter_map(|name| Some(name.strip_prefix(MODEL)?.rsplit_once('#')?.0));
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().map(|model| Ok((model.to_owned(), used(item, &format!("{MODEL}{model}#"))?))).collect()
}
