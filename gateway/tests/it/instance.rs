//! The group of a machine is told when it serves, waits until its streams have ended, and replaces it when its Ollama
//! cannot be revived: the real SDK against a fake of AWS.

use std::sync::Arc;
use std::time::Duration;

use aws_config::imds::client::Client as Metadata;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::{Credentials, SharedCredentialsProvider};
use demo::aws::{Call, Failure, FakeAws, Hook, HookDefault, Setup, Stage};
use fleet::store::{SqliteStore, Store};
use gateway::config::instance::Instance;
use gateway::drain::Phase;
use gateway::instance::{Ec2, Machine};
use tokio::time::timeout;

use crate::apis::until;
use crate::support::{Builder, CHAT, PATIENCE, TestGateway, chat, ollama};

const SECOND: Duration = Duration::from_secs(1);

/// A group with one instance that has just been launched, held by the launch hook.
async fn launched() -> (FakeAws, String) {
    let hook = |name: &str, seconds, default| {
        Some(Hook { name: name.to_owned(), heartbeat: seconds * SECOND, default })
    };
    let setup = Setup {
        desired: 1,
        launch_hook: hook("ready", 600, HookDefault::Abandon),
        terminate_hook: hook("drain", 60, HookDefault::Continue),
        ..Setup::default()
    };
    let aws = FakeAws::start(setup).await.unwrap();
    aws.advance(31 * SECOND);
    assert_eq!(stage(&aws), Stage::PendingWait);
    let id = aws.instances()[0].id.clone();
    (aws, id)
}

fn stage(aws: &FakeAws) -> Stage {
    aws.instances()[0].stage
}

fn told(aws: &FakeAws, action: &str) -> usize {
    aws.calls().iter().filter(|call| call.action == action).count()
}

/// What completed a hook: its name and the result.
fn completed(aws: &FakeAws) -> Vec<(String, String)> {
    let calls = aws.calls();
    let of = |call: &Call, name: &str| call.get(name).unwrap_or_default().to_owned();
    let completing = calls.iter().filter(|call| call.action == "CompleteLifecycleAction");
    completing.map(|call| (of(call, "LifecycleHookName"), of(call, "LifecycleActionResult"))).collect()
}

fn pair(hook: &str, result: &str) -> (String, String) {
    (hook.to_owned(), result.to_owned())
}

fn of_group(builder: Builder, change: impl FnOnce(&mut Instance)) -> Builder {
    builder.config(|config| {
        config.instance.group = "nodes".to_owned();
        config.instance.launch_hook = Some("ready".to_owned());
        config.instance.terminate_hook = Some("drain".to_owned());
        change(&mut config.instance);
    })
}

/// Has the gateway live in its group, looking ten times a second.
async fn live(gateway: &TestGateway, aws: &FakeAws, id: &str) {
    let nobody = Credentials::builder()
        .access_key_id("nobody")
        .secret_access_key("none")
        .provider_name("test")
        .build();
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(nobody))
        .endpoint_url(aws.url())
        .build();
    let metadata = Metadata::builder().endpoint(aws.metadata(id).await.unwrap()).unwrap().build();
    let config = &gateway.gateway.shared.config;
    let ec2 = Ec2::with(&config.instance, &shared, metadata);
    let machine = Machine::new(config, Arc::new(ec2)).looking_every(SECOND / 10);
    let process = gateway.gateway.shared.clone();
    gateway.tasks.spawn_background(async move { machine.run(&process).await });
}

async fn terminate(aws: &FakeAws, id: &str) {
    let form = [
        ("Action", "TerminateInstanceInAutoScalingGroup"),
        ("InstanceId", id),
        ("ShouldDecrementDesiredCapacity", "true"),
    ];
    let answer = reqwest::Client::new().post(aws.url()).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    aws.advance(6 * SECOND); // its target drains
}

#[tokio::test]
async fn an_instance_serves_once_it_is_loaded_and_goes_once_its_streams_have_ended() {
    let ((aws, id), ollama) = (launched().await, ollama().await);
    ollama.hold_loads();
    let builder = of_group(TestGateway::in_front_of(&ollama).await, |_| {});
    let gateway = builder.config(|config| config.drain.deadline_seconds = 60 * SECOND).start_unready().await;
    aws.fail("CompleteLifecycleAction", Failure::Refuse(500, "InternalFailure".to_owned()));
    live(&gateway, &aws, &id).await;
    until("it gains time", || told(&aws, "RecordLifecycleActionHeartbeat") > 0).await;
    assert_eq!(completed(&aws), []);
    ollama.release_loads();
    until("the hook lets it go", || stage(&aws) != Stage::PendingWait).await;
    assert_eq!(completed(&aws), [pair("ready", "CONTINUE"), pair("ready", "CONTINUE")], "tried again");
    aws.advance(SECOND);
    assert_eq!(stage(&aws), Stage::InService);

    ollama.hold_tokens_after(1);
    let mut stream = gateway.post("/api/chat", &chat(true)).send().await.unwrap();
    stream.chunk().await.unwrap();
    let beats = told(&aws, "RecordLifecycleActionHeartbeat");
    terminate(&aws, &id).await;
    until("it drains", || gateway.gateway.shared.drain.phase() >= Phase::Closing).await;
    until("it is kept", || told(&aws, "RecordLifecycleActionHeartbeat") > beats).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!((stage(&aws), completed(&aws).len()), (Stage::TerminatingWait, 2), "a stream still runs");
    ollama.release_tokens();
    assert!(stream.text().await.unwrap().contains("\"done\":true"));
    until("the hook is completed", || completed(&aws).len() == 3).await;
    assert_eq!(completed(&aws)[2], pair("drain", "CONTINUE"));
    aws.advance(SECOND);
    assert_eq!(stage(&aws), Stage::TerminatingProceed);
}

