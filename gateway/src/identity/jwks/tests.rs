//! How keys come and go. Time is paused: the issuer is beside us, on the same runtime.

use fleet::shutdown::Tasks;
use serde_json::json;

use super::super::testing::{FakeIssuer, Signer, key_set};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn start(issuer: &FakeIssuer) -> Arc<Jwks> {
    let jwks = Arc::new(Jwks::new("https://issuer.example/keys".to_owned(), Arc::new(issuer.clone())));
    Tasks::new().spawn_background(Arc::clone(&jwks).keep_fresh());
    jwks
}

async fn ask(jwks: &Jwks, signer: &Signer, kid: &str) -> Result<u64, NoKey> {
    let token = signer.token(kid, &json!({}));
    let token = Unverified::parse(&token).unwrap();
    jwks.key_for(&token).await.map(|(key, generation)| {
        assert_eq!(key.kid, kid);
        generation
    })
}

const UNKNOWN: Result<u64, NoKey> = Err(NoKey::Refused("unknown_key"));

#[test]
fn a_bad_key_does_not_spoil_the_set() {
    let good = Signer::ec();
    let mut weak = Signer::ed().jwk("weak");
    weak["use"] = "enc".into();
    let set = key_set(&[json!(7), weak.clone(), json!({"kty": "oct"}), good.jwk("good"), json!({})]);
    let set = KeySet::parse(&set).unwrap();
    assert_eq!(set.keys().iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!(KeySet::parse(&key_set(&[weak])), Err("no usable key"));
    assert_eq!(KeySet::parse(&key_set(&[])), Ok(KeySet::default()));
    let many: Vec<_> = (0..101).map(|n| good.jwk(&n.to_string())).collect();
    assert_eq!(KeySet::parse(&key_set(&many)), Err("too many keys"));
    for garbage in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        assert_eq!(KeySet::parse(garbage.as_bytes()), Err("not a key set"), "{garbage}");
    }
}

#[tokio::test(start_paused = true)]
async fn sixty_unknown_keys_cost_at_most_four_fetches() {
    let known = Signer::ec();
    let issuer = FakeIssuer::publishing(&[known.jwk("known")]);
    let jwks = start(&issuer);
    assert_eq!(ask(&jwks, &known, "known").await, Ok(1));
    for number in 0..60 {
        assert_eq!(ask(&jwks, &known, &format!("unknown{number}")).await, UNKNOWN);
        sleep(Duration::from_millis(50)).await;
    }
    assert!(issuer.times("/keys") <= 4, "{}", issuer.times("/keys"));
}

