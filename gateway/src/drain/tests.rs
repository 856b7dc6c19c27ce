//! What a drain promises, with paused time.

use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn drain() -> Drain {
    Drain::new(&settings::Drain { accept_for_seconds: 20 * SECOND, deadline_seconds: 900 * SECOND })
}

/// Runs `story` to its end while the clock is kept.
async fn told(drain: &Drain, story: impl Future<Output = ()>) {
    let keeping = async {
        drain.keep_time().await;
        std::future::pending().await
    };
    tokio::select! {
        () = keeping => {}
        () = story => {}
    }
}

#[tokio::test(start_paused = true)]
async fn phases_follow_the_clock_and_never_go_back() {
    let drain = drain();
    assert_eq!(drain.phase(), Phase::Serving);
    let began = Instant::now();
    drain.leave();
    tokio::join!(drain.keep_time(), async {
        drain.reached(Phase::Leaving).await;
        assert_eq!(began.elapsed().as_secs(), 0);
        drain.reached_for_good(Phase::Closing).await;
        assert_eq!(began.elapsed().as_secs(), 20);
        drain.order(None);
        drain.leave();
        drain.reached(Phase::Over).await;
        assert_eq!(began.elapsed().as_secs(), 900);
    });
    drain.leave();
    drain.order(Some(Instant::now() + SECOND));
    assert_eq!(drain.phase(), Phase::Over);
}

#[tokio::test(start_paused = true)]
async fn an_order_lapses_by_itself_and_a_renewed_one_goes_on() {
    let drain = drain();
    told(&drain, async {
        drain.order(Some(Instant::now() + 60 * SECOND));
        assert_eq!(drain.phase(), Phase::Leaving, "at once");
        sleep(19 * SECOND).await;
        drain.order(Some(Instant::now() + 60 * SECOND));
        assert_eq!(drain.phase(), Phase::Leaving);
        sleep(SECOND + SECOND / 2).await;
        assert_eq!(drain.phase(), Phase::Closing, "renewing does not begin anew");
        sleep(57 * SECOND).await;
        assert_eq!(drain.phase(), Phase::Closing);
        sleep(2 * SECOND).await;
        assert_eq!(drain.phase(), Phase::Serving, "60 s after it was renewed");
        drain.order(Some(Instant::now() + 60 * SECOND));
        assert_eq!(drain.phase(), Phase::Leaving, "and another begins from the start");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_order_has_no_end_of_its_own_and_is_taken_back_at_once() {
    let drain = drain();
    told(&drain, async {
        for _ in 0..100 {
            drain.order(Some(Instant::now() + 60 * SECOND));
            sleep(30 * SECOND).await;
        }
        assert_eq!(drain.phase(), Phase::Closing);
        drain.order(None);
        assert_eq!(drain.phase(), Phase::Serving);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_signal_on_top_is_final() {
    let drain = drain();
    told(&drain, async {
        drain.order(Some(Instant::now() + 60 * SECOND));
        sleep(30 * SECOND).await;
        let closing = tokio::time::timeout(SECOND, drain.reached_for_good(Phase::Closing)).await;
        assert!(closing.is_err(), "an order is never for good");
        drain.leave();
        drain.reached_for_good(Phase::Closing).await;
        drain.order(None);
        assert_eq!(drain.phase(), Phase::Closing, "who has closed does not open again");
        let told = Instant::now();
        drain.reached(Phase::Over).await;
        assert_eq!(told.elapsed().as_secs(), 900);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_order_shortens_no_leave() {
    let drain = drain();
    // Nobody keeps the time here: what has lapsed unseen has lapsed.
    drain.order(Some(Instant::now() + SECOND));
    sleep(60 * SECOND).await;
    drain.leave();
    assert_eq!(drain.phase(), Phase::Leaving);
}

#[tokio::test(start_paused = true)]
async fn a_notice_has_a_deadline_of_its_own_and_the_earliest_holds() {
    let drain = drain();
    let began = Instant::now();
    drain.leave_by(began + 110 * SECOND);
    drain.leave();
    drain.keep_time().await;
    assert_eq!(began.elapsed().as_secs(), 110);
    assert_eq!(drain.phase(), Phase::Over);

    let short = self::drain();
    let began = Instant::now();
    short.leave();
    short.leave_by(began + 5 * SECOND);
    short.keep_time().await;
    assert_eq!(began.elapsed().as_secs(), 5, "also before requests are refused");
}

#[tokio::test(start_paused = true)]
async fn a_connection_taken_while_closed_is_not_closed_unheard() {
    let drain = drain();
    told(&drain, async {
        drain.order(Some(Instant::now() + 60 * SECOND));
        sleep(30 * SECOND).await;
        let closes = drain.closes();
        tokio::pin!(closes);
        assert!(tokio::time::timeout(SECOND, &mut closes).await.is_err());
        drain.order(None);
        tokio::task::yield_now().await;
        assert!(tokio::time::timeout(SECOND, &mut closes).await.is_err(), "it serves again");
        drain.order(Some(Instant::now() + 60 * SECOND));
        let ordered = Instant::now();
        closes.await;
        assert_eq!(ordered.elapsed().as_secs(), 20);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_second_signal_ends_it_at_once() {
    let drain = drain();
    let began = Instant::now();
    drain.leave();
    drain.end_now();
    drain.keep_time().await;
    assert_eq!((drain.phase(), began.elapsed().as_secs()), (Phase::Over, 0));
}
