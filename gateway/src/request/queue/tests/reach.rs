//! What goes to other nodes and what does not, how much at once, and how long it may wait for one.

use super::*;

const PEER: UpstreamId = UpstreamId(1);

fn state() -> (State, Instant) {
    (State::new(config()), Instant::now())
}

fn bound(name: &str) -> Demand {
    Demand { reach: Reach::Here, ..demand(name, 1.0) }
}

fn upstream(arrival: Arrival) -> Option<UpstreamId> {
    match arrival {
        Arrival::Granted(grant) => Some(grant.upstream),
        Arrival::Waiting(_) => None,
    }
}

#[test]
fn what_has_come_a_hop_goes_no_further() {
    let (mut state, now) = state();
    state.offer(PEER, &model("m"), 4, now);
    assert_eq!(upstream(state.arrive(bound("a"), now).unwrap()), None, "no second hop");
    assert!(state.wants(&model("m")), "and so the model is to be loaded here");
    // The same caller's next request passes it by: it may go where this one may not.
    assert_eq!(upstream(state.arrive(demand("a", 1.0), now).unwrap()), Some(PEER));
    let granted = state.offer(HERE, &model("m"), 1, now);
    assert_eq!(granted.iter().map(|grant| grant.upstream).collect::<Vec<_>>(), [HERE]);
    assert!(!state.wants(&model("m")));
}

#[test]
fn a_bound_demand_put_back_is_bound_still() {
    let (mut state, now) = state();
    state.offer(HERE, &model("m"), 1, now);
    let Arrival::Granted(grant) = state.arrive(bound("a"), now).unwrap() else { panic!("granted") };
    state.offer(HERE, &model("m"), 0, now);
    assert!(state.put_back(&model("m"), grant.ticket, now).is_none());
    assert!(state.offer(PEER, &model("m"), 1, now).is_empty());
    assert_eq!(state.offer(HERE, &model("m"), 1, now).len(), 1);
}

#[test]
fn who_leaves_gives_its_own_slots_last() {
    let (mut state, now) = state();
    state.offer(HERE, &model("m"), 2, now);
    state.offer(PEER, &model("m"), 1, now);
    state.set_leaving(true);
    let order: Vec<_> =
        (0..3).filter_map(|_| upstream(state.arrive(demand("a", 1.0), now).unwrap())).collect();
    assert_eq!(order, [PEER, HERE, HERE]);
    state.set_leaving(true);
    assert_eq!(upstream(state.arrive(bound("b"), now).unwrap()), None);
}

#[test]
fn a_peer_has_one_bound_for_all_models() {
    let (mut state, now) = state();
    state.limit(PEER, 3, now);
    state.offer(PEER, &model("m"), 3, now);
    state.offer(PEER, &model("n"), 3, now);
    let mut running = Vec::new();
    for name in ["m", "n", "m", "n", "m"] {
        let arrival = state.arrive(Demand { model: model(name), ..demand("a", 1.0) }, now).unwrap();
        if let Arrival::Granted(grant) = arrival {
            running.push(grant);
        }
    }
    assert_eq!((running.len(), state.taken(PEER), state.load(now).away), (3, 3, 3));
    // Whose slot becomes free does not matter: the longest awaited one, of the other model, takes it.
    let freed = running.pop().unwrap();
    let next = state.release(&freed.model, freed.ticket, now).unwrap();
    assert_eq!((next.model, state.taken(PEER)), (model("m"), 3), "its own line goes first");
    let granted = state.limit(PEER, 4, now);
    assert_eq!(granted.iter().map(|grant| grant.model.clone()).collect::<Vec<_>>(), [model("n")]);
    assert_eq!(state.load(now).queued, 0);
    let last = state.arrive(Demand { model: model("n"), ..demand("a", 1.0) }, now).unwrap();
    assert_eq!(upstream(last), None);
    let freed = running.remove(0);
    assert_eq!(freed.model, model("m"));
    let next = state.release(&freed.model, freed.ticket, now).unwrap();
    assert_eq!(next.model, model("n"), "nobody of its own line waits");
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_by_its_own_clock_and_a_wait_begins_when_somebody_can_serve() {
    let queue = Queue::new(&config());
    queue.set_ready(false);
    let ask = || {
        let patience = Patience { wait: Duration::from_secs(5), hold: Duration::from_secs(60) };
        queue.place(Demand { patience, ..demand("a", 1.0) })
    };
    let began = Instant::now();
    let held = ask().await.unwrap_err();
    assert!(matches!(held, Refusal::TooLate(text) if text.contains("no node became ready")));
    assert_eq!(began.elapsed().as_secs(), 60);
    let began = Instant::now();
    let (refused, ()) = tokio::join!(ask(), async {
        tokio::time::sleep(Duration::from_secs(50)).await;
        queue.set_ready(true);
        queue.set_ready(true);
    });
    assert!(matches!(refused.unwrap_err(), Refusal::TooLate(text) if text.contains("no slot became free")));
    assert_eq!(began.elapsed().as_secs(), 55);
}

#[tokio::test(start_paused = true)]
async fn a_hold_goes_on_when_the_only_node_goes_again() {
    let queue = Queue::new(&config());
    let patience = Patience { wait: Duration::from_secs(5), hold: Duration::from_secs(60) };
    let began = Instant::now();
    let (refused, ()) = tokio::join!(queue.place(Demand { patience, ..demand("a", 1.0) }), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        queue.set_ready(false);
    });
    assert!(refused.is_err());
    assert_eq!(began.elapsed().as_secs(), 60);
}
