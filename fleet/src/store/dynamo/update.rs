//! One conditional change of one item: the only kind of write that looks at what is there.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::client::{DynamoStore, at_most_once, fault};
use super::item::{Item, text};
use crate::store::StoreError;

/// May the change be sent again when nobody knows whether it was made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is the same as once.
    Safe,
    /// It adds, or its condition no longer holds after itself.
    Never,
}

/// What became of a change.
pub(super) enum Outcome {
    /// The whole item, as it is now.
    Made(Item),
    /// The condition did not hold; the item that was there, if any.
    Refused(Option<Item>),
}

/// A change in the making. Attributes are always named by `#name` and `:name`, since many a good name is reserved.
pub(super) struct Update {
    request: UpdateItemFluentBuilder,
    sets: Vec<String>,
    adds: Vec<String>,
}

impl DynamoStore {
    /// A change of the item at this place; it is made where there is none, unless a condition forbids it.
    pub(super) fn update(&self, pk: &str, sk: &str) -> Update {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("PK", text(pk))
            .key("SK", text(sk))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Update { request, sets: Vec::new(), adds: Vec::new() }
    }
}

impl Update {
    /// Writes an attribute.
    pub(super) fn set(self, name: &str, value: AttributeValue) -> Self {
        let mut with = self.name(name).value(name, value);
        with.sets.push(format!("#{name} = :{name}"));
        with
    }

    /// Writes an attribute with what another holds.
    pub(super) fn set_from(self, name: &str, other: &str) -> Self {
        let mut with = self.name(name).name(other);
        with.sets.push(format!("#{name} = #{other}"));
        with
    }

    /// Writes an entry of a map that is there.
    pub(super) fn set_entry(self, map: &str, entry: &str, value: AttributeValue) -> Self {
        let mut with = self.name(map).value("entry", value);
        with.request = with.request.expression_attribute_names("#entry", entry);
        with.sets.push(format!("#{map}.#entry = :entry"));
        with
    }

    /// Adds to a number, which is 0 where it is missing.
    pub(super) fn add(self, name: &str, value: AttributeValue) -> Self {
        let mut with = self.name(name).value(name, value);
        with.adds.push(format!("#{name} :{name}"));
        with
    }

    /// Names an attribute `#name` for the condition.
    pub(super) fn name(mut self, name: &str) -> Self {
        self.request = self.request.expression_attribute_names(format!("#{name}"), name);
        self
    }

    /// Gives a value `:name` for the condition.
    pub(super) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.request = self.request.expression_attribute_values(format!(":{name}"), value);
        self
    }

    /// Only if this holds.
    pub(super) fn only_if(mut self, condition: &str) -> Self {
        self.request = self.request.condition_expression(condition);
        self
    }

    /// Makes the change.
    pub(super) async fn run(self, repeat: Repeat) -> Result<Outcome, StoreError> {
        let part = |word: &str, parts: &[String]| match parts {
            [] => String::new(),
            parts => format!("{word} {} ", parts.join(", ")),
        };
        let expression = format!("{}{}", part("SET", &self.sets), part("ADD", &self.adds));
        let request = self.request.update_expression(expression.trim());
        let sent = match repeat {
            Repeat::Safe => request.send().await,
            Repeat::Never => request.customize().config_override(at_most_once()).send().await,
        };
        match sent {
            Ok(made) => Ok(Outcome::Made(made.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(unmet)) => {
                    Ok(Outcome::Refused(unmet.item.clone()))
                }
                _ => Err(fault(error)),
            },
        }
    }
}