#[tokio::test]
async fn an_instance_that_never_serves_is_given_up() {
    let ((aws, id), ollama) = (launched().await, ollama().await);
    ollama.hold_loads();
    let builder = TestGateway::in_front_of(&ollama).await;
    let builder = of_group(builder, |instance| instance.boot_seconds = SECOND);
    let gateway = builder.start_unready().await;
    live(&gateway, &aws, &id).await;
    until("it is given up", || completed(&aws) == [pair("ready", "ABANDON")]).await;
    assert_eq!(stage(&aws), Stage::Terminating);
}

#[tokio::test]
async fn a_notice_of_spot_begins_a_drain_without_return() {
    let ((aws, id), ollama) = (launched().await, ollama().await);
    let gateway = of_group(TestGateway::in_front_of(&ollama).await, |_| {}).start().await;
    live(&gateway, &aws, &id).await;
    until("it is in service", || completed(&aws).len() == 1).await;
    assert_eq!(gateway.gateway.shared.drain.phase(), Phase::Serving);
    aws.interrupt(&id);
    let closing = gateway.gateway.shared.drain.reached_for_good(Phase::Closing);
    timeout(PATIENCE, closing).await.expect("it leaves");
}

#[tokio::test]
async fn a_node_whose_ollama_does_not_come_back_is_reported_until_that_is_heard() {
    let ((aws, id), ollama) = (launched().await, ollama().await);
    let builder = TestGateway::in_front_of(&ollama).await;
    let builder = of_group(builder, |instance| instance.sick_seconds = SECOND);
    let gateway = builder.start().await;
    live(&gateway, &aws, &id).await;
    until("it is in service", || completed(&aws).len() == 1).await;
    aws.advance(SECOND);
    aws.fail("SetInstanceHealth", Failure::Refuse(500, "InternalFailure".to_owned()));
    ollama.go_down().await;
    until("it is reported", || aws.instances().iter().any(|instance| !instance.healthy)).await;
    assert_eq!(told(&aws, "SetInstanceHealth"), 2);
    tokio::time::sleep(SECOND).await;
    assert_eq!(told(&aws, "SetInstanceHealth"), 2, "once it was heard");
}

/// The real program, told where it is by its environment alone.
#[tokio::test]
async fn the_program_takes_its_name_from_its_instance_and_lets_it_go_when_it_ends() {
    let ((aws, id), ollama) = (launched().await, ollama().await);
    let (dir, issuer) = (tempfile::TempDir::new().unwrap(), demo::issuer::Issuer::start().await.unwrap());
    let config = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ncores = 2\n\
         [ollama]\nurl = \"{}\"\nmodels = [\"{CHAT}\"]\n\
         [[issuers]]\nissuer = \"{}\"\nkind = \"oidc\"\naudiences = [\"a\"]\n\
         [store]\npath = \"{}\"\n[drain]\naccept_for_seconds = 0.1\n\
         [instance]\nkind = \"ec2\"\ngroup = \"nodes\"\nlaunch_hook = \"ready\"\nterminate_hook = \"drain\"\n",
        ollama.url(),
        issuer.url(),
        dir.path().join("fleet.db").display(),
    );
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, config).unwrap();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
    program.arg("--config").arg(file).kill_on_drop(true).stderr(std::process::Stdio::null());
    program.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.metadata(&id).await.unwrap());
    program.envs([
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
    ]);
    let mut program = program.env("AWS_ENDPOINT_URL", aws.url()).spawn().unwrap();
    let store = SqliteStore::open(&dir.path().join("fleet.db")).unwrap();
    let named = async {
        let now = || jiff::Timestamp::now().as_second();
        while !store.reports("default", now()).await.unwrap().iter().any(|record| record.report.node == id) {
            tokio::time::sleep(SECOND / 20).await;
        }
    };
    timeout(6 * PATIENCE, named).await.expect("it reports by its instance's id");
    let serving = async {
        while stage(&aws) == Stage::PendingWait {
            tokio::time::sleep(SECOND / 20).await;
        }
    };
    timeout(6 * PATIENCE, serving).await.expect("the launch hook is completed");
    aws.advance(SECOND);
    terminate(&aws, &id).await;
    let ended = timeout(6 * PATIENCE, program.wait()).await.expect("it ends by itself").unwrap();
    assert!(ended.success());
    assert_eq!(completed(&aws).last(), Some(&pair("drain", "CONTINUE")));
    aws.advance(SECOND);
    assert_eq!(stage(&aws), Stage::TerminatingProceed);
}