#[tokio::test(start_paused = true)]
async fn sixty_unknown_keys_at_once_share_one_fetch() {
    let known = Signer::ec();
    let issuer = FakeIssuer::publishing(&[known.jwk("known")]);
    let jwks = start(&issuer);
    ask(&jwks, &known, "known").await.unwrap();
    let before = issuer.times("/keys");
    issuer.answer_after(SECOND, Ok(key_set(&[known.jwk("known"), known.jwk("new")])));
    let begun = Instant::now();
    // The last twenty ask for the one that the fetch brings.
    let all = (0..60).map(|n| {
        let (jwks, known) = (&jwks, &known);
        async move {
            let kid = if n < 40 { format!("unknown{n}") } else { "new".to_owned() };
            ask(jwks, known, &kid).await
        }
    });
    let found = futures_util::future::join_all(all).await;
    assert!(found[..40].iter().all(|one| *one == UNKNOWN));
    assert!(found[40..].iter().all(|one| *one == Ok(2)));
    assert_eq!(issuer.times("/keys") - before, 1);
    assert!(begun.elapsed() < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_within_ten_seconds_also_among_unknown_ones() {
    let (old, new) = (Signer::ec(), Signer::ed());
    let issuer = FakeIssuer::publishing(&[old.jwk("old")]);
    let jwks = start(&issuer);
    ask(&jwks, &old, "old").await.unwrap();
    assert_eq!(ask(&jwks, &old, "unknown").await, UNKNOWN);
    issuer.answer_after(2 * SECOND, Ok(key_set(&[old.jwk("old"), new.jwk("new")])));
    let published = Instant::now();
    while ask(&jwks, &new, "new").await.is_err() {
        assert_eq!(ask(&jwks, &old, "another").await, UNKNOWN);
        sleep(SECOND / 10).await;
    }
    assert!(published.elapsed() < 10 * SECOND, "{:?}", published.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_first_token_with_a_new_key_waits_for_it() {
    let (old, new) = (Signer::ec(), Signer::ed());
    let issuer = FakeIssuer::publishing(&[old.jwk("old")]);
    let jwks = start(&issuer);
    ask(&jwks, &old, "old").await.unwrap();
    issuer.answer(Ok(key_set(&[new.jwk("new")])));
    assert_eq!(ask(&jwks, &new, "new").await, Ok(2));
    assert_eq!(jwks.generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_removed_key_is_out_within_forty_seconds_without_anyone_asking() {
    for answer in [Ok(key_set(&[Signer::ec().jwk("new")])), Ok(key_set(&[]))] {
        let old = Signer::ec();
        let issuer = FakeIssuer::publishing(&[old.jwk("old")]);
        let jwks = start(&issuer);
        ask(&jwks, &old, "old").await.unwrap();
        sleep(SECOND).await;
        // The worst case: the first fetch after it hangs.
        issuer.once((10 * SECOND, Err(FetchError::Status(500))));
        issuer.answer(answer);
        sleep(39 * SECOND).await;
        assert_eq!(jwks.generation(), 2);
        assert_eq!(ask(&jwks, &old, "old").await, UNKNOWN);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_keep_their_generation() {
    let (one, two) = (Signer::ec(), Signer::ec());
    let issuer = FakeIssuer::publishing(&[one.jwk("k")]);
    let jwks = start(&issuer);
    sleep(100 * SECOND).await;
    assert_eq!((jwks.generation(), issuer.times("/keys")), (1, 4));
    issuer.answer(Ok(key_set(&[two.jwk("k")])));
    sleep(30 * SECOND).await;
    assert_eq!(jwks.generation(), 2, "another key under the same name");
}

#[tokio::test(start_paused = true)]
async fn known_keys_go_on_working_and_never_wait_whatever_the_issuer_does() {
    let known = Signer::ec();
    let issuer = FakeIssuer::publishing(&[known.jwk("known")]);
    let jwks = start(&issuer);
    ask(&jwks, &known, "known").await.unwrap();
    let mut weak = known.jwk("known");
    weak["use"] = "enc".into();
    for (pause, answer) in [
        (Duration::ZERO, Err(FetchError::Broken("refused".to_owned()))),
        (Duration::ZERO, Err(FetchError::Status(500))),
        (Duration::ZERO, Err(FetchError::Status(302))),
        (Duration::ZERO, Err(FetchError::TooLarge)),
        (Duration::ZERO, Ok(b"<html>".to_vec())),
        (Duration::ZERO, Ok(key_set(&[weak]))),
        (1000 * SECOND, Ok(key_set(&[]))),
    ] {
        issuer.answer_after(pause, answer);
        for _ in 0..60 {
            sleep(SECOND).await;
            let begun = Instant::now();
            assert_eq!(ask(&jwks, &known, "known").await, Ok(1));
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
        let begun = Instant::now();
        assert_eq!(ask(&jwks, &known, "unknown").await, UNKNOWN);
        assert!(begun.elapsed() <= WAIT);
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_at_the_start_is_tried_again() {
    let known = Signer::ec();
    let issuer = FakeIssuer::new(Err(FetchError::Broken("refused".to_owned())));
    let jwks = start(&issuer);
    assert_eq!(ask(&jwks, &known, "known").await, Err(NoKey::Unreachable));
    sleep(600 * SECOND).await;
    let tries = issuer.times("/keys");
    assert!((55..=70).contains(&tries), "about one in ten seconds: {tries}");
    issuer.answer(Ok(key_set(&[known.jwk("known")])));
    sleep(11 * SECOND).await;
    assert_eq!(ask(&jwks, &known, "known").await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_token_at_the_very_start_waits_for_the_first_fetch() {
    let known = Signer::ec();
    let issuer = FakeIssuer::publishing(&[]);
    issuer.answer_after(2 * SECOND, Ok(key_set(&[known.jwk("known")])));
    let jwks = start(&issuer);
    assert_eq!(ask(&jwks, &known, "known").await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_end_the_fetch() {
    let (old, new) = (Signer::ec(), Signer::ed());
    let issuer = FakeIssuer::publishing(&[old.jwk("old")]);
    let jwks = start(&issuer);
    ask(&jwks, &old, "old").await.unwrap();
    issuer.answer_after(SECOND, Ok(key_set(&[new.jwk("new")])));
    let impatient = timeout(SECOND / 2, ask(&jwks, &new, "new")).await;
    assert!(impatient.is_err());
    let before = issuer.times("/keys");
    assert_eq!(ask(&jwks, &new, "new").await, Ok(2));
    assert_eq!(issuer.times("/keys"), before);
}

#[tokio::test(start_paused = true)]
async fn keys_that_could_not_be_confirmed_for_a_day_are_given_up() {
    let known = Signer::ec();
    let issuer = FakeIssuer::publishing(&[known.jwk("known")]);
    let jwks = start(&issuer);
    ask(&jwks, &known, "known").await.unwrap();
    issuer.answer(Err(FetchError::Status(503)));
    sleep(STALE - 60 * SECOND).await;
    assert_eq!(ask(&jwks, &known, "known").await, Ok(1));
    sleep(120 * SECOND).await;
    assert_eq!(ask(&jwks, &known, "known").await, Err(NoKey::Unreachable));
    assert_eq!(jwks.generation(), 2);
}
