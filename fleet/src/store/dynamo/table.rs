//! The table itself, as CloudFormation makes it: for tests and demonstrations, which have no CloudFormation.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};

use super::client::{DynamoStore, fault};
use crate::store::StoreError;

/// The sparse index over what must be listed across partitions, and the attribute that puts an item into it.
pub(super) const LISTED: &str = "listed";

/// The attribute by which the table throws items away.
pub(super) const EXPIRES_AT: &str = "expires_at";

impl DynamoStore {
    /// Makes the table: on demand, with its index and its time to live. Does not wait until a real one is active.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also where there is such a table already.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let unfit = |error: aws_sdk_dynamodb::error::BuildError| StoreError::Unavailable(error.to_string());
        let [pk, sk, listed] = ["PK", "SK", LISTED];
        let mut create =
            self.client.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
        for name in [pk, sk, listed] {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            create = create.attribute_definitions(
                attribute.attribute_type(ScalarAttributeType::S).build().map_err(unfit)?,
            );
        }
        let index = GlobalSecondaryIndex::builder()
            .index_name(LISTED)
            .key_schema(key(listed, KeyType::Hash).map_err(unfit)?)
            .key_schema(key(pk, KeyType::Range).map_err(unfit)?)
            .projection(Projection::builder().projection_type(ProjectionType::All).build());
        create
            .key_schema(key(pk, KeyType::Hash).map_err(unfit)?)
            .key_schema(key(sk, KeyType::Range).map_err(unfit)?)
            .global_secondary_indexes(index.build().map_err(unfit)?)
            .send()
            .await
            .map_err(fault)?;
        let expiry = TimeToLiveSpecification::builder().attribute_name(EXPIRES_AT).enabled(true);
        let expiry = expiry.build().map_err(unfit)?;
        let enable =
            self.client.update_time_to_live().table_name(&self.table).time_to_live_specification(expiry);
        enable.send().await.map_err(fault).map(drop)
    }
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, aws_sdk_dynamodb::error::BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}
