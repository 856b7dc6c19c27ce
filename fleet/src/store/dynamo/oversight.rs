//! People, the audit log, codes and chores. An entry of the log is only ever put where there is none: the rights of the
//! machines can, and should, leave no other way.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValue;

use super::client::{DynamoStore, fault};
use super::fleet_key;
use super::item::{Item, count_of, json, json_of, number, text, text_of};
use super::table::{EXPIRES_AT, LISTED};
use super::update::{Outcome, Repeat};
use crate::store::{AuditEntry, LinkCode, OversightStore, Person, StoreError};

/// How often an entry is tried when others are first each time, and the longest wait between two tries.
const TRIES: u32 = 40;
const WAIT: Duration = Duration::from_millis(100);

#[async_trait]
impl OversightStore for DynamoStore {
    async fn saw_person(&self, person: &Person) -> Result<(), StoreError> {
        let update = self
            .update(&format!("PERSON#{}", person.principal), "PERSON")
            .set(LISTED, text("PERSON"))
            .set("seen", number(person.seen))
            .name("PK")
            .only_if("attribute_not_exists(#PK) OR #seen < :seen");
        update.run(Repeat::Safe).await.map(drop)
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.listed("PERSON", "PERSON#").await?.iter().map(person_of).collect()
    }

    async fn append_audit(&self, fleet: &str, entry: &AuditEntry) -> Result<AuditEntry, StoreError> {
        // Tells our own entry from another's, where an answer was lost and the call repeated.
        let mark = format!("{:016x}", fastrand::u64(..));
        for _ in 0..TRIES {
            let last = self.audit(fleet, None, 1).await?;
            let entry = entry.behind(last.first());
            if put_entry(self, fleet, &entry, &mark).await? {
                return Ok(entry);
            }
            tokio::time::sleep(WAIT.mul_f64(fastrand::f64())).await;
        }
        Err(StoreError::Unavailable("too many write the audit log at once".to_owned()))
    }

    async fn audit(
        &self,
        fleet: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let last = before.map_or(u64::MAX, |before| before.saturating_sub(1));
        if most == 0 || last == 0 {
            return Ok(Vec::new());
        }
        let items = self.latest_between(&log_key(fleet), [&place(0), &place(last)], most).await?;
        items.iter().map(|item| json_of(item, "entry")).collect()
    }

    async fn put_link_code(&self, code: &LinkCode) -> Result<(), StoreError> {
        let fields =
            [("code", json(code)?), ("expires", number(code.expires)), (EXPIRES_AT, number(code.expires))];
        self.put(&link_key(&code.hash), "LINK", fields).await
    }

    async fn take_link_code(&self, hash: &str, now: i64) -> Result<Option<LinkCode>, StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).return_values(ReturnValue::AllOld);
        let taken = delete
            .key("PK", text(link_key(hash)))
            .key("SK", text("LINK"))
            .expression_attribute_names("#expires", "expires")
            .expression_attribute_values(":now", number(now))
            .condition_expression("#expires > :now")
            .send()
            .await;
        match taken {
            Ok(taken) => taken.attributes.as_ref().map(|item| json_of(item, "code")).transpose(),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(fault(error)),
            },
        }
    }

    async fn claim_chore(&self, fleet: &str, chore: &str, now: i64, until: i64) -> Result<bool, StoreError> {
        let update = self
            .update(&fleet_key(fleet), &format!("CHORE#{chore}"))
            .set("until", number(until))
            .value("now", number(now))
            .name("PK")
            .only_if("attribute_not_exists(#PK) OR #until <= :now");
        Ok(matches!(update.run(Repeat::Never).await?, Outcome::Made(_)))
    }
}

fn log_key(fleet: &str) -> String {
    format!("AUDIT#{fleet}")
}

fn link_key(hash: &str) -> String {
    format!("LINK#{hash}")
}

/// An entry's sort key: 12 digits, at a thousand entries a second for thirty years.
fn place(number: u64) -> String {
    format!("{:012}", number.min(999_999_999_999))
}

fn person_of(item: &Item) -> Result<Person, StoreError> {
    let place = text_of(item, "PK")?;
    let principal = place.strip_prefix("PERSON#").unwrap_or(&place).to_owned();
    Ok(Person { principal, seen: count_of(item, "seen")? })
}

/// Puts an entry where there is none; false where another's is there.
async fn put_entry(
    store: &DynamoStore,
    fleet: &str,
    entry: &AuditEntry,
    mark: &str,
) -> Result<bool, StoreError> {
    let (pk, sk) = (log_key(fleet), place(entry.number));
    let put = store.client.put_item().table_name(&store.table);
    let put = put
        .item("PK", text(&pk))
        .item("SK", text(&sk))
        .item("entry", json(entry)?)
        .item("mark", text(mark))
        .expression_attribute_names("#PK", "PK")
        .condition_expression("attribute_not_exists(#PK)");
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => {
                let there = store.get(&pk, &sk).await?;
                Ok(there.is_some_and(|there| text_of(&there, "mark").is_ok_and(|written| written == mark)))
            }
            _ => Err(fault(error)),
        },
    }
}
