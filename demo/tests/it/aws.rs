//! What the fake of AWS promises beside the calls of its clients: whom a load balancer reaches, what an instance is told,
//! how time passes. The calls themselves the scaler's tests make, with the real SDK.

use std::time::{Duration, Instant};

use demo::aws::{FakeAws, Health, Hook, HookDefault, Reach, Setup, Stage};
use reqwest::{Client, StatusCode};

const SECOND: Duration = Duration::from_secs(1);

async fn serving(nodes: u32, setup: Setup) -> FakeAws {
    let aws = FakeAws::start(Setup { desired: nodes, ..setup }).await.unwrap();
    aws.advance(41 * SECOND);
    aws
}

fn ids(aws: &FakeAws) -> Vec<String> {
    aws.instances().into_iter().map(|instance| instance.id).collect()
}

/// A call by hand, without a signature.
async fn call(aws: &FakeAws, form: &[(&str, &str)]) -> (StatusCode, String) {
    let answer = Client::new().post(aws.url()).form(form).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn terminate(aws: &FakeAws, id: &str) -> StatusCode {
    let action = ("Action", "TerminateInstanceInAutoScalingGroup");
    call(aws, &[action, ("InstanceId", id), ("ShouldDecrementDesiredCapacity", "true")]).await.0
}

#[tokio::test]
async fn weights_do_not_fail_over() {
    let aws = serving(0, Setup::default()).await;
    assert_eq!(aws.reach(), Reach { front: true, ..Reach::default() });
    aws.set_weights(1, 0);
    assert_eq!(aws.reach(), Reach { nobody: true, ..Reach::default() });
    aws.set_weights(1, 1);
    assert_eq!(aws.reach(), Reach { front: true, nobody: true, ..Reach::default() });
}

#[tokio::test]
async fn only_healthy_targets_are_reached_and_all_where_none_is() {
    let aws = serving(3, Setup::default()).await;
    aws.set_weights(1, 0);
    let ids = ids(&aws);
    aws.set_serving(&ids[0], false);
    assert_eq!(aws.reach().nodes, ids[1..]);
    aws.set_serving(&ids[1], false);
    aws.set_serving(&ids[2], false);
    assert_eq!(aws.reach().nodes, ids);
    terminate(&aws, &ids[0]).await;
    assert_eq!(aws.instances()[0].target, Some(Health::Draining));
    assert_eq!(aws.reach().nodes, ids[1..]);
}

#[tokio::test]
async fn a_weight_on_a_group_without_targets_is_remembered() {
    let aws = serving(1, Setup::default()).await;
    aws.set_weights(1, 0);
    assert!(!aws.has_misled(), "somebody is there");
    terminate(&aws, &ids(&aws)[0]).await;
    aws.advance(30 * SECOND);
    aws.set_weights(0, 1);
    assert!(aws.has_misled(), "it is right again, but was not");
}

#[tokio::test]
async fn the_rule_and_its_groups_have_the_names_they_were_given() {
    let setup = Setup {
        rule: "arn:rule".to_owned(),
        node_group: "arn:nodes".to_owned(),
        front_group: "arn:fronts".to_owned(),
        ..Setup::default()
    };
    let aws = serving(0, setup).await;
    let groups = "Actions.member.1.ForwardConfig.TargetGroups.member";
    let modify = |rule: &'static str| {
        [
            ("Action".to_owned(), "ModifyRule"),
            ("RuleArn".to_owned(), rule),
            ("Actions.member.1.Type".to_owned(), "forward"),
            (format!("{groups}.1.TargetGroupArn"), "arn:nodes"),
            (format!("{groups}.1.Weight"), "3"),
            (format!("{groups}.2.TargetGroupArn"), "arn:fronts"),
            (format!("{groups}.2.Weight"), "2"),
        ]
    };
    let send = async |rule| {
        let form = modify(rule);
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        call(&aws, &form).await
    };
    assert_eq!(send(demo::aws::RULE).await.0, StatusCode::BAD_REQUEST);
    let (status, body) = send("arn:rule").await;
    assert_eq!((status, aws.weights()), (StatusCode::OK, (3, 2)));
    assert!(body.contains("<TargetGroupArn>arn:fronts</TargetGroupArn>"), "{body}");
    let health = [("Action", "DescribeTargetHealth"), ("TargetGroupArn", "arn:fronts")];
    assert!(call(&aws, &health).await.1.contains("i-front"));
}

