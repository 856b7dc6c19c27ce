//! The actions of Auto Scaling that the fake knows.

use std::time::Duration;

use super::group::{Activity, Refused, Stage};
use super::setup::Hook;
use super::wire::{Answered, Call, list, tag};
use super::world::World;

/// Does what is asked; `None` for an action that is not here.
pub(super) fn act(call: &Call, world: &mut World) -> Option<Answered> {
    Some(match call.action.as_str() {
        "DescribeAutoScalingGroups" => Ok(groups(call, world)),
        "DescribeWarmPool" => warm_pool(call, world),
        "DescribeScalingActivities" => activities(call, world),
        "DescribeInstanceRefreshes" => refreshes(call, world),
        "SetDesiredCapacity" => set_desired(call, world),
        "TerminateInstanceInAutoScalingGroup" => terminate(call, world),
        "SetInstanceHealth" => set_health(call, world),
        "SetInstanceProtection" => set_protection(call, world),
        "CompleteLifecycleAction" => complete(call, world),
        "RecordLifecycleActionHeartbeat" => heartbeat(call, world),
        _ => return None,
    })
}

/// The group that the call names.
fn named(call: &Call, world: &World) -> Result<(), Refused> {
    let name = call.need("AutoScalingGroupName")?;
    if name == world.group.setup.group {
        return Ok(());
    }
    Err(Refused::invalid(format!("AutoScalingGroup name not found - AutoScalingGroup: {name} not found")))
}

fn groups(call: &Call, world: &World) -> String {
    let group = &world.group;
    let wanted: Vec<_> = call.list("AutoScalingGroupNames").collect();
    if !wanted.is_empty() && !wanted.contains(&group.setup.group.as_str()) {
        return list("AutoScalingGroups", []);
    }
    let instances = group.instances.iter().map(|instance| {
        [
            tag("InstanceId", &instance.id),
            tag("AvailabilityZone", "eu-west-1a"),
            tag("LifecycleState", instance.stage.name()),
            tag("HealthStatus", if instance.healthy { "Healthy" } else { "Unhealthy" }),
            tag("ProtectedFromScaleIn", instance.protected),
        ]
        .concat()
    });
    let pool = group.setup.warm_pool.map(|size| {
        format!(
            "<WarmPoolConfiguration>{}{}</WarmPoolConfiguration>",
            tag("MinSize", size),
            tag("PoolState", "Stopped")
        )
    });
    let group = [
        tag("AutoScalingGroupName", &group.setup.group),
        tag("MinSize", group.min),
        tag("MaxSize", group.max),
        tag("DesiredCapacity", group.desired),
        tag("DefaultCooldown", 300),
        list("AvailabilityZones", ["eu-west-1a".to_owned()]),
        tag("HealthCheckType", "EC2"),
        tag("CreatedTime", world.date(Duration::ZERO)),
        tag("NewInstancesProtectedFromScaleIn", group.setup.protect),
        list("Instances", instances),
        pool.unwrap_or_default(),
    ];
    list("AutoScalingGroups", [group.concat()])
}

fn warm_pool(call: &Call, world: &World) -> Answered {
    named(call, world)?;
    let Some(size) = world.group.setup.warm_pool else { return Ok(list("Instances", [])) };
    let instances = world.group.warm.iter().map(|(id, ready)| {
        let state = if *ready <= world.now { "Warmed:Stopped" } else { "Warmed:Pending" };
        [
            tag("InstanceId", id),
            tag("AvailabilityZone", "eu-west-1a"),
            tag("LifecycleState", state),
            tag("HealthStatus", "Healthy"),
            tag("ProtectedFromScaleIn", false),
        ]
        .concat()
    });
    let pool = format!("<WarmPoolConfiguration>{}</WarmPoolConfiguration>", tag("MinSize", size));
    Ok(pool + &list("Instances", instances))
}

fn activities(call: &Call, world: &World) -> Answered {
    named(call, world)?;
    let most = call.get("MaxRecords").and_then(|most| most.parse().ok()).unwrap_or(100);
    let newest = world.group.history.iter().rev().take(most);
    Ok(list("Activities", newest.map(|activity| told(activity, world))))
}

