//! Clients reach the nodes when two are steady, the front otherwise, and never an empty group for longer than a tick.

use std::collections::BTreeSet;

use demo::aws::{Failure, Setup};
use scaler::decide::observation::NodeId;
use scaler::entrance::aws::{LoadBalancer, Parts};
use scaler::entrance::{Entrance, EntranceError, Keeper, View, Weights, tend};
use scaler::group::Group;

use super::{Bench, shared};

/// A tick of five seconds; the fake's time is the keeper's.
async fn tick(bench: &Bench, keeper: &mut Keeper, now: &mut f64) -> Option<Weights> {
    bench.pass(5);
    *now += 5.0;
    tend(&bench.entrance, keeper, &BTreeSet::new(), *now, || true).await.unwrap()
}

async fn ticks(bench: &Bench, keeper: &mut Keeper, now: &mut f64, count: u32) {
    for _ in 0..count {
        tick(bench, keeper, now).await;
    }
}

#[tokio::test]
async fn two_steady_nodes_open_it_and_it_closes_before_the_last_goes() {
    let bench = Bench::new(Setup { desired: 2, ..Setup::default() }).await;
    let (mut keeper, mut now) = (Keeper::default(), 0.0);
    // 30 s to launch, 10 s to the first check, 30 s steady, and the ticks between.
    ticks(&bench, &mut keeper, &mut now, 13).await;
    assert_eq!(bench.aws.weights(), (0, 1));
    ticks(&bench, &mut keeper, &mut now, 3).await;
    assert_eq!(bench.aws.weights(), (1, 0));
    assert_eq!(bench.aws.reach().nodes.len(), 2);
    bench.group.terminate(&NodeId::new(&bench.id(0))).await.unwrap();
    assert_eq!(tick(&bench, &mut keeper, &mut now).await, Some(Weights::FRONT));
    assert!(bench.aws.reach().front && bench.aws.reach().nodes.is_empty());
}

#[tokio::test]
async fn a_right_rule_is_not_written_again_and_keeps_what_is_not_ours() {
    let bench = Bench::new(Setup { desired: 2, ..Setup::default() }).await;
    let (mut keeper, mut now) = (Keeper::default(), 0.0);
    ticks(&bench, &mut keeper, &mut now, 40).await;
    assert_eq!(bench.calls("ModifyRule"), 1);
    assert!(bench.aws.is_sticky(), "stickiness is left alone");
    let sent = bench.aws.calls().into_iter().find(|call| call.action == "ModifyRule").unwrap();
    assert!(sent.form.iter().all(|(name, _)| !name.starts_with("Conditions")));
}

#[tokio::test]
async fn weight_on_an_empty_group_lasts_one_tick() {
    let bench = Bench::new(Setup::default()).await;
    bench.aws.set_weights(1, 0);
    assert!(bench.aws.reach().nobody);
    let (mut keeper, mut now) = (Keeper::default(), 0.0);
    assert_eq!(tick(&bench, &mut keeper, &mut now).await, Some(Weights::FRONT));
    assert!(!bench.aws.reach().nobody && bench.aws.reach().front);
}

#[tokio::test]
async fn only_healthy_targets_are_seen() {
    let bench = Bench::new(Setup { desired: 4, ..Setup::default() }).await;
    bench.pass(31);
    let view = |healthy: &[&str]| View {
        healthy: healthy.iter().map(|id| NodeId::new(id)).collect(),
        weights: Weights::FRONT,
    };
    assert_eq!(bench.entrance.look().await.unwrap(), view(&[]), "initial");
    bench.pass(10);
    let ids: Vec<_> = bench.aws.instances().into_iter().map(|instance| instance.id).collect();
    bench.aws.set_serving(&ids[0], false);
    bench.group.terminate(&NodeId::new(&ids[1])).await.unwrap();
    assert_eq!(bench.entrance.look().await.unwrap(), view(&[&ids[2], &ids[3]]));
}

#[tokio::test]
async fn who_may_not_act_does_not() {
    let bench = Bench::new(Setup::default()).await;
    bench.aws.set_weights(1, 0);
    let done = tend(&bench.entrance, &mut Keeper::default(), &BTreeSet::new(), 1.0, || false).await;
    assert_eq!((done, bench.calls("ModifyRule")), (Ok(None), 0));
}

#[tokio::test]
async fn what_went_wrong_is_named_and_the_next_tick_sets_it_right() {
    let bench = Bench::new(Setup::default()).await;
    bench.aws.set_weights(1, 0);
    bench.aws.fail("ModifyRule", Failure::Refuse(400, "Throttling".to_owned()));
    let nobody = BTreeSet::new();
    let mut keeper = Keeper::default();
    let refused = tend(&bench.entrance, &mut keeper, &nobody, 1.0, || true).await.unwrap_err();
    assert!(matches!(refused, EntranceError::Refused(_)), "{refused}");
    bench.aws.fail("ModifyRule", Failure::Lost);
    let lost = tend(&bench.entrance, &mut keeper, &nobody, 6.0, || true).await.unwrap_err();
    assert!(matches!(lost, EntranceError::Unanswered(_)), "{lost}");
    assert_eq!(tend(&bench.entrance, &mut keeper, &nobody, 11.0, || true).await, Ok(None));
    assert_eq!((bench.aws.weights(), bench.calls("ModifyRule")), ((0, 1), 2));
}

#[tokio::test]
async fn a_rule_that_is_not_ours_is_refused() {
    let bench = Bench::new(Setup::default()).await;
    let with = |rule: &str, front: &str| {
        let parts = Parts { rule: rule.into(), nodes: demo::aws::NODE_GROUP.into(), front: front.into() };
        LoadBalancer::new(&shared(&bench.aws.url()), parts)
    };
    for other in [with("arn:other", demo::aws::FRONT_GROUP), with(demo::aws::RULE, "arn:other")] {
        let error = other.look().await.unwrap_err();
        assert!(matches!(error, EntranceError::Misplaced(_)), "{error}");
        assert!(matches!(other.set(Weights::NODES).await, Err(EntranceError::Misplaced(_))));
    }
    assert_eq!(bench.calls("ModifyRule"), 0);
}
