//! What many want to change at once changes once.

use std::collections::BTreeMap;

use super::{Race, all};
use crate::store::{
    Boot, Change, FleetState, LeaseRecord, Phase, Progress, ProgressState, Spent, Store, WantedModel,
};

pub(super) async fn a_lease_is_taken_by_its_version<S: Store>(open: &impl Fn() -> S) {
    let (one, two) = (open(), open());
    assert_eq!(one.lease("lease").await, Ok(None));
    let first = LeaseRecord { owner: "one".to_owned(), version: 1 };
    assert_eq!(one.take_lease("lease", "one", None).await, Ok(Change::Made(first.clone())));
    assert_eq!(two.take_lease("lease", "two", None).await, Ok(Change::Refused(Some(first.clone()))));
    assert_eq!(two.lease("lease").await, Ok(Some(first)));
    let renewed = LeaseRecord { owner: "one".to_owned(), version: 2 };
    assert_eq!(one.take_lease("lease", "one", Some(1)).await, Ok(Change::Made(renewed.clone())));
    assert_eq!(two.take_lease("lease", "two", Some(1)).await, Ok(Change::Refused(Some(renewed))));
    let taken = LeaseRecord { owner: "two".to_owned(), version: 3 };
    assert_eq!(two.take_lease("lease", "two", Some(2)).await, Ok(Change::Made(taken)));
    assert_eq!(one.take_lease("no lease", "one", Some(4)).await, Ok(Change::Refused(None)));
}

pub(super) async fn of_many_contenders_one_has_the_lease<S: Store>(open: &impl Fn() -> S, race: Race) {
    for observed in [None, Some(1), Some(2)] {
        let taken = all(open, race, 50, async |store, at| {
            store.take_lease("lease race", &format!("c{at}"), observed).await.unwrap()
        });
        let taken = taken.await;
        let winners: Vec<_> = taken.iter().filter(|taken| matches!(taken, Change::Made(_))).collect();
        assert_eq!(winners.len(), 1);
        let Change::Made(lease) = winners[0] else { unreachable!() };
        assert_eq!(open().lease("lease race").await, Ok(Some(lease.clone())));
    }
}

pub(super) async fn a_state_changes_under_its_version<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let asleep = store.state("state").await.unwrap();
    assert_eq!(asleep, FleetState::default());
    let mut waking = asleep.moved_to(Phase::Waking, 100).booted(Boot { at: 90, seconds: None });
    waking.spent = Some(Spent { period: 202_611, gpu_seconds: 1234.5 });
    let Ok(Change::Made(made)) = store.change_state("state", &asleep, &waking).await else {
        panic!("not made")
    };
    assert_eq!(made, FleetState { version: 1, ..waking.clone() });
    assert_eq!(other.state("state").await, Ok(made.clone()));
    let late = other.change_state("state", &asleep, &waking).await;
    assert_eq!(late, Ok(Change::Refused(Some(made.clone()))), "the loser learns what is");
    let awake = made.moved_to(Phase::Awake, 200).booted(Boot { at: 100, seconds: Some(88.5) });
    assert!(matches!(other.change_state("state", &made, &awake).await, Ok(Change::Made(_))));
    let read = store.state("state").await.unwrap();
    assert_eq!((read.version, read.phase, read.since, &read.boots), (2, Phase::Awake, 200, &awake.boots));
}

pub(super) async fn of_a_thousand_wakes_one_counts<S: Store>(open: &impl Fn() -> S, race: Race) {
    let asleep = open().state("wake").await.unwrap();
    let woken = all(open, race, 1000, async |store, at| {
        let waking = asleep.moved_to(Phase::Waking, at as i64);
        store.change_state("wake", &asleep, &waking).await.unwrap()
    });
    let woken = woken.await;
    assert_eq!(woken.iter().filter(|woken| matches!(woken, Change::Made(_))).count(), 1);
    let state = open().state("wake").await.unwrap();
    assert_eq!((state.version, state.phase), (1, Phase::Waking));
}

fn wish(name: &str, source: &str) -> WantedModel {
    WantedModel {
        name: name.to_owned(),
        source: source.to_owned(),
        requested_at: 1_795_000_000,
        progress: BTreeMap::new(),
    }
}

pub(super) async fn models_are_wanted_until_they_are_not<S: Store>(open: &impl Fn() -> S) {
    let (admin, node) = (open(), open());
    let (gemma, embed) = (wish("gemma3n:e4b", "models/gemma3n"), wish("\"embed\":v1.5", "models/embed"));
    admin.want_model("models", &gemma).await.unwrap();
    admin.want_model("models", &embed).await.unwrap();
    let half = Progress {
        state: ProgressState::Pulling,
        completed: 5,
        total: 1 << 40,
        error: None,
        brought: true,
        at: 7,
    };
    assert_eq!(node.write_progress("models", &gemma, "i-\"1\".a", &half).await, Ok(true));
    let with =
        WantedModel { progress: BTreeMap::from([("i-\"1\".a".to_owned(), half.clone())]), ..gemma.clone() };
    assert_eq!(admin.models("models").await, Ok(vec![embed.clone(), with]));

    let elsewhere = wish("gemma3n:e4b", "models/gemma3n-v2");
    admin.want_model("models", &elsewhere).await.unwrap();
    assert_eq!(node.write_progress("models", &gemma, "i-1", &half).await, Ok(false), "of the wish before");
    assert_eq!(admin.models("models").await, Ok(vec![embed, elsewhere.clone()]), "progress began anew");
    assert_eq!(admin.unwant_model("models", "gemma3n:e4b").await, Ok(true));
    assert_eq!(admin.unwant_model("models", "gemma3n:e4b").await, Ok(false));
    assert_eq!(
        node.write_progress("models", &elsewhere, "i-1", &half).await,
        Ok(false),
        "it does not come back"
    );
    assert_eq!(admin.models("models").await.unwrap().len(), 1);
}

pub(super) async fn no_progress_overwrites_another<S: Store>(open: &impl Fn() -> S, race: Race) {
    let model = wish("m", "models/m");
    open().want_model("progress", &model).await.unwrap();
    let written = all(open, race, 100, async |store, at| {
        let progress = Progress { completed: at as u64, ..Progress::default() };
        store.write_progress("progress", &model, &format!("n{at}"), &progress).await
    });
    assert!(written.await.iter().all(|written| *written == Ok(true)));
    let read = open().models("progress").await.unwrap();
    assert!((0..100).all(|at| read[0].progress[&format!("n{at}")].completed == at));
}