fn told(activity: &Activity, world: &World) -> String {
    // A launch that waits in its hook has a status of its own.
    let waits = world
        .group
        .instances
        .iter()
        .any(|one| one.id == activity.instance && one.stage == Stage::PendingWait);
    let status = if waits && activity.ended.is_none() { "MidLifecycleAction" } else { activity.status };
    [
        tag("ActivityId", format!("activity-{}", activity.number)),
        tag("AutoScalingGroupName", &world.group.setup.group),
        tag("Description", &activity.description),
        tag("Cause", "the fake's own reasons"),
        tag("StartTime", world.date(activity.began)),
        activity.ended.map(|at| tag("EndTime", world.date(at))).unwrap_or_default(),
        tag("StatusCode", status),
        activity.message.as_ref().map(|why| tag("StatusMessage", why)).unwrap_or_default(),
        tag("Progress", if activity.ended.is_some() { 100 } else { 50 }),
    ]
    .concat()
}

fn refreshes(call: &Call, world: &World) -> Answered {
    named(call, world)?;
    let status = if world.group.refreshing { "InProgress" } else { "Successful" };
    let refresh = [
        tag("InstanceRefreshId", "refresh-1"),
        tag("AutoScalingGroupName", &world.group.setup.group),
        tag("Status", status),
    ];
    Ok(list("InstanceRefreshes", [refresh.concat()]))
}

fn set_desired(call: &Call, world: &mut World) -> Answered {
    named(call, world)?;
    let desired = call.need("DesiredCapacity")?;
    let desired = desired.parse().map_err(|_| Refused::invalid(format!("DesiredCapacity is {desired}")))?;
    world.group.set_desired(desired, world.now).map(|()| String::new())
}

fn terminate(call: &Call, world: &mut World) -> Answered {
    let decrement = call.need("ShouldDecrementDesiredCapacity")? == "true";
    world.group.terminate(call.need("InstanceId")?, decrement, world.now)?;
    let activity =
        world.group.history.iter().rev().find(|one| Some(one.instance.as_str()) == call.get("InstanceId"));
    let inside = activity.map(|activity| told(activity, world)).unwrap_or_default();
    Ok(format!("<Activity>{inside}</Activity>"))
}

fn set_health(call: &Call, world: &mut World) -> Answered {
    let at = world.group.find(call.need("InstanceId")?)?;
    world.group.instances[at].healthy = call.need("HealthStatus")? == "Healthy";
    Ok(String::new())
}

fn set_protection(call: &Call, world: &mut World) -> Answered {
    named(call, world)?;
    let protected = call.need("ProtectedFromScaleIn")? == "true";
    for id in call.list("InstanceIds") {
        let at = world.group.find(id)?;
        world.group.instances[at].protected = protected;
    }
    Ok(String::new())
}

/// The instance that waits in the hook which the call names.
fn waiting(call: &Call, world: &mut World) -> Result<(usize, Hook), Refused> {
    named(call, world)?;
    let (id, name) = (call.need("InstanceId")?, call.need("LifecycleHookName")?);
    let none = || Refused::invalid(format!("No active Lifecycle Action found with instance ID {id}"));
    let at = world.group.find(id).map_err(|_| none())?;
    let instance = &world.group.instances[at];
    let setup = &world.group.setup;
    let hook = if instance.stage.is_coming() { &setup.launch_hook } else { &setup.terminate_hook };
    let hook = hook.as_ref().filter(|hook| hook.name == name && instance.is_waiting());
    Ok((at, hook.ok_or_else(none)?.clone()))
}

fn complete(call: &Call, world: &mut World) -> Answered {
    let (at, _) = waiting(call, world)?;
    let now = world.now;
    match call.need("LifecycleActionResult")? {
        "ABANDON" if world.group.instances[at].stage == Stage::PendingWait => world.group.abandon(at, now),
        "ABANDON" | "CONTINUE" => world.group.instances[at].go_on(now),
        other => return Err(Refused::invalid(format!("LifecycleActionResult is {other}"))),
    }
    Ok(String::new())
}

fn heartbeat(call: &Call, world: &mut World) -> Answered {
    let (at, hook) = waiting(call, world)?;
    world.group.instances[at].heartbeat(hook.heartbeat, world.now);
    Ok(String::new())
}
