//! Keys are kept, listed and revoked; usage adds up, and is told of everybody.

use super::{Race, all};
use crate::store::{DayOfUse, KeyHash, KeyRecord, Store, StoreError, Usage};

fn key(first: u8, last: u8) -> KeyRecord {
    let mut digest = [first; 32];
    digest[31] = last;
    KeyRecord {
        hash: KeyHash::new(digest),
        owner: "nightly \"translation\"".to_owned(),
        roles: vec!["operator".to_owned()],
        created: 1_700_000_000 + i64::from(first),
        expires: Some(1_800_000_000),
        disabled: false,
        acts_as: None,
    }
}

pub(super) async fn keys_are_kept_and_listed<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let unknown = KeyHash::new([0xee; 32]);
    assert_eq!(store.key(&unknown).await, Ok(None));
    assert_eq!(store.keys().await, Ok(vec![]));

    let (first, second) = (key(1, 0), KeyRecord { expires: None, roles: vec![], ..key(2, 0) });
    store.put_key(&second).await.unwrap();
    store.put_key(&first).await.unwrap();
    assert_eq!(other.key(&first.hash).await, Ok(Some(first.clone())));
    assert_eq!(other.keys().await, Ok(vec![first.clone(), second.clone()]), "the oldest first");

    let acting = Some("https://issuer.example/#Zoë".to_owned());
    let renamed = KeyRecord { owner: "later".to_owned(), acts_as: acting, ..first };
    store.put_key(&renamed).await.unwrap();
    assert_eq!(store.keys().await, Ok(vec![renamed, second]), "the same hash is the same key");
}

pub(super) async fn a_key_is_revoked_by_its_id<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let record = key(3, 0);
    store.put_key(&record).await.unwrap();
    assert_eq!(other.revoke_key(&record.hash.id()).await, Ok(true));
    assert_eq!(store.key(&record.hash).await, Ok(Some(KeyRecord { disabled: true, ..record.clone() })));
    assert_eq!(store.revoke_key(&record.hash.to_string()).await, Ok(true), "revoked twice is revoked");
    assert_eq!(store.revoke_key("0123456789ab").await, Ok(false));
}

pub(super) async fn an_unclear_id_revokes_nothing<S: Store>(open: &impl Fn() -> S) {
    let store = open();
    let (one, two) = (key(4, 1), key(4, 2));
    store.put_key(&one).await.unwrap();
    store.put_key(&two).await.unwrap();
    let id = one.hash.id();
    assert_eq!(store.revoke_key(&id).await, Err(StoreError::Ambiguous(id.clone())));
    for id in ["", "0404", "%", "04040404040%", "04040404040A", &"0".repeat(65)] {
        assert_eq!(store.revoke_key(id).await, Err(StoreError::NotAnId(id.to_owned())), "{id:?}");
    }
    for record in [one, two] {
        assert_eq!(store.key(&record.hash).await, Ok(Some(record)));
    }
}

pub(super) async fn usage_adds_up<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let (who, day) = ("https://issuer.example/#Zoë '--", "2026-02-28");
    assert_eq!(store.usage(who, day).await, Ok(Usage::default()));
    let once = Usage { prompt_tokens: 10, generated_tokens: 3, requests: 1, gpu_seconds: 0.25 };
    store.add_usage(who, day, &once).await.unwrap();
    other.add_usage(who, day, &once).await.unwrap();
    let twice = Usage { prompt_tokens: 20, generated_tokens: 6, requests: 2, gpu_seconds: 0.5 };
    assert_eq!(store.usage(who, day).await, Ok(twice));
    assert_eq!(store.usage(who, "2026-03-01").await, Ok(Usage::default()), "days are apart");
    assert_eq!(
        store.usage("https://issuer.example/#Zoë", day).await,
        Ok(Usage::default()),
        "callers are apart"
    );
}

pub(super) async fn many_keys_are_all_listed<S: Store>(open: &impl Fn() -> S) {
    let store = open();
    let before = store.keys().await.unwrap().len();
    for last in 0..30 {
        store.put_key(&key(9, last)).await.unwrap();
    }
    assert_eq!(
        store.keys().await.unwrap().len(),
        before + 30,
        "more than one page of a store with small ones"
    );
}

pub(super) async fn sums_from_many_hands_all_count<S: Store>(open: &impl Fn() -> S, race: Race) {
    let one = Usage { requests: 1, gpu_seconds: 0.25, ..Usage::default() };
    let added =
        all(open, race, 400, async |store, _| store.add_usage("many", "2026-01-01", &one).await).await;
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    let sum = open().usage("many", "2026-01-01").await.unwrap();
    assert_eq!((sum.requests, sum.gpu_seconds), (400, 100.0));
}

pub(super) async fn everybodys_usage_is_told_from_a_day_on<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let (person, program) = ("https://issuer.example/#Ann '--", "key#nightly");
    // Later than the days of other cases: the table is theirs too.
    let lines = [
        (person, "2027-02-02", 3),
        (person, "2027-02-01", 2),
        (person, "2027-01-31", 1),
        (program, "2027-02-01", 4),
    ];
    let usage = |requests| Usage { prompt_tokens: 10, generated_tokens: 5, requests, gpu_seconds: 0.5 };
    for (principal, day, requests) in lines {
        store.add_usage(principal, day, &usage(requests)).await.unwrap();
    }
    // Other items of the same caller, and many between the pages.
    store.reserve(person, 30_000_000, 1, 1, 10, 10).await.unwrap();
    for other in 0..20 {
        store.add_usage(&format!("key#{other}"), "2027-01-01", &usage(1)).await.unwrap();
    }
    let told = |picked: &[usize]| -> Vec<DayOfUse> {
        let line = |at: &usize| {
            let (principal, day, requests) = lines[*at];
            DayOfUse { principal: principal.to_owned(), day: day.to_owned(), usage: usage(requests) }
        };
        picked.iter().map(line).collect()
    };
    assert_eq!(other.usage_since("2027-02-01").await, Ok(told(&[0, 1, 3])), "that day too, and none before");
    assert_eq!(other.usage_since("2027-01-31").await, Ok(told(&[0, 1, 2, 3])), "across months");
    assert_eq!(other.usage_since("2027-02-03").await, Ok(vec![]));
}
