//! What a machine's group is told, and when: the rule by rows of time, the loop with a scripted cloud.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fleet::shutdown::Tasks;

use super::decide::Seen;
use super::*;
use crate::fake_store::FakeStore;
use crate::process::Gateway;

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    let (launch_hook, terminate_hook) = (true, true);
    Rules { boot: 900 * SECOND, sick: 300 * SECOND, load: 600 * SECOND, launch_hook, terminate_hook }
}

fn booting() -> Seen {
    Seen { target: None, leave_by: None, loaded: false, answers: true, leaving: false, drained: false }
}

fn serving() -> Seen {
    Seen { target: Some(Target::InService), loaded: true, ..booting() }
}

fn ending() -> Seen {
    Seen { target: Some(Target::Terminated), leaving: true, ..serving() }
}

/// A node in service, whose launch hook is done with.
fn in_service(now: Instant) -> Life {
    let mut life = Life::new(rules(), now);
    assert_eq!(life.next(&serving(), now), [Act::Launched]);
    life.done(Act::Launched, Outcome::Done, now);
    assert_eq!(life.next(&serving(), now), []);
    life
}

#[test]
fn a_launched_node_gains_time_until_it_is_loaded_and_is_given_up_when_it_never_is() {
    let now = Instant::now();
    let mut life = Life::new(rules(), now);
    assert_eq!(life.next(&booting(), now), [Act::Booting]);
    assert_eq!(life.next(&booting(), now + 19 * SECOND), []);
    assert_eq!(life.next(&booting(), now + 20 * SECOND), [Act::Booting]);
    assert_eq!(life.next(&booting(), now + 900 * SECOND), [Act::Abandon]);
    life.done(Act::Abandon, Outcome::Unanswered, now + 900 * SECOND);
    assert_eq!(life.next(&booting(), now + 905 * SECOND), [Act::Abandon], "until it is answered");
    life.done(Act::Abandon, Outcome::Done, now + 905 * SECOND);
    assert_eq!(life.next(&serving(), now + 910 * SECOND), [], "too late");
}

#[test]
fn a_hook_that_is_not_open_yet_is_tried_again_and_one_of_long_ago_is_let_be() {
    let began = Instant::now();
    let (mut life, mut now, mut tries) = (Life::new(rules(), began), began, 0);
    while now < began + 1800 * SECOND {
        if life.next(&serving(), now) == [Act::Launched] {
            tries += 1;
            life.done(Act::Launched, Outcome::Refused, now);
        }
        now += 5 * SECOND;
    }
    assert!(
        (10..=25).contains(&tries),
        "5, 10, 20, 40 and then 60 s apart, for a quarter of an hour: {tries}"
    );
}

#[test]
fn a_warm_node_is_let_go_once_loaded_and_once_more_when_it_is_called() {
    let now = Instant::now();
    let warm = |loaded| Seen { target: Some(Target::Warmed), loaded, ..booting() };
    let mut life = Life::new(rules(), now);
    assert_eq!(life.next(&warm(false), now), [Act::Booting]);
    assert_eq!(life.next(&warm(true), now), [Act::Launched], "its disk is filled");
    life.done(Act::Launched, Outcome::Done, now);
    assert_eq!(life.next(&warm(true), now + SECOND), []);
    assert_eq!(life.next(&serving(), now + 2 * SECOND), [Act::Launched]);
}

#[test]
fn an_instance_that_goes_is_kept_until_it_has_drained() {
    let now = Instant::now();
    let mut life = in_service(now);
    assert_eq!(life.next(&ending(), now), [Act::Leave, Act::Draining]);
    assert_eq!(life.next(&ending(), now + 5 * SECOND), []);
    assert_eq!(life.next(&ending(), now + 20 * SECOND), [Act::Draining]);
    let drained = Seen { drained: true, ..ending() };
    assert_eq!(life.farewell(), Some(Act::Drained), "also when the process ends first");
    assert_eq!(life.next(&drained, now + 25 * SECOND), [Act::Drained]);
    life.done(Act::Drained, Outcome::Refused, now + 25 * SECOND);
    assert_eq!(life.next(&drained, now + 26 * SECOND), [], "the hook opens later");
    assert_eq!(life.next(&drained, now + 30 * SECOND), [Act::Drained]);
    life.done(Act::Drained, Outcome::Done, now + 30 * SECOND);
    assert_eq!(life.next(&drained, now + 99 * SECOND), []);
    assert_eq!(life.farewell(), None);
    assert_eq!(in_service(now).farewell(), None, "a restart is not an end");
}

#[test]
fn a_notice_of_spot_gives_the_deadline_once() {
    let now = Instant::now();
    let (mut life, by) = (in_service(now), now + 110 * SECOND);
    let taken = Seen { leave_by: Some(by), ..serving() };
    assert_eq!(life.next(&taken, now), [Act::LeaveBy(by)]);
    assert_eq!(life.next(&taken, now + 5 * SECOND), []);
}

