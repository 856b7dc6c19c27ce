//! Throttled, failing, stalling, broken: what is tried again, what never, and how long anybody waits.

use std::time::{Duration, Instant};

use super::scripted::{Act, Scripted};
use super::*;
use crate::store::StoreError;

const THROTTLED: Act = Act::Error(400, "ProvisionedThroughputExceededException", "");
pub(super) const BROKEN: Act = Act::Error(500, "InternalServerError", "");
const FITS: Act = Act::Done(r#"{"Attributes":{"tokens":{"N":"5"},"requests":{"N":"1"}}}"#);

const SHORT: Patience = Patience { attempt: Duration::from_millis(200), call: Duration::from_millis(700) };

pub(super) fn store(table: &Scripted) -> DynamoStore {
    DynamoStore::with(config(&table.endpoint), "t", Patience::default())
}

async fn reserve(store: &DynamoStore) -> Result<Reservation, StoreError> {
    store.reserve("p", 1, 5, 1, 10, 10).await
}

#[tokio::test]
async fn a_throttled_write_is_tried_again() {
    let table = Scripted::play([THROTTLED, THROTTLED, FITS]).await;
    assert!(matches!(reserve(&store(&table)).await, Ok(Reservation::Reserved(_))));
    assert_eq!(table.seen().len(), 3);
}

#[tokio::test]
async fn tries_are_bounded() {
    let table = Scripted::play([THROTTLED]).await;
    let began = Instant::now();
    let error = reserve(&store(&table)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("Throughput")), "{error}");
    assert_eq!(table.seen().len(), 5);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn what_adds_is_not_repeated_when_nobody_knows_whether_it_counted() {
    for unclear in [BROKEN, Act::Stall, Act::Cut, Act::Error(503, "ServiceUnavailable", "")] {
        let table = Scripted::play([unclear.clone(), FITS]).await;
        let store = DynamoStore::with(config(&table.endpoint), "t", SHORT);
        let error = reserve(&store).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{unclear:?}: {error}");
        assert_eq!(table.seen().len(), 1, "{unclear:?}");
    }
}

#[tokio::test]
async fn what_may_be_repeated_outlives_a_bad_moment() {
    for bad in [BROKEN, Act::Stall, Act::Cut] {
        let table = Scripted::play([bad.clone(), Act::Done("{}")]).await;
        let store = DynamoStore::with(config(&table.endpoint), "t", SHORT);
        assert_eq!(
            store.write_report("f", &Report::default(), 1).await,
            Ok(ReportAnswer::default()),
            "{bad:?}"
        );
        assert_eq!(table.seen().len(), 2, "{bad:?}");
    }
}

#[tokio::test]
async fn nobody_waits_long_for_a_table_that_hangs() {
    let table = Scripted::play([Act::Stall]).await;
    let store = DynamoStore::with(config(&table.endpoint), "t", SHORT);
    let began = Instant::now();
    let error = store.state("f").await.unwrap_err();
    assert_eq!(error, StoreError::Unavailable("no answer in time".to_owned()));
    assert!(began.elapsed() < 2 * SHORT.call, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named() {
    let table = Scripted::play([Act::Error(400, "ResourceNotFoundException", "")]).await;
    let error = store(&table).lease("f").await.unwrap_err();
    assert_eq!(error, StoreError::Unavailable("ResourceNotFoundException: scripted".to_owned()));
    let nobody = DynamoStore::with(config("http://127.0.0.1:9"), "t", SHORT);
    assert!(matches!(nobody.lease("f").await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn an_unmet_condition_is_an_answer_and_tells_who_was_faster() {
    let winner =
        r#","Item":{"PK":{"S":"FLEET#f"},"SK":{"S":"LEASE#scaler"},"owner":{"S":"b"},"version":{"N":"3"}}"#;
    let table = Scripted::play([Act::Error(400, "ConditionalCheckFailedException", winner)]).await;
    let lost = store(&table).take_lease("f", "a", Some(2)).await;
    assert_eq!(lost, Ok(Change::Refused(Some(LeaseRecord { owner: "b".to_owned(), version: 3 }))));
    let sent = &table.seen()[0];
    assert_eq!(sent["ConditionExpression"], "#version = :observed");
    assert_eq!(sent["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
}

#[tokio::test]
async fn a_reservation_is_one_conditional_add() {
    let table = Scripted::play([FITS]).await;
    reserve(&store(&table)).await.unwrap();
    let sent = &table.seen()[0];
    assert_eq!(
        sent["UpdateExpression"],
        "SET #expires_at = :expires_at ADD #tokens :tokens, #requests :requests"
    );
    assert_eq!(sent["ExpressionAttributeValues"][":token_room"]["N"], "5");
    assert_eq!(sent["Key"]["SK"]["S"], "WINDOW#1");
    assert_eq!(sent["ReturnValues"], "ALL_NEW");
}

#[tokio::test]
async fn an_item_of_another_shape_is_unreadable() {
    let item =
        r#"{"Item":{"PK":{"S":"FLEET#f"},"SK":{"S":"STATE"},"state":{"S":"{\"phase\":\"dancing\"}"}}}"#;
    let table = Scripted::play([Act::Done(item)]).await;
    let error = store(&table).state("f").await.unwrap_err();
    assert_eq!(error, StoreError::Unreadable("`state` of FLEET#f STATE".to_owned()));
}

#[tokio::test]
async fn a_scan_ends_also_where_the_table_does_not() {
    let page = |key: &str| {
        let body =
            format!(r#"{{"Items":[],"LastEvaluatedKey":{{"PK":{{"S":"{key}"}},"SK":{{"S":"KEY"}}}}}}"#);
        Act::Done(body.leak())
    };
    let endless = (0..2 * accounts::MOST_PAGES).map(|at| page(&format!("KEY#{at}")));
    let table = Scripted::play(endless).await;
    let error = store(&table).usage_since("2026-01-01").await.unwrap_err();
    assert!(matches!(error, StoreError::TooMuch(_)), "{error}");
    let seen = table.seen();
    assert_eq!(seen.len(), accounts::MOST_PAGES);
    assert_eq!(seen[1]["ExclusiveStartKey"]["PK"]["S"], "KEY#0");
}
