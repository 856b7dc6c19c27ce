//! A group's whole life through the trait.

use demo::aws::{Setup, Stage, StepPolicy};
use scaler::decide::observation::NodeId;
use scaler::group::{Description, Group, GroupError, Life};

use super::Bench;

async fn described(bench: &Bench) -> Description {
    bench.group.describe().await.unwrap()
}

fn lives(description: &Description) -> Vec<Life> {
    description.instances.iter().map(|instance| instance.life).collect()
}

#[tokio::test]
async fn an_empty_group_says_its_bounds() {
    let bench = Bench::new(Setup { min: 0, max: 7, ..Setup::default() }).await;
    assert_eq!(described(&bench).await, Description { max: 7, ..Description::default() });
}

#[tokio::test]
async fn it_grows_by_an_absolute_count() {
    let bench = Bench::new(Setup::default()).await;
    bench.group.set_desired(2).await.unwrap();
    bench.group.set_desired(2).await.unwrap();
    let starting = described(&bench).await;
    assert_eq!((starting.desired, lives(&starting)), (2, vec![Life::Pending; 2]));
    assert!(starting.instances.iter().all(|instance| !instance.protected && instance.healthy));
    bench.pass(31);
    let serving = described(&bench).await;
    assert_eq!(lives(&serving), [Life::InService; 2]);
    assert!(serving.instances.iter().all(|instance| instance.protected));
    assert_eq!(serving.instances[0].launched_at, starting.instances[0].launched_at);
    let sent = bench.aws.calls().into_iter().find(|call| call.action == "SetDesiredCapacity").unwrap();
    assert_eq!(sent.get("HonorCooldown"), Some("false"));
}

#[tokio::test]
async fn launch_times_are_remembered_when_the_history_has_forgotten_them() {
    let bench = Bench::new(Setup { desired: 1, max: 4, ..Setup::default() }).await;
    bench.pass(31);
    let first = described(&bench).await.instances[0].clone();
    assert!(first.launched_at.is_some());
    bench.aws.refuse_launches(Some("InsufficientInstanceCapacity - none left."));
    bench.group.set_desired(2).await.unwrap();
    // More refusals than the history tells.
    bench.pass(31 * 120);
    let later = described(&bench).await;
    assert_eq!(later.instances[0], first);
}

#[tokio::test]
async fn a_named_end_lowers_desired_by_one_though_protected() {
    let bench = Bench::new(Setup { desired: 3, ..Setup::default() }).await;
    bench.pass(31);
    let gone = NodeId::new(&bench.id(1));
    bench.group.terminate(&gone).await.unwrap();
    let going = described(&bench).await;
    assert_eq!(
        (going.desired, lives(&going)),
        (2, vec![Life::InService, Life::Terminating, Life::InService])
    );
    // Again, as by a leader that did not hear the answer.
    bench.group.terminate(&gone).await.unwrap();
    bench.pass(20);
    let left = described(&bench).await;
    assert_eq!((left.desired, left.instances.len()), (2, 2));
    assert!(left.instances.iter().all(|instance| instance.id != gone));
    assert!(matches!(bench.group.terminate(&gone).await, Err(GroupError::Gone(_))));
}

#[tokio::test]
async fn lowering_desired_takes_launches_and_never_a_protected_node() {
    let bench = Bench::new(Setup { desired: 1, ..Setup::default() }).await;
    bench.pass(31);
    bench.group.set_desired(3).await.unwrap();
    bench.pass(5);
    bench.group.set_desired(0).await.unwrap();
    let cancelled = described(&bench).await;
    assert_eq!(lives(&cancelled), [Life::InService, Life::Terminating, Life::Terminating]);
    bench.pass(60);
    assert_eq!(lives(&described(&bench).await), [Life::InService]);
}

