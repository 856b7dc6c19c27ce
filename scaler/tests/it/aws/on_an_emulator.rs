//! The adapters on stand-ins by other authors, so that the fake's misunderstandings are not the tests' too. They lack
//! behaviour (`demo::aws` has it): what they prove is what goes over the wire, both ways.

use std::collections::BTreeSet;
use std::ops::Deref;

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, RuleCondition, TargetDescription,
    TargetGroupStickinessConfig, TargetGroupTuple, TargetTypeEnum,
};
use scaler::decide::observation::NodeId;
use scaler::entrance::aws::{LoadBalancer, Parts};
use scaler::entrance::{Entrance, View, Weights};
use scaler::group::aws::AutoScaling;
use scaler::group::{Group, GroupError, Life};

use super::shared;

/// Where an emulator listens. Outside CI it may be missing, which one line says.
fn emulator(variable: &str) -> Option<SdkConfig> {
    let read = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    match read(variable).filter(|endpoint| !endpoint.is_empty()) {
        Some(endpoint) => return Some(shared(&endpoint)),
        None if read("CI").is_some_and(|ci| ci == "true") => {
            panic!("CI must set {variable}: scripts/emulators.sh start")
        }
        None => println!(
            "skipped: set {variable} (scripts/emulators.sh start) to test AWS's group and rule on it"
        ),
    }
    None
}

/// A group of its own on the emulator, by AWS's client and by ours.
struct Made {
    client: aws_sdk_autoscaling::Client,
    group: AutoScaling,
    name: String,
}

impl Deref for Made {
    type Target = AutoScaling;

    fn deref(&self) -> &AutoScaling {
        &self.group
    }
}

impl Made {
    async fn of(shared: &SdkConfig, desired: i32) -> Self {
        let client = aws_sdk_autoscaling::Client::new(shared);
        let name = format!("nodes-{:08x}", fastrand::u32(..));
        let configuration = client.create_launch_configuration().launch_configuration_name(&name);
        configuration.image_id("ami-12c6146b").instance_type("g4dn.xlarge").send().await.unwrap();
        let group = client.create_auto_scaling_group().auto_scaling_group_name(&name);
        let group = group
            .launch_configuration_name(&name)
            .availability_zones("eu-west-1a")
            .availability_zones("eu-west-1b");
        let group = group.min_size(0).max_size(4).desired_capacity(desired);
        group.new_instances_protected_from_scale_in(true).send().await.unwrap();
        Self { client, group: AutoScaling::new(shared, &name), name }
    }

    /// Desired, and each instance with its health, as AWS's client tells them.
    async fn told(&self) -> (i32, Vec<(String, String)>) {
        let call = self.client.describe_auto_scaling_groups().auto_scaling_group_names(&self.name);
        let group = call.send().await.unwrap().auto_scaling_groups.unwrap().remove(0);
        let instances = group.instances.unwrap_or_default().into_iter();
        let instances = instances.map(|one| (one.instance_id.unwrap(), one.health_status.unwrap())).collect();
        (group.desired_capacity.unwrap(), instances)
    }
}

#[tokio::test]
async fn a_group_is_described_and_set_on_ministack() {
    let Some(shared) = emulator("FLEET_TEST_MINISTACK") else { return };
    let group = Made::of(&shared, 1).await;
    group.set_desired(3).await.unwrap();
    let seen = group.describe().await.unwrap();
    assert_eq!((seen.min, seen.max, seen.desired, seen.instances.len()), (0, 4, 3, 3));
    assert!(seen.instances.iter().all(|one| one.life == Life::InService && one.healthy && one.protected));
    assert_eq!((seen.warm, seen.refreshing, seen.refusal), (None, false, None));
    let nobody = AutoScaling::new(&shared, "nobody").describe().await;
    assert!(matches!(nobody, Err(GroupError::Gone(_))), "{nobody:?}");
    let nobody = AutoScaling::new(&shared, "nobody").set_desired(1).await;
    assert!(matches!(nobody, Err(GroupError::Gone(_))), "{nobody:?}");
}

#[tokio::test]
async fn an_instance_is_ended_and_marked_by_name_on_moto() {
    let Some(shared) = emulator("FLEET_TEST_MOTO") else { return };
    let group = Made::of(&shared, 1).await;
    group.set_desired(3).await.unwrap();
    let (_, before) = group.told().await;
    assert_eq!(before.len(), 3);
    let (gone, sick) = (&before[0].0, &before[1].0);
    group.terminate(&NodeId::new(gone)).await.unwrap();
    group.mark_unhealthy(&NodeId::new(sick)).await.unwrap();
    let (desired, after) = group.told().await;
    assert_eq!((desired, after.len()), (2, 2));
    assert!(
        after.iter().all(|(id, health)| id != gone && (health == "Unhealthy") == (id == sick)),
        "{after:?}"
    );
}