#[test]
fn only_a_node_that_has_served_and_cannot_be_revived_is_unhealthy_once() {
    let now = Instant::now();
    let gone = Seen { loaded: false, answers: false, ..serving() };
    let mut life = in_service(now);
    assert_eq!(life.next(&gone, now), []);
    assert_eq!(life.next(&gone, now + 299 * SECOND), []);
    assert_eq!(life.next(&serving(), now + 300 * SECOND), [], "a restart in time");
    assert_eq!(life.next(&gone, now + 301 * SECOND), []);
    assert_eq!(life.next(&gone, now + 600 * SECOND), []);
    assert_eq!(life.next(&gone, now + 601 * SECOND), [Act::Unhealthy]);
    life.done(Act::Unhealthy, Outcome::Unanswered, now + 601 * SECOND);
    assert_eq!(life.next(&gone, now + 606 * SECOND), [Act::Unhealthy]);
    life.done(Act::Unhealthy, Outcome::Done, now + 606 * SECOND);
    assert_eq!(life.next(&gone, now + 999 * SECOND), []);

    let mut life = in_service(now);
    let unloaded = Seen { loaded: false, ..serving() };
    assert_eq!(life.next(&unloaded, now), []);
    assert_eq!(life.next(&unloaded, now + 899 * SECOND), [], "a load may take long");
    assert_eq!(life.next(&unloaded, now + 900 * SECOND), [Act::Unhealthy]);

    let mut life = in_service(now);
    let leaving = Seen { leaving: true, ..gone };
    life.next(&leaving, now);
    assert_eq!(life.next(&leaving, now + 999 * SECOND), [], "who leaves is replaced anyway");
    let mut life = Life::new(Rules { launch_hook: false, ..rules() }, now);
    life.next(&gone, now);
    assert_eq!(life.next(&gone, now + 999 * SECOND), [], "it never served");
}

/// A cloud that says what it is told to, and notes what it is asked.
#[derive(Default)]
struct Scripted {
    notices: Mutex<Notices>,
    /// So many looks and calls hang.
    hangs: AtomicUsize,
    acts: Mutex<Vec<Act>>,
}

impl Scripted {
    async fn hang(&self) {
        if self.hangs.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            std::future::pending::<()>().await;
        }
    }

    fn acts(&self) -> Vec<Act> {
        std::mem::take(&mut self.acts.lock().unwrap())
    }
}

#[async_trait]
impl Cloud for Scripted {
    async fn notices(&self) -> Result<Notices, MachineError> {
        self.hang().await;
        Ok(*self.notices.lock().unwrap())
    }

    async fn act(&self, act: Act) -> Result<(), MachineError> {
        self.hang().await;
        self.acts.lock().unwrap().push(act);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_front_leaves_when_its_group_wants_it_gone_though_calls_hang() {
    let mut config = Config::default();
    config.instance.terminate_hook = Some("drain".to_owned());
    let gateway = Gateway::new(config.clone(), Arc::new(FakeStore::default()), Tasks::new()).unwrap();
    let (cloud, shared) = (Arc::new(Scripted::default()), gateway.shared.clone());
    let machine = Machine::new(&config, cloud.clone());
    let story = async {
        sleep(20 * SECOND).await;
        assert_eq!((cloud.acts(), shared.drain.phase()), (Vec::new(), Phase::Serving));
        *cloud.notices.lock().unwrap() = Notices { target: Some(Target::Terminated), taken_at: None };
        cloud.hangs.store(2, SeqCst); // a look, and the first heartbeat
        sleep(20 * SECOND).await;
        assert_eq!(shared.drain.phase(), Phase::Leaving);
        sleep(40 * SECOND).await;
        let acts = cloud.acts();
        assert!(acts.len() >= 2 && acts.first() == Some(&Act::Draining), "{acts:?}");
        assert_eq!(acts.last(), Some(&Act::Drained), "nothing runs: it need not wait for the deadline");
        assert_eq!(acts.iter().filter(|act| **act == Act::Drained).count(), 1);
    };
    tokio::select! {
        () = machine.run(&gateway.shared) => {}
        () = gateway.shared.drain.keep_time() => {}
        () = story => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_lets_its_machine_go_and_does_not_wait_for_ever() {
    let mut config = Config::default();
    config.instance.terminate_hook = Some("drain".to_owned());
    let cloud = Arc::new(Scripted::default());
    let machine = Machine::new(&config, cloud.clone());
    machine.farewell().await;
    assert_eq!(cloud.acts(), [], "nobody ends the instance");
    let now = Instant::now();
    machine.life().next(&ending(), now);
    cloud.hangs.store(2, SeqCst);
    machine.farewell().await;
    assert_eq!(cloud.acts(), [Act::Drained]);
    assert!(now.elapsed() < FAREWELL, "{:?}", now.elapsed());
    machine.life().next(&Seen { target: Some(Target::InService), ..ending() }, now);
    machine.life().next(&ending(), now);
    cloud.hangs.store(usize::MAX, SeqCst);
    let now = Instant::now();
    machine.farewell().await;
    assert_eq!(now.elapsed(), FAREWELL);
}
