//! What administrators do is kept in order and once.

use super::{Race, all};
use crate::store::{AuditEntry, LinkCode, Person, Store, is_intact};

const NOW: i64 = 1_795_000_000;

pub(super) async fn people_are_seen_once_and_later<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let person = |name: &str, seen| Person { principal: name.to_owned(), seen };
    let (ann, bob) = ("https://issuer.example/#ann '", "key#bob");
    assert_eq!(store.people().await, Ok(vec![]));
    for (name, seen) in [(bob, 5), (ann, 7), (ann, 9), (ann, 8)] {
        store.saw_person(&person(name, seen)).await.unwrap();
    }
    assert_eq!(other.people().await, Ok(vec![person(ann, 9), person(bob, 5)]), "never earlier than known");
    for at in 0..20 {
        store.saw_person(&person(&format!("zoe#{at:02}"), at)).await.unwrap();
    }
    assert_eq!(other.people().await.unwrap().len(), 22, "more than a page of a store with small ones");
}

/// An entry whose number and digest are not to be believed.
fn entry(at: i64, detail: &str) -> AuditEntry {
    AuditEntry {
        number: 77,
        at,
        by: "https://issuer.example/#admin '".to_owned(),
        action: "view".to_owned(),
        principal: "key#bob".to_owned(),
        conversation: "0b6ff2a4-9d4e-4a92-8a53-5b5f50b6c2f1".to_owned(),
        detail: detail.to_owned(),
        digest: "made up".to_owned(),
    }
}

pub(super) async fn the_audit_log_counts_and_chains<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    assert_eq!(store.audit("audit", None, 10).await, Ok(vec![]));
    let mut written = Vec::new();
    for at in 0..12 {
        let hand = if at % 2 == 0 { &store } else { &other };
        written.push(hand.append_audit("audit", &entry(NOW + at, &format!("page {at}"))).await.unwrap());
    }
    let numbers: Vec<u64> = written.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    assert_eq!(written[3].detail, "page 3");
    written.reverse();
    assert_eq!(
        other.audit("audit", None, 100).await,
        Ok(written.clone()),
        "the newest first, as they were told"
    );
    assert!(is_intact(&written));
    assert_eq!(store.audit("audit", Some(5), 3).await.unwrap(), written[8..11], "a page behind another");
    assert_eq!(store.audit("audit", Some(1), 3).await, Ok(vec![]));
    let first = store.append_audit("another fleet's", &entry(NOW, "")).await.unwrap();
    assert_eq!((first.number, first.digest.len()), (1, 64), "fleets count apart");
}

pub(super) async fn many_hands_append_without_a_gap<S: Store>(open: &impl Fn() -> S, race: Race) {
    // As many administrators at once as a large company has; each of them that comes second asks again.
    let race = Race(race.0.min(6));
    let written = all(open, race, 18, async |store, at| {
        store.append_audit("audit race", &entry(NOW, &format!("look {at}"))).await.unwrap().number
    });
    let mut written = written.await;
    written.sort_unstable();
    assert_eq!(written, (1..=18).collect::<Vec<_>>(), "each number once");
    let log = open().audit("audit race", None, 100).await.unwrap();
    assert!(log.len() == 18 && is_intact(&log));
    let looks: std::collections::BTreeSet<&str> = log.iter().map(|entry| entry.detail.as_str()).collect();
    assert_eq!(looks.len(), 18, "each entry once");
}

pub(super) async fn a_code_is_taken_once_and_in_time<S: Store>(open: &impl Fn() -> S, race: Race) {
    let (store, other) = (open(), open());
    let code = |first: char| LinkCode {
        hash: std::iter::repeat_n(first, 64).collect(),
        principal: "https://issuer.example/#ann '".to_owned(),
        roles: vec!["models".to_owned()],
        by: "admin".to_owned(),
        expires: NOW + 3600,
    };
    let (one, late) = (code('1'), code('2'));
    store.put_link_code(&one).await.unwrap();
    store.put_link_code(&late).await.unwrap();
    assert_eq!(other.take_link_code(&one.hash, NOW).await, Ok(Some(one.clone())));
    assert_eq!(store.take_link_code(&one.hash, NOW).await, Ok(None), "once");
    assert_eq!(store.take_link_code(&late.hash, NOW + 3600).await, Ok(None), "too late");
    assert_eq!(store.take_link_code(&code('3').hash, NOW).await, Ok(None));
    let wanted = code('4');
    store.put_link_code(&wanted).await.unwrap();
    let taken =
        all(open, race, 30, async |store, _| store.take_link_code(&wanted.hash, NOW).await.unwrap()).await;
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [wanted], "of many, one gets it");
}

pub(super) async fn a_chore_is_claimed_by_one<S: Store>(open: &impl Fn() -> S, race: Race) {
    let claimed = all(open, race, 30, async |store, _| {
        store.claim_chore("chores", "sweep", NOW, NOW + 600).await.unwrap()
    });
    assert_eq!(claimed.await.into_iter().filter(|claimed| *claimed).count(), 1);
    let store = open();
    assert_eq!(store.claim_chore("chores", "sweep", NOW + 599, NOW + 1200).await, Ok(false));
    assert_eq!(store.claim_chore("chores", "dust", NOW + 599, NOW + 1200).await, Ok(true), "another chore");
    assert_eq!(
        store.claim_chore("elsewhere", "sweep", NOW + 599, NOW + 1200).await,
        Ok(true),
        "another fleet"
    );
    assert_eq!(
        store.claim_chore("chores", "sweep", NOW + 600, NOW + 1200).await,
        Ok(true),
        "its time is over"
    );
}