/// The subnets there are from the start. One call is not worth EC2's own client, which is larger than all others here.
async fn subnets(shared: &SdkConfig) -> Vec<String> {
    let nobody =
        "AWS4-HMAC-SHA256 Credential=nobody/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=, Signature=";
    let call = reqwest::Client::new().post(shared.endpoint_url().unwrap()).header("authorization", nobody);
    let call = call.form(&[("Action", "DescribeSubnets"), ("Version", "2016-11-15")]);
    let answer = call.send().await.unwrap().text().await.unwrap();
    let ids = answer.split("<subnetId>").skip(1).filter_map(|rest| rest.split('<').next());
    ids.map(str::to_owned).collect()
}

fn to(arn: &str, weight: i32) -> TargetGroupTuple {
    TargetGroupTuple::builder().target_group_arn(arn).weight(weight).build()
}

/// A load balancer with a rule that leads to the front, and two registered targets.
async fn entrance(shared: &SdkConfig) -> (Parts, aws_sdk_elasticloadbalancingv2::Client, BTreeSet<NodeId>) {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(shared);
    let nodes: Vec<String> = Made::of(shared, 2).await.told().await.1.into_iter().map(|(id, _)| id).collect();
    let tag = format!("{:08x}", fastrand::u32(..));
    let balancer =
        client.create_load_balancer().name(format!("alb-{tag}")).set_subnets(Some(subnets(shared).await));
    let balancer = balancer.send().await.unwrap().load_balancers.unwrap().remove(0);
    let mut groups = Vec::new();
    for name in ["nodes", "front"] {
        let call = client
            .create_target_group()
            .name(format!("{name}-{tag}"))
            .port(8443)
            .vpc_id(balancer.vpc_id().unwrap());
        let call = call.protocol("HTTPS".into()).target_type(TargetTypeEnum::Instance);
        let made = call.send().await.unwrap().target_groups.unwrap().remove(0);
        groups.push(made.target_group_arn.unwrap());
    }
    let targets = nodes.iter().map(|id| TargetDescription::builder().id(id).port(8443).build()).collect();
    client.register_targets().target_group_arn(&groups[0]).set_targets(Some(targets)).send().await.unwrap();
    let plain = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(&groups[1]).build();
    let listener = client
        .create_listener()
        .load_balancer_arn(balancer.load_balancer_arn().unwrap())
        .port(80)
        .protocol("HTTP".into());
    let listener = listener.default_actions(plain).send().await.unwrap();
    let listener = listener.listeners()[0].listener_arn().unwrap().to_owned();
    let sticky = TargetGroupStickinessConfig::builder().enabled(true).duration_seconds(77).build();
    let forward =
        ForwardActionConfig::builder().target_groups(to(&groups[0], 0)).target_groups(to(&groups[1], 1));
    let forward = forward.target_group_stickiness_config(sticky).build();
    let action = Action::builder().r#type(ActionTypeEnum::Forward).order(1).forward_config(forward).build();
    let path = RuleCondition::builder().field("path-pattern").values("/*").build();
    let rule = client.create_rule().listener_arn(listener).priority(1).conditions(path).actions(action);
    let rule = rule.send().await.unwrap().rules()[0].rule_arn().unwrap().to_owned();
    let [nodes_group, front] = <[String; 2]>::try_from(groups).unwrap();
    (Parts { rule, nodes: nodes_group, front }, client, nodes.iter().map(|id| NodeId::new(id)).collect())
}

#[tokio::test]
async fn the_weights_of_a_rule_are_read_and_set_on_moto() {
    let Some(shared) = emulator("FLEET_TEST_MOTO") else { return };
    let (parts, client, nodes) = entrance(&shared).await;
    let entrance = LoadBalancer::new(&shared, parts.clone());
    assert_eq!(entrance.look().await, Ok(View { healthy: nodes.clone(), weights: Weights::FRONT }));
    entrance.set(Weights::NODES).await.unwrap();
    assert_eq!(entrance.look().await, Ok(View { healthy: nodes, weights: Weights::NODES }));
    let rules = client.describe_rules().rule_arns(&parts.rule).send().await.unwrap();
    let rule = &rules.rules()[0];
    let forward = rule.actions()[0].forward_config().unwrap();
    let sticky = forward.target_group_stickiness_config().unwrap();
    assert_eq!((sticky.enabled(), sticky.duration_seconds()), (Some(true), Some(77)));
    assert_eq!(rule.conditions()[0].values(), ["/*"]);
}
