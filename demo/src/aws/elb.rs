//! The actions of Elastic Load Balancing that the fake knows.

use super::balancer::Health;
use super::group::Refused;
use super::wire::{Answered, Call, list, tag};
use super::world::World;

/// Does what is asked; `None` for an action that is not here.
pub(super) fn act(call: &Call, world: &mut World) -> Option<Answered> {
    Some(match call.action.as_str() {
        "DescribeTargetHealth" => target_health(call, world),
        "DescribeRules" => rules(call, world),
        "ModifyRule" => modify(call, world),
        _ => return None,
    })
}

fn target_health(call: &Call, world: &World) -> Answered {
    let targets = match call.need("TargetGroupArn")? {
        nodes if nodes == world.balancer.node_group => world.group.targets(world.now),
        front if front == world.balancer.front_group => vec![("i-front".to_owned(), Health::Healthy)],
        _ => return Err(Refused("TargetGroupNotFound", "One or more target groups not found".to_owned())),
    };
    let told = targets.into_iter().map(|(id, health)| {
        let target = [tag("Id", id), tag("Port", 8443)].concat();
        let health = tag("State", health.name());
        format!("<Target>{target}</Target><HealthCheckPort>8443</HealthCheckPort><TargetHealth>{health}</TargetHealth>")
    });
    Ok(list("TargetHealthDescriptions", told))
}

fn rules(call: &Call, world: &World) -> Answered {
    match call.list("RuleArns").next() {
        Some(named) if named == world.balancer.rule => Ok(list("Rules", [rule(world)])),
        _ => Err(Refused("RuleNotFound", "One or more rules not found".to_owned())),
    }
}

fn rule(world: &World) -> String {
    let balancer = &world.balancer;
    let groups = balancer
        .groups
        .iter()
        .map(|(arn, weight)| [tag("TargetGroupArn", arn), tag("Weight", weight)].concat());
    let sticky = match balancer.sticky_seconds {
        Some(seconds) => [tag("Enabled", true), tag("DurationSeconds", seconds)].concat(),
        None => tag("Enabled", false),
    };
    let forward = format!(
        "{}<TargetGroupStickinessConfig>{sticky}</TargetGroupStickinessConfig>",
        list("TargetGroups", groups)
    );
    let action =
        [tag("Type", "forward"), tag("Order", 1), format!("<ForwardConfig>{forward}</ForwardConfig>")]
            .concat();
    let condition = [tag("Field", "path-pattern"), list("Values", ["/*".to_owned()])].concat();
    [
        tag("RuleArn", &balancer.rule),
        tag("Priority", 1),
        list("Conditions", [condition]),
        list("Actions", [action]),
        tag("IsDefault", false),
    ]
    .concat()
}

/// The whole list of actions is replaced by what was sent: stickiness that was not sent is gone.
fn modify(call: &Call, world: &mut World) -> Answered {
    if call.need("RuleArn")? != world.balancer.rule {
        return Err(Refused("RuleNotFound", "One or more rules not found".to_owned()));
    }
    let forward = "Actions.member.1.ForwardConfig";
    let groups = (1..).map_while(|at| {
        let group = format!("{forward}.TargetGroups.member.{at}");
        let weight = call.get(&format!("{group}.Weight")).map_or(Ok(1), str::parse);
        Some((call.get(&format!("{group}.TargetGroupArn"))?.to_owned(), weight))
    });
    let groups: Vec<_> = groups.collect();
    if call.need("Actions.member.1.Type")? != "forward" || groups.is_empty() {
        return Err(Refused("InvalidLoadBalancerAction", "The rule needs a forward action".to_owned()));
    }
    let known = [&world.balancer.node_group, &world.balancer.front_group];
    if groups.iter().any(|(arn, _)| !known.contains(&arn)) {
        return Err(Refused("TargetGroupNotFound", "One or more target groups not found".to_owned()));
    }
    let weights =
        groups.into_iter().map(|(arn, weight)| Some((arn, weight.ok().filter(|weight| *weight < 1000)?)));
    let Some(groups) = weights.collect() else {
        return Err(Refused("InvalidConfigurationRequest", "Weights are 0 to 999".to_owned()));
    };
    let sticky = call.get(&format!("{forward}.TargetGroupStickinessConfig.Enabled")) == Some("true");
    let seconds = call.get(&format!("{forward}.TargetGroupStickinessConfig.DurationSeconds"));
    world.balancer.groups = groups;
    world.balancer.sticky_seconds =
        if sticky { seconds.and_then(|seconds| seconds.parse().ok()) } else { None };
    Ok(list("Rules", [rule(world)]))
}
