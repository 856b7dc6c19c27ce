//! What waiting is like: woken at once, gone at once, and never behind another model.

use super::*;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};

/// A queue where `m` has `slots`.
fn queue(slots: usize) -> Arc<Queue> {
    let queue = Queue::new(&config());
    queue.offer(HERE, &model("m"), slots);
    queue
}

/// Starts to wait, and lets the waiting begin.
async fn start(queue: &Arc<Queue>, demand: Demand) -> JoinHandle<Outcome> {
    let queue = Arc::clone(queue);
    let handle = tokio::runtime::Handle::current().spawn(async move { queue.place(demand).await });
    yield_now().await;
    handle
}

/// The permit that must be there by now.
async fn granted(waiter: JoinHandle<Outcome>) -> Permit {
    timeout(Duration::from_millis(1), waiter).await.expect("granted by now").unwrap().unwrap()
}

fn ask(name: &str) -> Demand {
    Demand { patience: patience(3600), ..demand(name, 1.0) }
}

#[tokio::test(start_paused = true)]
async fn a_freed_slot_wakes_the_next() {
    let queue = queue(1);
    let first = queue.place(ask("a")).await.unwrap();
    assert_eq!((first.upstream(), first.waited()), (HERE, Duration::ZERO));
    let second = start(&queue, ask("b")).await;
    sleep(Duration::from_secs(3)).await;
    drop(first);
    assert_eq!(granted(second).await.waited().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_gone_at_once_and_never_granted() {
    let queue = queue(1);
    let first = queue.place(ask("a")).await.unwrap();
    let leaver = start(&queue, ask("b")).await;
    let stayer = start(&queue, ask("c")).await;
    assert_eq!(queue.load().queued, 2);
    leaver.abort();
    yield_now().await;
    assert_eq!(queue.load().queued, 1);
    drop(first);
    drop(granted(stayer).await);
    assert_eq!(queue.load().busy, 0);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_meets_a_leaver_goes_to_the_next() {
    let queue = queue(1);
    let first = queue.place(ask("a")).await.unwrap();
    let mut leaver = Box::pin(queue.place(ask("b")));
    assert!(timeout(Duration::ZERO, &mut leaver).await.is_err());
    let stayer = start(&queue, ask("c")).await;
    drop(first);
    // The permit lies in the leaver's seat, unread.
    assert_eq!((queue.load().busy, queue.load().queued), (1, 1));
    drop(leaver);
    drop(granted(stayer).await);
    assert_eq!(queue.load().busy, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait_and_frees_the_place() {
    let queue = queue(1);
    let _first = queue.place(ask("a")).await.unwrap();
    let start = Instant::now();
    let demand = Demand { patience: patience(5), ..ask("b") };
    let refused = queue.place(demand).await.unwrap_err();
    assert!(matches!(refused, Refusal::TooLate(_)));
    assert_eq!((start.elapsed().as_secs(), queue.load().queued), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn one_models_queue_does_not_hold_up_another() {
    let queue = queue(1);
    queue.offer(HERE, &model("n"), 1);
    let _m = queue.place(ask("a")).await.unwrap();
    let waiting = start(&queue, ask("a")).await;
    let other = queue.place(Demand { model: model("n"), ..ask("a") });
    assert!(timeout(Duration::ZERO, other).await.unwrap().is_ok());
    assert!(!waiting.is_finished());
}

#[tokio::test(start_paused = true)]
async fn what_has_no_place_is_wanted_until_it_is_offered() {
    let queue = Queue::new(&config());
    let waiter = start(&queue, Demand { model: model("n"), ..ask("a") }).await;
    timeout(Duration::ZERO, queue.changed()).await.unwrap();
    let second = start(&queue, ask("a")).await;
    timeout(Duration::ZERO, queue.changed()).await.unwrap();
    assert_eq!(queue.wanted(), [model("n"), model("m")]);
    queue.offer(HERE, &model("n"), 1);
    drop(granted(waiter).await);
    assert_eq!(queue.wanted(), [model("m")]);
    queue.fail(&model("m"), Refusal::NoModel("m".to_owned()));
    assert!(matches!(second.await.unwrap(), Err(Refusal::NoModel(_))));
    assert_eq!((queue.wanted().len(), queue.load().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_place_grants_no_more_and_its_permits_live_on() {
    let queue = queue(2);
    let first = queue.place(ask("a")).await.unwrap();
    queue.withdraw(HERE, &model("m"));
    let waiter = start(&queue, ask("b")).await;
    timeout(Duration::ZERO, queue.changed()).await.unwrap();
    assert_eq!(queue.load().busy, 1);
    queue.offer(HERE, &model("m"), 1);
    assert_eq!(queue.load().queued, 1, "the permit from before still counts");
    drop(first);
    drop(granted(waiter).await);
    queue.withdraw(HERE, &model("m"));
    assert_eq!((queue.load().slots, queue.load().busy), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_handed_back_is_the_first_again() {
    let queue = queue(1);
    let first = queue.place(ask("a")).await.unwrap();
    let second = start(&queue, ask("a")).await;
    let third = start(&queue, Demand { work: 1.5, ..ask("b") }).await;
    let fourth = start(&queue, ask("b")).await;
    queue.withdraw(HERE, &model("m"));
    let back = tokio::runtime::Handle::current().spawn(first.hand_back());
    yield_now().await;
    assert_eq!((queue.load().queued, queue.load().busy), (4, 0));
    sleep(Duration::from_secs(2)).await;
    queue.offer(UpstreamId(7), &model("m"), 1);
    let back = granted(back).await;
    assert_eq!((back.upstream(), back.waited().as_secs()), (UpstreamId(7), 2));
    // Charged once: then the other caller, who has had nothing; then the first, who has had 1 against 1.5.
    drop(back);
    drop(granted(third).await);
    drop(granted(second).await);
    drop(granted(fourth).await);
}

#[tokio::test(start_paused = true)]
async fn a_place_handed_back_meets_no_bound() {
    let queue = Queue::new(&settings::Queue { capacity: 1, ..config() });
    queue.offer(HERE, &model("m"), 1);
    let first = queue.place(ask("a")).await.unwrap();
    let second = start(&queue, ask("b")).await;
    assert!(matches!(queue.place(ask("c")).await, Err(Refusal::Overloaded { .. })));
    queue.withdraw(HERE, &model("m"));
    let back = tokio::runtime::Handle::current().spawn(first.hand_back());
    yield_now().await;
    queue.offer(HERE, &model("m"), 1);
    drop(granted(back).await);
    drop(granted(second).await);
}

#[tokio::test(start_paused = true)]
async fn a_held_slot_is_free_after_its_time_and_not_before() {
    let queue = queue(1);
    let first = queue.place(ask("a")).await.unwrap();
    let waiter = start(&queue, ask("b")).await;
    first.free_after(Duration::from_millis(500));
    let wait = queue.predicted_wait(&caller("c"), Priority::Interactive, &model("m"));
    assert_eq!(wait.as_millis(), 500);
    sleep(Duration::from_millis(499)).await;
    assert!(!waiter.is_finished());
    sleep(Duration::from_millis(2)).await;
    drop(granted(waiter).await);
}

#[tokio::test(start_paused = true)]
async fn one_caller_is_served_in_order() {
    let queue = queue(1);
    let mut holder = queue.place(ask("a")).await.unwrap();
    let mut waiters = Vec::new();
    for _ in 0..5 {
        waiters.push(start(&queue, ask("a")).await);
    }
    for waiter in waiters {
        drop(holder);
        holder = granted(waiter).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_local_place_is_granted_first_and_then_the_emptiest() {
    let queue = queue(1);
    queue.offer(UpstreamId(1), &model("m"), 2);
    queue.offer(UpstreamId(2), &model("m"), 4);
    let mut permits = Vec::new();
    for _ in 0..7 {
        permits.push(queue.place(ask("a")).await.unwrap());
    }
    let order: Vec<u32> = permits.iter().map(|permit| permit.upstream().0).collect();
    assert_eq!(order, [0, 1, 2, 2, 1, 2, 2], "here first, a hop costs time");
}

#[tokio::test(start_paused = true)]
async fn the_load_says_what_waits_and_runs() {
    let queue = queue(1);
    let _first = queue.place(Demand { work: 10.0, ..ask("a") }).await.unwrap();
    let _second = start(&queue, Demand { work: 3.0, bytes: 7, ..ask("a") }).await;
    sleep(Duration::from_secs(4)).await;
    let load = queue.load();
    assert_eq!((load.slots, load.busy, load.queued, load.queued_bytes), (1, 1, 1, 7));
    assert_eq!((load.queued_work_seconds, load.oldest_wait_seconds.round()), (3.0, 4.0));
    assert!((load.running_work_seconds - 6.0).abs() < 0.1);
}
