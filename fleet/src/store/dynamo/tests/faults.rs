//! Throttled, failing, stalling, broken: what is tried again, what never, and how long anybody waits.

use std::time::{Duration, Instant};

use super::scripted::{Act, Scripted};
use super::*;
use crate::store::StoreError;

const THROTTLED: Act = Act::Error(400, "ProvisionedThroughputExceededException", "");
pub(super) const BROKEN: Act = Act::Error(500, "InternalServerError", "");
const FITS: Act = Act::Done(r#"{"Attributes":{"tokens":{"N":"5"},"requests":{"N":"1"}}}"#);

const SHORT: Patience = Patience { attempt: Duration::from_millis(200), call: Duration::from_millis(700) };

/// Long enough for an answer that comes, on a machine that has other things to do.
const PATIENT: Patience = Patience { attempt: Duration::from_secs(2), call: Duration::from_secs(20) };

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
        let store = DynamoStore::with(config(&table.endpoint), "t", PATIENT);
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

#[tokio::test]
async fn everybodys_usage_is_read_from_the_index_by_month() {
    let table = Scripted::play([Act::Done(r#"{"Items":[]}"#)]).await;
    assert_eq!(store(&table).usage_since("2026-11-15").await, Ok(vec![]));
    let seen = table.seen();
    assert_eq!(seen.len(), accounts::MOST_MONTHS);
    let asked = |at: usize| seen[at]["ExpressionAttributeValues"][":month"]["S"].as_str().unwrap().to_owned();
    assert!(
        seen.iter().all(|sent| sent["IndexName"] == "listed"),
        "the table itself would cost what it holds"
    );
    assert_eq!(
        (asked(0), asked(1), asked(2)),
        ("USAGE#2026-11".into(), "USAGE#2026-12".into(), "USAGE#2027-01".into())
    );
    assert_eq!(asked(accounts::MOST_MONTHS - 1), "USAGE#2027-11");
}

#[tokio::test]
async fn usage_of_models_is_one_write_with_the_sum() {
    let table = Scripted::play([Act::Done(r#"{"Attributes":{}}"#)]).await;
    let one = Usage { prompt_tokens: 10, generated_tokens: 3, requests: 1, gpu_seconds: 0.25 };
    let models = ModelUsage::from([("gemma3:4b".to_owned(), one)]);
    store(&table).add_usage_by_model("p", "2026-11-15", &one, &models).await.unwrap();
    let [sent] = &table.seen()[..] else { panic!("one write") };
    let (names, values) = (&sent["ExpressionAttributeNames"], &sent["ExpressionAttributeValues"]);
    assert_eq!(values[":listed"]["S"], "USAGE#2026-11");
    assert_eq!(
        (&names["#m0_requests"], &values[":m0_requests"]["N"]),
        (&"MODEL#gemma3:4b#requests".into(), &"1".into())
    );
    assert_eq!(values[":requests"]["N"], "1");
    assert!(sent["UpdateExpression"].as_str().unwrap().contains("#m0_gpu_seconds :m0_gpu_seconds"), "{sent}");
}
