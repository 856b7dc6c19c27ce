//! Refused, lost, late, not there: each has its name, and nothing is done twice by itself.

use std::time::{Duration, Instant};

use demo::aws::{Failure, Setup};
use scaler::decide::observation::NodeId;
use scaler::group::aws::AutoScaling;
use scaler::group::{Group, GroupError};

use super::{Bench, shared};

fn refuse(status: u16, code: &str) -> Failure {
    Failure::Refuse(status, code.to_owned())
}

#[tokio::test]
async fn a_change_is_never_tried_again_by_itself() {
    let bench = Bench::new(Setup { desired: 1, ..Setup::default() }).await;
    bench.pass(31);
    let node = NodeId::new(&bench.id(0));
    for failure in [refuse(400, "Throttling"), refuse(503, "ServiceUnavailable"), Failure::Lost] {
        let before = bench.aws.calls().len();
        bench.aws.fail("SetDesiredCapacity", failure.clone());
        bench.group.set_desired(2).await.unwrap_err();
        bench.aws.fail("SetInstanceHealth", failure.clone());
        bench.group.mark_unhealthy(&node).await.unwrap_err();
        bench.aws.fail("TerminateInstanceInAutoScalingGroup", failure.clone());
        bench.group.terminate(&node).await.unwrap_err();
        assert_eq!(bench.aws.calls().len(), before + 3, "{failure:?}");
    }
}

#[tokio::test]
async fn a_look_is_tried_twice() {
    let bench = Bench::new(Setup::default()).await;
    for failure in [refuse(400, "Throttling"), refuse(500, "InternalFailure"), Failure::Lost] {
        bench.aws.fail("DescribeAutoScalingGroups", failure.clone());
        bench.group.describe().await.unwrap_or_else(|error| panic!("{failure:?}: {error}"));
    }
    for _ in 0..2 {
        bench.aws.fail("DescribeScalingActivities", refuse(400, "Throttling"));
    }
    let before = bench.calls("DescribeScalingActivities");
    assert!(matches!(bench.group.describe().await, Err(GroupError::Busy(_))));
    assert_eq!(bench.calls("DescribeScalingActivities"), before + 2);
}

#[tokio::test]
async fn whether_it_was_done_is_said_as_far_as_it_is_known() {
    let bench = Bench::new(Setup::default()).await;
    let told = async |failure: Failure| {
        bench.aws.fail("SetDesiredCapacity", failure);
        bench.group.set_desired(1).await.unwrap_err()
    };
    for code in ["ScalingActivityInProgress", "ResourceContention", "Throttling", "RequestLimitExceeded"] {
        assert!(matches!(told(refuse(400, code)).await, GroupError::Busy(_)), "{code}");
    }
    for code in ["AccessDenied", "ExpiredToken", "ValidationError"] {
        assert!(matches!(told(refuse(403, code)).await, GroupError::Refused(_)), "{code}");
    }
    assert!(matches!(told(refuse(500, "InternalFailure")).await, GroupError::Unanswered(_)));
    assert_eq!(bench.aws.desired(), 0);
    assert!(matches!(told(Failure::Lost).await, GroupError::Unanswered(_)));
    assert_eq!(bench.aws.desired(), 1, "done, though the answer was lost");
}

#[tokio::test]
async fn nobody_waits_longer_than_three_seconds() {
    let bench = Bench::new(Setup::default()).await;
    // Both attempts, and the other calls of a description.
    for action in ["DescribeAutoScalingGroups", "DescribeAutoScalingGroups", "SetDesiredCapacity"] {
        bench.aws.fail(action, Failure::Stall);
    }
    let began = Instant::now();
    let (look, change) = tokio::join!(bench.group.describe(), bench.group.set_desired(1));
    assert!(matches!(look, Err(GroupError::Unanswered(_))), "{look:?}");
    assert!(matches!(change, Err(GroupError::Unanswered(_))), "{change:?}");
    assert!((2..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_group_that_is_not_there_is_gone() {
    let bench = Bench::new(Setup::default()).await;
    let other = AutoScaling::new(&shared(&bench.aws.url()), "other");
    assert!(matches!(other.describe().await, Err(GroupError::Gone(_))));
    assert!(matches!(other.set_desired(1).await, Err(GroupError::Gone(_))));
}

#[tokio::test]
async fn nobody_there_is_unanswered() {
    let nobody = AutoScaling::new(&shared("http://127.0.0.1:9"), "nodes");
    let began = Instant::now();
    assert!(matches!(nobody.set_desired(1).await, Err(GroupError::Unanswered(_))));
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn what_the_fake_does_not_know_it_refuses() {
    let bench = Bench::new(Setup::default()).await;
    let client = aws_sdk_autoscaling::Client::new(&shared(&bench.aws.url()));
    let error = client.describe_tags().send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("InvalidAction"));
}
