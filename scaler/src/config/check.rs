//! The rules between keys that types cannot say. Each mistake begins with its key and says what it got.

use jiff::tz::TimeZone;

use super::settings::{Config, Entrance, Group, GroupKind};

/// Every broken rule.
pub(super) fn mistakes(config: &Config) -> Vec<String> {
    let mut found = group_mistakes(&config.group);
    found.extend(local_mistakes(&config.group));
    found.extend(policy_mistakes(config));
    found.extend(schedule_mistakes(config));
    found.extend(config.entrance.iter().flat_map(entrance_mistakes));
    found.extend(aws_mistakes(config));
    found
}

/// The sentences of the rules that do not hold.
fn broken<const N: usize>(rules: [(bool, String); N]) -> Vec<String> {
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, sentence)| sentence).collect()
}

fn group_mistakes(group: &Group) -> Vec<String> {
    let positive = |value: f64| value > 0.0 && value.is_finite();
    broken([
        (!group.name.is_empty(), "group.name: empty; name the Auto Scaling group".to_owned()),
        (group.max > 0, "group.max: 0 nodes serve nobody".to_owned()),
        (group.max <= 100, format!("group.max: {} is above 100, what one fleet is built for", group.max)),
        (group.min <= group.max, format!("group.min: {} is above group.max, {}", group.min, group.max)),
        (group.slots > 0, "group.slots: 0 slots serve nobody".to_owned()),
        (!group.boot_seconds.is_zero(), "group.boot_seconds: 0 s; a launch takes longer".to_owned()),
        (
            group.warm_boot_seconds.is_none_or(|warm| !warm.is_zero() && warm <= group.boot_seconds),
            "group.warm_boot_seconds: must be above 0 and at most group.boot_seconds".to_owned(),
        ),
        (
            positive(group.prefill_tokens_per_second) && positive(group.decode_tokens_per_second),
            "group.*_tokens_per_second: must be above 0".to_owned(),
        ),
        (
            positive(group.full_throughput),
            format!("group.full_throughput: {} must be above 0", group.full_throughput),
        ),
    ])
}

fn local_mistakes(group: &Group) -> Vec<String> {
    if group.kind != GroupKind::Local {
        let unused = group.local.is_some();
        return if unused {
            vec!["group.local: only with group.kind = \"local\"".to_owned()]
        } else {
            vec![]
        };
    }
    let Some(local) = &group.local else {
        return vec!["group.local: missing; a local group needs the command that starts one node".to_owned()];
    };
    let all = || local.command.iter().chain(local.environment.values());
    let mut found = broken([
        (
            local.command.first().is_some_and(|program| !program.is_empty()),
            "group.local.command: empty; name the program that starts one node".to_owned(),
        ),
        (
            all().any(|text| text.contains("{id}")),
            "group.local.command: nowhere {id}; the node must report under the name the scaler gave it"
                .to_owned(),
        ),
        (
            group.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            format!("group.name: `{}` becomes file names; letters, digits and `-` only", group.name),
        ),
    ]);
    if group.drive == super::settings::Drive::Metrics {
        found.push("group.drive: a local group has no step policy; use \"calls\"".to_owned());
    }
    found
}

fn policy_mistakes(config: &Config) -> Vec<String> {
    let policy = &config.policy;
    let positive = |value: Option<f64>| value.is_none_or(|value| value > 0.0 && value.is_finite());
    broken([
        (
            policy.value_of_waiting > 0.0 && policy.value_of_waiting <= 100.0,
            format!("policy.value_of_waiting: {} is not above 0 and at most 100", policy.value_of_waiting),
        ),
        (
            (0.0..=1440.0).contains(&policy.idle_minutes),
            format!("policy.idle_minutes: {} is not between 0 and 1440", policy.idle_minutes),
        ),
        (
            positive(policy.hard_limit_minutes),
            "policy.hard_limit_minutes: must be above 0; leave it out for no limit".to_owned(),
        ),
        (positive(policy.budget), "policy.budget: must be above 0; leave it out for no bound".to_owned()),
    ])
}

fn schedule_mistakes(config: &Config) -> Vec<String> {
    let schedule = &config.schedule;
    let mut found = Vec::new();
    if let Err(error) = TimeZone::get(&schedule.timezone) {
        found.push(format!("schedule.timezone: `{}`: {error}", schedule.timezone));
    }
    for (at, window) in schedule.windows.iter().enumerate() {
        if window.days.is_empty() {
            found.push(format!("schedule.windows[{at}].days: empty; it would never be in force"));
        }
        if window.nodes > config.group.max {
            let (nodes, max) = (window.nodes, config.group.max);
            found.push(format!("schedule.windows[{at}].nodes: {nodes} is above group.max, {max}"));
        }
        if window.from.0 == 1440 {
            found.push(format!("schedule.windows[{at}].from: 24:00 is 00:00 of the next day"));
        }
    }
    found
}

fn entrance_mistakes(entrance: &Entrance) -> Vec<String> {
    let arns = [
        ("rule", &entrance.rule, ":listener-rule/"),
        ("gpu_target_group", &entrance.gpu_target_group, ":targetgroup/"),
        ("front_target_group", &entrance.front_target_group, ":targetgroup/"),
    ];
    let wrong = arns.into_iter().filter(|(_, arn, kind)| !(arn.starts_with("arn:") && arn.contains(kind)));
    wrong.map(|(key, arn, kind)| format!("entrance.{key}: `{arn}` is no ARN with `{kind}`")).collect()
}

/// What needs AWS in the build.
fn aws_mistakes(config: &Config) -> Vec<String> {
    let advice = "this build has no AWS; build the scaler with `--features aws`";
    let built_in = cfg!(feature = "aws");
    broken([
        (built_in || config.group.kind != GroupKind::Aws, format!("group.kind: {advice}")),
        (built_in || config.entrance.is_none(), format!("entrance: {advice}")),
        (built_in || !config.metrics.on, format!("metrics.on: {advice}")),
        (config.store.kind.is_built_in(), format!("store.kind: {advice}")),
    ])
}
