//! Stretches of one partition: read from their end, or removed as a whole.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use super::client::{DynamoStore, fault};
use super::item::{Item, text};
use crate::store::StoreError;

/// Items of one `BatchWriteItem`: the table's own limit.
const BATCH: usize = 25;
/// How often a batch of which the table left something over is sent, and the longest wait before each further time.
const TRIES: u32 = 8;
const WAIT: Duration = Duration::from_millis(50);

impl DynamoStore {
    fn between(&self, pk: &str, [from, to]: [&str; 2]) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        query
            .key_condition_expression("#PK = :pk AND #SK BETWEEN :from AND :to")
            .expression_attribute_names("#PK", "PK")
            .expression_attribute_names("#SK", "SK")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(to))
    }

    /// The last `most` items of a partition whose sort keys are in a range, the last first, as they are at this moment.
    pub(super) async fn latest_between(
        &self,
        pk: &str,
        range: [&str; 2],
        most: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let wanted = i32::try_from(most).unwrap_or(i32::MAX);
        let page = self.page.map_or(wanted, |page| page.min(wanted));
        let query = self.between(pk, range).scan_index_forward(false).limit(page);
        let mut items = query.into_paginator().items().send();
        let mut latest = Vec::new();
        while latest.len() < most {
            let Some(item) = items.next().await else { break };
            latest.push(item.map_err(fault)?);
        }
        Ok(latest)
    }

    /// The keys of a partition's items whose sort keys are in a range.
    pub(super) async fn keys_between(&self, pk: &str, range: [&str; 2]) -> Result<Vec<Item>, StoreError> {
        let query = self.between(pk, range).set_limit(self.page).projection_expression("#PK, #SK");
        query.into_paginator().items().send().collect::<Result<_, _>>().await.map_err(fault)
    }

    /// Removes the items with these keys; those that are not there are no fault.
    pub(super) async fn remove_all(&self, keys: Vec<Item>) -> Result<(), StoreError> {
        let unfit = |error: aws_sdk_dynamodb::error::BuildError| StoreError::Unreadable(error.to_string());
        for keys in keys.chunks(BATCH) {
            let delete = |key: &Item| {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build()?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            };
            self.write_batch(keys.iter().map(delete).collect::<Result<_, _>>().map_err(unfit)?).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, mut left: Vec<WriteRequest>) -> Result<(), StoreError> {
        for attempt in 1..=TRIES {
            let items = HashMap::from([(self.table.clone(), left)]);
            let sent = self.client.batch_write_item().set_request_items(Some(items)).send().await;
            let mut over = sent.map_err(fault)?.unprocessed_items.unwrap_or_default();
            left = over.remove(&self.table).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep((WAIT * attempt).mul_f64(fastrand::f64())).await;
        }
        Err(StoreError::Unavailable(format!("the table left {} removals over", left.len())))
    }
}
