//! Limits hold for the fleet: nothing passes them, and nobody who fits is refused.

use super::{Race, all};
use crate::store::{Denial, Reservation, Store, Window};

const MINUTE: i64 = 29_916_666;

pub(super) async fn who_is_denied_is_listed<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let denial = |principal: &str| Denial {
        principal: principal.to_owned(),
        reason: "left".to_owned(),
        by: "an operator".to_owned(),
        since: 5,
    };
    let (ann, bob) = (denial("https://issuer.example/#ann"), denial("key bob '"));
    assert_eq!(store.denials().await, Ok(vec![]));
    store.deny(&bob).await.unwrap();
    store.deny(&ann).await.unwrap();
    store.deny(&ann).await.unwrap();
    assert_eq!(other.denials().await, Ok(vec![ann.clone(), bob.clone()]));
    assert_eq!(other.denial(&ann.principal).await, Ok(Some(ann.clone())));
    assert_eq!(other.denial("https://issuer.example/#an").await, Ok(None));
    assert_eq!(other.allow(&ann.principal).await, Ok(true));
    assert_eq!(other.allow(&ann.principal).await, Ok(false));
    assert_eq!(store.denial(&ann.principal).await, Ok(None));
    assert_eq!(store.denials().await, Ok(vec![bob]));
}

pub(super) async fn a_window_holds_both_limits<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    let window = |tokens, requests| Window { tokens, requests };
    let reserve = async |store: &S, tokens| store.reserve("w", MINUTE, tokens, 1, 100, 3).await.unwrap();
    assert_eq!(reserve(&store, 101).await, Reservation::Refused(window(0, 0)), "never fits");
    assert_eq!(reserve(&store, 60).await, Reservation::Reserved(window(60, 1)));
    assert_eq!(reserve(&other, 41).await, Reservation::Refused(window(60, 1)), "too many tokens");
    assert_eq!(reserve(&other, 101).await, Reservation::Refused(window(60, 1)));
    assert_eq!(reserve(&other, 40).await, Reservation::Reserved(window(100, 2)), "exactly the limit");
    assert_eq!(reserve(&other, 0).await, Reservation::Reserved(window(100, 3)));
    assert_eq!(reserve(&store, 0).await, Reservation::Refused(window(100, 3)), "too many requests");
    let next = store.reserve("w", MINUTE + 1, 100, 1, 100, 3).await;
    assert_eq!(next, Ok(Reservation::Reserved(window(100, 1))), "minutes are apart");
    let everything = store.reserve("rich", MINUTE, u64::MAX, 1, u64::MAX, u64::MAX).await;
    assert!(matches!(everything, Ok(Reservation::Reserved(_))), "{everything:?}");
}

pub(super) async fn what_is_settled_makes_room<S: Store>(open: &impl Fn() -> S) {
    let (store, other) = (open(), open());
    store.settle("s", MINUTE, -5).await.unwrap();
    let full = store.reserve("s", MINUTE, 100, 1, 100, 9).await;
    assert_eq!(full, Ok(Reservation::Reserved(Window { tokens: 100, requests: 1 })), "no window, no credit");
    other.settle("s", MINUTE, -70).await.unwrap();
    let fits = store.reserve("s", MINUTE, 70, 1, 100, 9).await;
    assert_eq!(fits, Ok(Reservation::Reserved(Window { tokens: 100, requests: 2 })));
    other.settle("s", MINUTE, 20).await.unwrap();
    let over = store.reserve("s", MINUTE, 0, 1, 100, 9).await;
    assert_eq!(
        over,
        Ok(Reservation::Refused(Window { tokens: 120, requests: 2 })),
        "more was used than reserved"
    );
}

pub(super) async fn a_hundred_at_the_limit_overshoot_by_nothing<S: Store>(open: &impl Fn() -> S, race: Race) {
    for (who, token_limit, request_limit, fit) in
        [("tokens", 500, 1000, 50), ("requests", 5000, 30, 30), ("all", 1000, 100, 100)]
    {
        let answers = all(open, race, 100, async |store, _| {
            store.reserve(who, MINUTE, 10, 1, token_limit, request_limit).await.unwrap()
        });
        let answers = answers.await;
        let reserved = answers.iter().filter(|answer| matches!(answer, Reservation::Reserved(_))).count();
        assert_eq!(reserved, fit, "{who}");
        let Ok(Reservation::Refused(window)) = open().reserve(who, MINUTE, 10, 1, 0, 0).await else {
            panic!("{who}")
        };
        assert_eq!((window.tokens, window.requests), (fit as i64 * 10, fit as i64), "{who}");
    }
}