#[tokio::test]
async fn a_sick_node_is_replaced() {
    let bench = Bench::new(Setup { desired: 1, ..Setup::default() }).await;
    bench.pass(31);
    let sick = NodeId::new(&bench.id(0));
    bench.group.mark_unhealthy(&sick).await.unwrap();
    assert!(!described(&bench).await.instances[0].healthy);
    bench.pass(1);
    let replaced = described(&bench).await;
    assert_eq!((replaced.desired, lives(&replaced)), (1, vec![Life::Terminating, Life::Pending]));
    let sent = bench.aws.calls().into_iter().find(|call| call.action == "SetInstanceHealth").unwrap();
    assert_eq!(sent.get("ShouldRespectGracePeriod"), Some("false"));
    let nobody = bench.group.mark_unhealthy(&NodeId::new("i-nobody")).await;
    assert!(matches!(nobody, Err(GroupError::Gone(_))), "{nobody:?}");
}

#[tokio::test]
async fn bounds_are_the_groups_own() {
    let bench = Bench::new(Setup { min: 1, max: 2, desired: 1, ..Setup::default() }).await;
    bench.pass(31);
    for outside in [0, 3] {
        let refused = bench.group.set_desired(outside).await.unwrap_err();
        assert!(matches!(&refused, GroupError::Refused(why) if why.contains("value")), "{refused}");
    }
    let last = bench.group.terminate(&NodeId::new(&bench.id(0))).await.unwrap_err();
    assert!(matches!(&last, GroupError::Refused(why) if why.contains("minSize")), "{last}");
    assert_eq!(described(&bench).await.desired, 1);
}

#[tokio::test]
async fn a_refused_launch_is_told_until_one_succeeds() {
    let bench = Bench::new(Setup::default()).await;
    bench.aws.refuse_launches(Some("InsufficientInstanceCapacity - We have no g4dn.xlarge <today>."));
    bench.group.set_desired(1).await.unwrap();
    let refused = described(&bench).await;
    assert_eq!((refused.desired, refused.instances.len()), (1, 0));
    let why = refused.refusal.unwrap().why;
    assert!(why.contains("InsufficientInstanceCapacity") && why.contains("<today>"), "{why}");
    bench.aws.refuse_launches(None);
    bench.pass(31);
    let launched = described(&bench).await;
    assert_eq!((launched.refusal, launched.instances.len()), (None, 1));
}

#[tokio::test]
async fn a_warm_pool_is_counted_as_it_is_used_and_refilled() {
    let bench = Bench::new(Setup { warm_pool: Some(2), ..Setup::default() }).await;
    assert_eq!(described(&bench).await.warm, Some(2));
    bench.group.set_desired(1).await.unwrap();
    let taken = described(&bench).await;
    assert_eq!((taken.warm, taken.instances.len()), (Some(1), 1));
    bench.pass(11);
    let warm = described(&bench).await;
    assert_eq!((warm.warm, lives(&warm)), (Some(1), vec![Life::InService]));
    assert!(warm.instances[0].launched_at.is_some());
    bench.pass(60);
    assert_eq!(described(&bench).await.warm, Some(2));
}

#[tokio::test]
async fn an_instance_refresh_is_seen() {
    let bench = Bench::new(Setup::default()).await;
    assert!(!described(&bench).await.refreshing);
    bench.aws.set_refreshing(true);
    assert!(described(&bench).await.refreshing);
}

#[tokio::test]
async fn what_is_short_grows_the_group_in_steps() {
    let policies = vec![StepPolicy::on_nodes_short()];
    let bench = Bench::new(Setup { max: 20, policies, ..Setup::default() }).await;
    for (short, desired) in [(0.0, 0), (1.0, 1), (3.0, 3), (4.0, 7), (9.0, 15), (9.0, 20), (9.0, 20)] {
        bench.aws.metric("NodesShort", short);
        bench.pass(10);
        assert_eq!(described(&bench).await.desired, desired, "{short} short");
    }
    // Nothing said, nothing done.
    bench.group.set_desired(3).await.unwrap();
    bench.pass(60);
    assert_eq!(bench.aws.desired(), 3);
    assert!(bench.aws.instances().iter().filter(|instance| instance.stage == Stage::InService).count() >= 3);
}
