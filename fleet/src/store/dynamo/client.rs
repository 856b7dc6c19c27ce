//! The connection: how long it waits, what it tries again, how its faults are named; and the calls that all items share.

use std::fmt;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction, RetryConfig};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, Config};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::item::{Item, text};
use crate::aws::Fault;
use crate::store::StoreError;

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// One attempt. The table answers within 10 ms; a second is a lost packet or a lost host.
    pub attempt: Duration,
    /// All attempts together. Calls that change anything may take 3 s at most: a leader's term is reckoned with it.
    pub call: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempt: Duration::from_secs(1), call: Duration::from_secs(3) }
    }
}

/// With waits of up to 50, 100, 200 and 400 ms, each a random part of it, between them.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The table in DynamoDB. Clones share the connections.
#[derive(Clone)]
pub struct DynamoStore {
    pub(super) client: Client,
    pub(super) table: String,
    /// Items a page; `None`: as many as fit into 1 MB.
    pub(super) page: Option<i32>,
}

impl fmt::Debug for DynamoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoStore").field("table", &self.table).finish_non_exhaustive()
    }
}

impl DynamoStore {
    /// The table of this name where the machine is: region and credentials come from its environment, profile or
    /// instance role. Makes no call to the table.
    pub async fn connect(table: &str) -> Self {
        Self::new(&crate::aws::here().await, table, Patience::default())
    }

    /// The table of this name where `shared` leads.
    pub fn new(shared: &SdkConfig, table: &str, patience: Patience) -> Self {
        Self::with(Builder::from(shared), table, patience)
    }

    pub(super) fn with(config: Builder, table: &str, patience: Patience) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_WAIT)
            .with_max_backoff(LONGEST_WAIT);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.attempt)
            .operation_attempt_timeout(patience.attempt)
            .operation_timeout(patience.call)
            .build();
        let client = Client::from_conf(config.retry_config(retries).timeout_config(timeouts).build());
        Self { client, table: table.to_owned(), page: None }
    }

    /// One item, as it is at this moment.
    pub(super) async fn get(&self, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        self.read(pk, sk, true).await
    }

    /// One item; `current` reads cost twice as much as those that may be a second old.
    pub(super) async fn read(&self, pk: &str, sk: &str, current: bool) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(current);
        Ok(get.key("PK", text(pk)).key("SK", text(sk)).send().await.map_err(fault)?.item)
    }

    /// Writes a whole item in the place of an older one.
    pub(super) async fn put(
        &self,
        pk: &str,
        sk: &str,
        fields: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Result<(), StoreError> {
        let mut put =
            self.client.put_item().table_name(&self.table).item("PK", text(pk)).item("SK", text(sk));
        for (name, value) in fields {
            put = put.item(name, value);
        }
        put.send().await.map_err(fault).map(drop)
    }

    /// Removes an item; false where there was none.
    pub(super) async fn remove(&self, pk: &str, sk: &str) -> Result<bool, StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).return_values(ReturnValue::AllOld);
        let removed = delete.key("PK", text(pk)).key("SK", text(sk)).send().await.map_err(fault)?;
        Ok(removed.attributes.is_some())
    }

    /// The items of one partition whose sort key begins with `prefix`, in its order, as they are at this moment.
    pub(super) async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().consistent_read(true);
        self.pages(query, ["PK", "SK"], pk, prefix).await
    }

    /// The items marked as `listed`, by partition key; a change may be missing for a second.
    pub(super) async fn listed(&self, listed: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().index_name(super::table::LISTED);
        self.pages(query, [super::table::LISTED, "PK"], listed, prefix).await
    }

    async fn pages(
        &self,
        query: QueryFluentBuilder,
        [partition, sort]: [&str; 2],
        value: &str,
        prefix: &str,
    ) -> Result<Vec<Item>, StoreError> {
        query
            .table_name(&self.table)
            .set_limit(self.page)
            .key_condition_expression("#partition = :value AND begins_with(#sort, :prefix)")
            .expression_attribute_names("#partition", partition)
            .expression_attribute_names("#sort", sort)
            .expression_attribute_values(":value", text(value))
            .expression_attribute_values(":prefix", text(prefix))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await
            .map_err(fault)
    }
}

/// Names a fault in one line: the table's own code where it gave one.
pub(super) fn fault<E: ProvideErrorMetadata + std::error::Error>(error: SdkError<E>) -> StoreError {
    StoreError::Unavailable(Fault::of(&error).to_string())
}

/// Codes with which the table says that it has done nothing.
const THROTTLES: [&str; 4] =
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "Throttling"];

/// For writes that must not happen twice: after a lost answer or a server's error nobody knows whether they happened.
#[derive(Debug)]
struct OnlyThrottles;

impl ClassifyRetry for OnlyThrottles {
    fn classify_retry(
        &self,
        context: &aws_sdk_dynamodb::config::interceptors::InterceptorContext,
    ) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let refused = error.and_then(|error| error.as_operation_error()?.downcast_ref::<UpdateItemError>());
        match refused.and_then(ProvideErrorMetadata::code) {
            // The SDK's own rules, which know it for what it is.
            Some(code) if THROTTLES.contains(&code) => RetryAction::NoActionIndicated,
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "only throttles"
    }
}

/// What to change of the configuration for such a write.
pub(super) fn at_most_once() -> Builder {
    Config::builder().retry_classifier(OnlyThrottles)
}
