//! How states, histories and refusals are read; the calls themselves are tested against the fake in `tests/it`.

use aws_sdk_autoscaling::primitives::DateTime;
use aws_sdk_autoscaling::types::{Activity, LifecycleState, ScalingActivityStatusCode as Status};
use fleet::aws::Fault;

use super::{GroupError, activities, life, sorted};
use crate::decide::observation::NodeId;
use crate::group::Life;

#[test]
fn every_state_of_an_instance_has_its_place() {
    let place = |state: &str| life::of(&LifecycleState::from(state));
    for state in ["Pending", "Pending:Wait", "Pending:Proceed"] {
        assert_eq!(place(state), Some(Life::Pending), "{state}");
    }
    assert_eq!(place("InService"), Some(Life::InService));
    for state in ["Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminating:Retained"] {
        assert_eq!(place(state), Some(Life::Terminating), "{state}");
    }
    for state in ["EnteringStandby", "Standby", "Detaching", "ReplacingRootVolume", "a state of 2030"] {
        assert_eq!(place(state), Some(Life::Aside), "{state}");
    }
    for state in ["Terminated", "Detached"] {
        assert_eq!(place(state), None, "{state}");
    }
    for state in LifecycleState::values().iter().filter(|state| state.starts_with("Warmed:")) {
        assert_eq!(place(state), None, "{state}");
    }
}

#[test]
fn only_what_can_start_now_counts_as_warm() {
    let warm = |state: &str| life::is_warm(&LifecycleState::from(state));
    assert!(warm("Warmed:Stopped") && warm("Warmed:Hibernated") && warm("Warmed:Running"));
    assert!(!warm("Warmed:Pending") && !warm("Warmed:Pending:Wait") && !warm("Warmed:Terminating"));
}

fn launch(status: Status, at: i64, why: &str) -> Activity {
    Activity::builder()
        .description("Launching a new EC2 instance: i-0a")
        .status_code(status)
        .status_message(why)
        .start_time(DateTime::from_secs(at - 5))
        .end_time(DateTime::from_secs(at))
        .build()
}

fn failed(at: i64) -> Activity {
    let why = "Could not launch On-Demand Instances. InsufficientInstanceCapacity - no g4dn.xlarge left.";
    Activity::builder()
        .description("Launching a new EC2 instance.  Status Reason: no capacity")
        .status_code(Status::Failed)
        .status_message(why)
        .start_time(DateTime::from_secs(at))
        .build()
}

fn ending(at: i64) -> Activity {
    Activity::builder()
        .description("Terminating EC2 instance: i-0b")
        .status_code(Status::Successful)
        .start_time(DateTime::from_secs(at))
        .build()
}

#[test]
fn the_latest_refusal_is_told() {
    let refusal =
        activities::refusal(&[ending(1010), failed(1000), launch(Status::Successful, 900, "")], 1060);
    let refusal = refusal.unwrap();
    assert_eq!(refusal.at, 1000);
    assert!(refusal.why.contains("InsufficientInstanceCapacity"), "{}", refusal.why);
}

#[test]
fn a_later_launch_clears_it() {
    for status in [Status::Successful, Status::PreInService, Status::MidLifecycleAction, Status::InProgress] {
        assert_eq!(activities::refusal(&[launch(status, 1030, ""), failed(1000)], 1060), None);
    }
}

#[test]
fn a_launch_without_an_instance_yet_does_not_clear_it() {
    for status in [Status::WaitingForInstanceId, Status::InProgress, Status::Cancelled] {
        let coming =
            Activity::builder().description("Launching a new EC2 instance").status_code(status).build();
        assert!(activities::refusal(&[coming, failed(1000)], 1060).is_some());
    }
}

#[test]
fn an_instance_that_aws_ended_at_once_is_a_refusal() {
    let why = "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: \
               Client.InternalError: Client error on launch";
    assert!(activities::refusal(&[launch(Status::Cancelled, 1000, why)], 1060).is_some());
    assert_eq!(activities::refusal(&[launch(Status::Cancelled, 1000, "by request")], 1060), None);
}

#[test]
fn an_old_refusal_says_nothing() {
    assert!(activities::refusal(&[failed(1000)], 1599).is_some());
    assert_eq!(activities::refusal(&[failed(1000)], 1600), None);
}

#[test]
fn a_boot_that_failed_is_no_refusal() {
    let why =
        "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token x was abandoned";
    assert_eq!(activities::refusal(&[launch(Status::Failed, 1030, why), failed(1000)], 1060), None);
}

#[test]
fn a_launch_tells_its_instance_and_time() {
    let warm = Activity::builder()
        .description("Launching a new EC2 instance from warm pool: i-0c")
        .start_time(DateTime::from_secs(7))
        .build();
    assert_eq!(activities::launch(&warm), Some((NodeId::new("i-0c"), 7)));
    assert_eq!(activities::launch(&failed(7)), None);
    assert_eq!(activities::launch(&ending(7)), None);
}

#[test]
fn refusals_are_told_apart() {
    let refused = |code: &str, message: &str| {
        sorted(Fault::Refused { code: code.to_owned(), message: message.to_owned() })
    };
    for code in
        ["ScalingActivityInProgress", "ScalingActivityInProgressFault", "ResourceContention", "Throttling"]
    {
        assert!(matches!(refused(code, ""), GroupError::Busy(_)), "{code}");
    }
    let gone = "Instance Id not found - No managed instance found for instance ID: i-0a";
    assert!(matches!(refused("ValidationError", gone), GroupError::Gone(_)));
    let above = "New SetDesiredCapacity value 9 is above max value 4 for the AutoScalingGroup.";
    assert!(matches!(refused("ValidationError", above), GroupError::Refused(_)));
    assert!(matches!(refused("AccessDenied", ""), GroupError::Refused(_)));
    assert!(matches!(sorted(Fault::Unanswered("no".to_owned())), GroupError::Unanswered(_)));
}
