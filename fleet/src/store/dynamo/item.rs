//! Values of the table, to and fro. A value of another type than expected is [`StoreError::Unreadable`].

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A document in one attribute.
pub(super) fn json(document: &impl Serialize) -> Result<AttributeValue, StoreError> {
    let unreadable = |error: serde_json::Error| StoreError::Unreadable(error.to_string());
    serde_json::to_string(document).map(AttributeValue::S).map_err(unreadable)
}

fn unreadable(item: &Item, name: &str) -> StoreError {
    let place = |key: &str| item.get(key).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    StoreError::Unreadable(format!("`{name}` of {} {}", place("PK"), place("SK")))
}

/// A text that must be there.
pub(super) fn text_of(item: &Item, name: &str) -> Result<String, StoreError> {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().ok_or_else(|| unreadable(item, name))
}

/// A number that may be missing.
pub(super) fn number_of<T: FromStr>(item: &Item, name: &str) -> Result<Option<T>, StoreError> {
    let Some(value) = item.get(name) else { return Ok(None) };
    let parsed = value.as_n().ok().and_then(|digits| digits.parse().ok());
    parsed.map(Some).ok_or_else(|| unreadable(item, name))
}

/// A count: zero where it is missing.
pub(super) fn count_of<T: FromStr + Default>(item: &Item, name: &str) -> Result<T, StoreError> {
    number_of(item, name).map(Option::unwrap_or_default)
}

/// A document that must be there.
pub(super) fn json_of<T: DeserializeOwned>(item: &Item, name: &str) -> Result<T, StoreError> {
    serde_json::from_str(&text_of(item, name)?).map_err(|_| unreadable(item, name))
}
