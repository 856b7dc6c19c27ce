//! The fake's hooks, held to what AWS's guide promises; a node answers them by the same SDK.

use std::time::Duration;

use aws_sdk_autoscaling::Client;
use demo::aws::{Health, Hook, HookDefault, Setup, Stage};
use scaler::group::{Group, Life};

use super::{Bench, shared};

fn hook(name: &str, default: HookDefault) -> Option<Hook> {
    Some(Hook { name: name.to_owned(), heartbeat: Duration::from_secs(60), default })
}

async fn hooked(default: HookDefault) -> (Bench, Client) {
    let (launch_hook, terminate_hook) = (hook("launch", default), hook("terminate", HookDefault::Continue));
    let bench = Bench::new(Setup { desired: 1, launch_hook, terminate_hook, ..Setup::default() }).await;
    let client = Client::new(&shared(&bench.aws.url()));
    bench.pass(31);
    (bench, client)
}

async fn complete(client: &Client, hook: &str, id: &str, result: &str) -> bool {
    let call = client.complete_lifecycle_action().auto_scaling_group_name("nodes").lifecycle_hook_name(hook);
    call.instance_id(id).lifecycle_action_result(result).send().await.is_ok()
}

async fn heartbeat(client: &Client, hook: &str, id: &str) -> bool {
    let call = client.record_lifecycle_action_heartbeat().auto_scaling_group_name("nodes");
    call.lifecycle_hook_name(hook).instance_id(id).send().await.is_ok()
}

fn stage(bench: &Bench) -> Option<Stage> {
    bench.aws.instances().first().map(|instance| instance.stage)
}

#[tokio::test]
async fn a_launch_waits_unregistered_until_its_node_is_ready() {
    let (bench, client) = hooked(HookDefault::Abandon).await;
    assert_eq!(stage(&bench), Some(Stage::PendingWait));
    assert_eq!(bench.aws.instances()[0].target, None);
    assert_eq!(bench.group.describe().await.unwrap().instances[0].life, Life::Pending);
    let id = bench.id(0);
    assert!(!complete(&client, "terminate", &id, "CONTINUE").await, "the wrong hook");
    assert!(complete(&client, "launch", &id, "CONTINUE").await);
    bench.pass(2);
    assert_eq!(stage(&bench), Some(Stage::InService));
    assert_eq!(bench.aws.instances()[0].target, Some(Health::Initial));
    bench.pass(10);
    assert_eq!(bench.aws.instances()[0].target, Some(Health::Healthy));
    assert!(!complete(&client, "launch", &id, "CONTINUE").await, "nothing waits any more");
}

#[tokio::test]
async fn a_boot_that_never_answers_is_replaced_and_is_no_refusal() {
    let (bench, _) = hooked(HookDefault::Abandon).await;
    let first = bench.id(0);
    bench.pass(70);
    let description = bench.group.describe().await.unwrap();
    assert!(
        bench
            .aws
            .instances()
            .iter()
            .any(|instance| instance.id != first && instance.stage.name() == "Pending")
    );
    assert_eq!((description.desired, description.refusal), (1, None));
}

#[tokio::test]
async fn a_terminate_hook_opens_after_the_target_has_drained_and_lives_by_heartbeats() {
    let (bench, client) = hooked(HookDefault::Continue).await;
    let id = bench.id(0);
    complete(&client, "launch", &id, "CONTINUE").await;
    bench.pass(12);
    bench.group.terminate(&scaler::decide::observation::NodeId::new(&id)).await.unwrap();
    assert_eq!(
        (stage(&bench), bench.aws.instances()[0].target),
        (Some(Stage::Terminating), Some(Health::Draining))
    );
    bench.pass(5);
    assert_eq!((stage(&bench), bench.aws.instances()[0].target), (Some(Stage::TerminatingWait), None));
    for _ in 0..5 {
        bench.pass(50);
        assert!(heartbeat(&client, "terminate", &id).await);
    }
    assert_eq!(stage(&bench), Some(Stage::TerminatingWait));
    bench.pass(61);
    assert_eq!(stage(&bench), Some(Stage::TerminatingProceed));
    bench.pass(6);
    assert_eq!(stage(&bench), None);
}

#[tokio::test]
async fn heartbeats_end_after_a_hundred_timeouts() {
    let (bench, client) = hooked(HookDefault::Abandon).await;
    let id = bench.id(0);
    let mut beats = 0;
    while heartbeat(&client, "launch", &id).await {
        beats += 1;
        bench.pass(50);
        assert!(beats <= 120);
    }
    // 100 * 60 s of waiting, a beat every 50 s.
    assert_eq!(beats, 120);
}
