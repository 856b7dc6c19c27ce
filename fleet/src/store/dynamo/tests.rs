//! The contract, on what stands in for the table; and what only a script can make a table do.

mod scripted;
mod faults;
mod talk;

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};

use super::*;
use crate::store::contract::{self, Race};

/// A configuration that reaches `endpoint` with credentials that mean nothing.
fn config(endpoint: &str) -> Builder {
    let nobody =
        Credentials::builder().access_key_id("nobody").secret_access_key("none").provider_name("test");
    Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(nobody.build())
        .endpoint_url(endpoint)
}

/// An emulator on a busy machine may take its time; what is tested is what it says.
const PATIENT: Patience =
    Patience { attempt: std::time::Duration::from_secs(20), call: std::time::Duration::from_secs(60) };

async fn keeps_the_contract(variable: &str) {
    let Some(endpoint) = crate::testing::emulator(variable) else { return };
    let table = format!("contract-{:08x}", fastrand::u32(..));
    let open = || {
        let store = DynamoStore::with(config(&endpoint), &table, PATIENT);
        // Small pages: a hundred reports take fifteen.
        DynamoStore { page: Some(7), ..store }
    };
    open().create_table().await.unwrap();
    contract::check(open, Race(50)).await;
}

#[tokio::test]
async fn it_keeps_the_contract_on_ministack() {
    keeps_the_contract("FLEET_TEST_MINISTACK").await;
}

#[tokio::test]
async fn it_keeps_the_contract_on_dynamodb_local() {
    keeps_the_contract("FLEET_TEST_DYNAMODB_LOCAL").await;
}
