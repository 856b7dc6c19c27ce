//! Who is shut out, and the windows of tokens and requests.

use super::client::DynamoStore;
use super::item::{Item, count_of, number, text, text_of};
use super::table::{EXPIRES_AT, LISTED};
use super::update::{Outcome, Repeat};
use super::user_key;
use crate::store::quota::{signed, window_expires_at};
use crate::store::{Denial, Reservation, StoreError, Window};

pub(super) async fn deny(store: &DynamoStore, denial: &Denial) -> Result<(), StoreError> {
    let fields = [
        (LISTED, text("DENY")),
        ("reason", text(&denial.reason)),
        ("by", text(&denial.by)),
        ("since", number(denial.since)),
    ];
    store.put(&format!("DENY#{}", denial.principal), "DENY", fields).await
}

pub(super) async fn denial(store: &DynamoStore, principal: &str) -> Result<Option<Denial>, StoreError> {
    store.get(&format!("DENY#{principal}"), "DENY").await?.as_ref().map(denial_of).transpose()
}

pub(super) async fn denials(store: &DynamoStore) -> Result<Vec<Denial>, StoreError> {
    store.listed("DENY", "DENY#").await?.iter().map(denial_of).collect()
}

fn denial_of(item: &Item) -> Result<Denial, StoreError> {
    let place = text_of(item, "PK")?;
    Ok(Denial {
        principal: place.strip_prefix("DENY#").unwrap_or(&place).to_owned(),
        reason: text_of(item, "reason")?,
        by: text_of(item, "by")?,
        since: count_of(item, "since")?,
    })
}

/// Claims tokens and requests if no more than `room` of them is taken; never, where that is `None`.
pub(super) async fn reserve(
    store: &DynamoStore,
    principal: &str,
    minute: i64,
    [tokens, requests]: [u64; 2],
    room: Option<(i64, i64)>,
) -> Result<Reservation, StoreError> {
    let (pk, sk) = (user_key(principal), format!("WINDOW#{minute}"));
    let Some((token_room, request_room)) = room else {
        let window = store.get(&pk, &sk).await?.as_ref().map(window).transpose()?;
        return Ok(Reservation::Refused(window.unwrap_or_default()));
    };
    let update = store
        .update(&pk, &sk)
        .add("tokens", number(signed(tokens)))
        .add("requests", number(signed(requests)))
        .set(EXPIRES_AT, number(window_expires_at(minute)))
        .value("token_room", number(token_room))
        .value("request_room", number(request_room))
        .name("PK")
        .only_if("attribute_not_exists(#PK) OR (#tokens <= :token_room AND #requests <= :request_room)");
    match update.run(Repeat::Never).await? {
        Outcome::Made(item) => window(&item).map(Reservation::Reserved),
        Outcome::Refused(item) => {
            Ok(Reservation::Refused(item.as_ref().map(window).transpose()?.unwrap_or_default()))
        }
    }
}

fn window(item: &Item) -> Result<Window, StoreError> {
    Ok(Window { tokens: count_of(item, "tokens")?, requests: count_of(item, "requests")? })
}

pub(super) async fn settle(
    store: &DynamoStore,
    principal: &str,
    minute: i64,
    delta: i64,
) -> Result<(), StoreError> {
    let update = store
        .update(&user_key(principal), &format!("WINDOW#{minute}"))
        .add("tokens", number(delta))
        .name("PK")
        .only_if("attribute_exists(#PK)");
    update.run(Repeat::Never).await.map(drop)
}
