//! What the limits promise, with paused time.

use super::*;
use crate::identity::{Priority, Rights};
use tokio::time::advance;

const MOMENT: Duration = Duration::from_millis(1);

fn rights() -> Rights {
    Rights {
        models: Vec::new(),
        requests_per_minute: 60,
        requests_burst: 3,
        tokens_per_minute: 6000,
        open_requests: 100,
        priority: Priority::Normal,
        operate: false,
        manage_models: false,
    }
}

fn caller(name: &str, rights: Rights) -> Caller {
    let principal = Principal::of_token("https://issuer", name);
    Caller { principal, rights: Arc::new(rights), forwarded: None }
}

/// The time a 429 names.
fn refused<T>(outcome: Result<T, Refusal>) -> Duration {
    match outcome {
        Err(Refusal::TooMany { retry_after, .. }) => retry_after,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let through"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_let_through_and_then_the_rate() {
    let (limiter, a) = (Limiter::new(), caller("a", rights()));
    for _ in 0..3 {
        limiter.begin(&a).unwrap();
    }
    for _ in 0..5 {
        // Asking again and again changes nothing: what is refused does not count.
        let retry_after = refused(limiter.begin(&a));
        advance(retry_after - MOMENT).await;
        assert!(refused(limiter.begin(&a)) <= MOMENT * 2);
        advance(MOMENT).await;
        limiter.begin(&a).unwrap();
        assert!((0.99..=1.01).contains(&retry_after.as_secs_f64()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_named_is_true_for_every_rate() {
    for (per_minute, burst) in [(1, 1), (7, 2), (59, 5), (60, 20), (1000, 1), (100_000, 50)] {
        let rights = Rights { requests_per_minute: per_minute, requests_burst: burst, ..rights() };
        let (limiter, a) = (Limiter::new(), caller("a", rights));
        for _ in 0..200 {
            if let Err(Refusal::TooMany { retry_after, .. }) = limiter.begin(&a) {
                advance(retry_after.mul_f64(0.99)).await;
                refused(limiter.begin(&a));
                advance(retry_after.mul_f64(0.01) + Duration::from_nanos(2)).await;
                limiter.begin(&a).unwrap();
            }
        }
    }
}

#[test]
fn ten_connections_of_one_principal_share_one_limit() {
    let (limiter, wide) = (Limiter::new(), Rights { requests_burst: 20, ..rights() });
    let let_through = std::thread::scope(|threads| {
        let connection = || {
            let caller = caller("a", wide.clone());
            (0..10).filter(|_| limiter.begin(&caller).is_ok()).count()
        };
        let connections: Vec<_> = (0..10).map(|_| threads.spawn(connection)).collect();
        connections.into_iter().map(|connection| connection.join().unwrap()).sum::<usize>()
    });
    assert!((20..=21).contains(&let_through), "{let_through}");
}

#[tokio::test(start_paused = true)]
async fn tokens_of_other_rights_share_the_principals_limit() {
    let limiter = Limiter::new();
    let (one, other) = (caller("a", rights()), caller("a", Rights { requests_burst: 2, ..rights() }));
    limiter.begin(&one).unwrap();
    limiter.begin(&other).unwrap();
    refused(limiter.begin(&other));
    limiter.begin(&one).unwrap();
    refused(limiter.begin(&one));
    limiter.begin(&caller("b", rights())).unwrap();
}

#[tokio::test(start_paused = true)]
async fn open_requests_are_counted_until_they_close() {
    let narrow = Rights { open_requests: 2, requests_burst: 50, ..rights() };
    let (limiter, a) = (Limiter::new(), caller("a", narrow));
    let (first, _second) = (limiter.begin(&a).unwrap(), limiter.begin(&a).unwrap());
    assert_eq!(refused(limiter.begin(&a)).as_secs(), 1);
    drop(first);
    limiter.begin(&a).unwrap();
}

#[tokio::test(start_paused = true)]
async fn ten_wrong_codes_a_minute_are_enough() {
    let (limiter, a) = (Limiter::new(), caller("a", rights()));
    for _ in 0..30 {
        limiter.guess(&a).unwrap().was_right();
    }
    for _ in 0..10 {
        drop(limiter.guess(&a).unwrap());
    }
    assert_eq!(limiter.sweep(), 1, "not forgotten while it matters");
    let wait = refused(limiter.guess(&a));
    limiter.guess(&caller("b", rights())).unwrap();
    advance(wait).await;
    drop(limiter.guess(&a).unwrap());
    refused(limiter.guess(&a));
}

#[tokio::test(start_paused = true)]
async fn the_table_is_empty_after_idle_time() {
    let limiter = Limiter::new();
    let open = limiter.begin(&caller("open", rights())).unwrap();
    for index in 0..1000 {
        limiter.begin(&caller(&format!("{index}"), rights())).unwrap();
    }
    assert_eq!(limiter.sweep(), 1001);
    advance(Duration::from_secs(61)).await;
    limiter.begin(&caller("late", rights())).unwrap();
    assert_eq!(limiter.sweep(), 2, "beginning a request swept the others; who is open stays");
    drop(open);
    advance(Duration::from_secs(61)).await;
    assert_eq!(limiter.sweep(), 0);
}

#[tokio::test(start_paused = true)]
async fn tokens_flow_back_and_the_time_named_is_true() {
    let (quota, a) = (InMemory::new(), caller("a", rights()));
    quota.reserve(&a, 6000).await.unwrap();
    let retry_after = refused(quota.reserve(&a, 500).await);
    assert!((4.99..5.01).contains(&retry_after.as_secs_f64()));
    advance(retry_after - MOMENT).await;
    refused(quota.reserve(&a, 500).await);
    advance(MOMENT).await;
    quota.reserve(&a, 500).await.unwrap();
    quota.reserve(&caller("b", rights()), 6000).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn settling_gives_back_what_was_not_used() {
    let (quota, a) = (InMemory::new(), caller("a", rights()));
    quota.reserve(&a, 6000).await.unwrap().settle(1000);
    quota.reserve(&a, 5000).await.unwrap().settle(0);
    let mut last = quota.reserve(&a, 5000).await.unwrap();
    last.count(10);
    last.count(4000);
    assert_eq!(last.reserved(), 5000);
    drop(last);
    // Without a count the estimate stands.
    drop(quota.reserve(&a, 1000).await.unwrap());
    refused(quota.reserve(&a, 1).await);
}

#[tokio::test(start_paused = true)]
async fn a_debt_delays_the_next() {
    let (quota, a) = (InMemory::new(), caller("a", rights()));
    quota.reserve(&a, 100).await.unwrap().settle(9000);
    let retry_after = refused(quota.reserve(&a, 100).await);
    assert!((30.99..31.01).contains(&retry_after.as_secs_f64()));
    advance(retry_after).await;
    quota.reserve(&a, 100).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_than_a_minute_holds_is_let_through_when_nothing_is_used() {
    let (quota, a) = (InMemory::new(), caller("a", rights()));
    quota.reserve(&a, 600).await.unwrap();
    let retry_after = refused(quota.reserve(&a, 20_000).await);
    assert!((5.99..6.01).contains(&retry_after.as_secs_f64()));
    advance(retry_after).await;
    quota.reserve(&a, 20_000).await.unwrap();
    let retry_after = refused(quota.reserve(&a, 600).await);
    assert!((145.99..146.01).contains(&retry_after.as_secs_f64()));
}

#[tokio::test(start_paused = true)]
async fn a_late_settlement_finds_its_principal_again() {
    let (quota, a) = (InMemory::new(), caller("a", rights()));
    let long = quota.reserve(&a, 100).await.unwrap();
    advance(Duration::from_secs(600)).await;
    assert_eq!(quota.sweep(), 0, "a whole minute is not remembered, reserved or not");
    long.settle(6100);
    assert!((0.99..1.01).contains(&refused(quota.reserve(&a, 100).await).as_secs_f64()));
    advance(Duration::from_secs(61)).await;
    assert_eq!(quota.sweep(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_nothing_refuses_and_does_not_break() {
    let nothing = Rights { requests_per_minute: 0, requests_burst: 0, tokens_per_minute: 0, ..rights() };
    let (limiter, quota, a) = (Limiter::new(), InMemory::new(), caller("a", nothing));
    limiter.begin(&a).unwrap();
    assert_eq!(refused(limiter.begin(&a)).as_secs(), 3600);
    drop(quota.reserve(&a, 1).await);
    assert_eq!(refused(quota.reserve(&a, 1).await).as_secs(), 3600);
}

#[test]
fn bodies_share_one_budget() {
    let bodies = Bodies::new(&crate::config::settings::Queue { bytes: 100, ..Default::default() });
    let first = bodies.reserve(60).unwrap();
    let mut second = bodies.reserve(0).unwrap();
    second.grow(40).unwrap();
    let refused = second.grow(1).unwrap_err();
    assert!(matches!(refused, Refusal::Overloaded { retry_after, .. } if retry_after.as_secs() == 1));
    assert!(bodies.reserve(u64::MAX).is_err());
    assert_eq!(bodies.used(), 100);
    drop(first);
    second.grow(60).unwrap();
    drop(second);
    assert_eq!(bodies.used(), 0);
}