struct Metadata {
    url: String,
    client: Client,
}

impl Metadata {
    async fn of(aws: &FakeAws, id: &str) -> Self {
        Self { url: aws.metadata(id).await.unwrap(), client: Client::new() }
    }

    async fn token(&self) -> String {
        let call = self.client.put(format!("{}/latest/api/token", self.url));
        let answer = call.header("x-aws-ec2-metadata-token-ttl-seconds", "60").send().await.unwrap();
        answer.text().await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let call = self.client.get(format!("{}/latest/meta-data/{path}", self.url));
        let answer = call.header("x-aws-ec2-metadata-token", self.token().await).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn metadata_needs_a_token() {
    let aws = serving(1, Setup::default()).await;
    let metadata = Metadata::of(&aws, &ids(&aws)[0]).await;
    let bare =
        Client::new().get(format!("{}/latest/meta-data/instance-id", metadata.url)).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    let put = Client::new().put(format!("{}/latest/api/token", metadata.url)).send().await.unwrap();
    assert_eq!(put.status(), StatusCode::BAD_REQUEST, "no time asked for");
    assert_eq!(metadata.get("instance-id").await, (200, ids(&aws)[0].clone()));
    assert_eq!(metadata.get("nothing").await.0, 404);
}

#[tokio::test]
async fn an_instance_is_told_that_it_goes_once_its_hook_opens() {
    let terminate_hook =
        Some(Hook { name: "terminate".to_owned(), heartbeat: 60 * SECOND, default: HookDefault::Continue });
    let aws = serving(1, Setup { terminate_hook, ..Setup::default() }).await;
    let id = ids(&aws)[0].clone();
    let metadata = Metadata::of(&aws, &id).await;
    let state = "autoscaling/target-lifecycle-state";
    assert_eq!(metadata.get(state).await, (200, "InService".to_owned()));
    assert_eq!(terminate(&aws, &id).await, StatusCode::OK);
    assert_eq!(metadata.get(state).await, (200, "InService".to_owned()));
    aws.advance(6 * SECOND);
    assert_eq!(aws.instances()[0].stage, Stage::TerminatingWait);
    assert_eq!(metadata.get(state).await, (200, "Terminated".to_owned()));
    aws.advance(120 * SECOND);
    assert_eq!((metadata.get(state).await.0, ids(&aws).len()), (404, 0));
}

#[tokio::test]
async fn a_spot_notice_is_404_until_it_comes() {
    let aws = serving(1, Setup::default()).await;
    let metadata = Metadata::of(&aws, &ids(&aws)[0]).await;
    assert_eq!(metadata.get("spot/instance-action").await.0, 404);
    aws.interrupt(&ids(&aws)[0]);
    let (status, notice) = metadata.get("spot/instance-action").await;
    let notice: serde_json::Value = serde_json::from_str(&notice).unwrap();
    assert_eq!((status, &notice["action"]), (200, &"terminate".into()));
    let time: jiff::Timestamp = notice["time"].as_str().unwrap().parse().unwrap();
    // The fake is 41 s ahead, and the notice two minutes.
    let ahead = time.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((60..=161).contains(&ahead), "{ahead}");
}

#[tokio::test]
async fn an_unknown_action_is_refused() {
    let aws = serving(0, Setup::default()).await;
    let (status, body) = call(&aws, &[("Action", "DeleteEverything")]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("<Code>InvalidAction</Code>") && body.contains("DeleteEverything"), "{body}");
}

#[tokio::test]
async fn time_stands_or_runs_as_it_was_set_up() {
    let standing = FakeAws::start(Setup { desired: 1, ..Setup::default() }).await.unwrap();
    let running = FakeAws::start(Setup { desired: 1, speed: 600.0, ..Setup::default() }).await.unwrap();
    let began = Instant::now();
    while running.instances()[0].target != Some(Health::Healthy) {
        assert!(began.elapsed() < 30 * SECOND, "40 s at 600 a second");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(standing.instances()[0].stage, Stage::Pending);
}

#[tokio::test]
async fn it_is_gone_when_it_is_dropped() {
    let aws = serving(0, Setup::default()).await;
    let url = aws.url();
    drop(aws);
    let began = Instant::now();
    while Client::new().get(&url).send().await.is_ok() {
        assert!(began.elapsed() < 30 * SECOND);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
