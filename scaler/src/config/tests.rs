//! A configuration is taken whole or refused whole, each mistake by its key.

use crate::decide::observation::Moment;

use super::*;

const NODE: &str = "[group.local]\ncommand = [\"gateway\", \"--node\", \"{id}\"]\n";

#[test]
fn every_mistake_is_named_at_once() {
    let text = "[group]\nmin = 9\nmax = 4\nslots = 0\nspeed = 1\nboot_seconds = -1\n\
                [group.local]\ncommand = [\"gateway\"]\n[policy]\nvalue_of_waiting = 0\nbudget = -4\n\
                [schedule]\ntimezone = \"Mars/Olympus\"\n\
                [[schedule.windows]]\ndays = [\"mon\"]\nfrom = \"7:30\"\nuntil = \"18:00\"\nnodes = 1\n\
                [entrance]\nrule = \"x\"\ngpu_target_group = \"y\"\nfront_target_group = \"z\"\n";
    let mistakes = from_toml(text).unwrap_err().mistakes;
    for key in [
        "group.min",
        "group.slots",
        "group.speed",
        "group.boot_seconds",
        "group.local.command",
        "policy.value_of_waiting",
        "policy.budget",
        "schedule.timezone",
        "schedule.windows[0].from",
        "entrance.rule",
        "entrance.gpu_target_group",
        "entrance.front_target_group",
    ] {
        let named = mistakes.iter().filter(|mistake| mistake.starts_with(&format!("{key}:"))).count();
        assert_eq!(named, 1, "{key} in {mistakes:#?}");
    }
}

#[test]
fn a_whole_configuration_becomes_a_policy() {
    let text = format!(
        "[group]\nmax = 6\nwarm_boot_seconds = 90\n{NODE}\
         [policy]\nidle_minutes = 5\nhard_limit_minutes = 60\nbudget = 100\n\
         [schedule]\ntimezone = \"Europe/Dublin\"\n\
         [[schedule.windows]]\ndays = [\"mon\", \"fri\"]\nfrom = \"07:30\"\nuntil = \"18:00\"\nnodes = 2\n"
    );
    let policy = from_toml(&text).unwrap().policy();
    assert_eq!((policy.idle, policy.hard_limit, policy.warm_boot), (300.0, Some(3600.0), Some(90.0)));
    assert_eq!(policy.budget.unwrap().hours, 100.0);
    let covers = |weekday, minute| policy.schedule[0].covers(Moment { weekday, minute });
    assert!(covers(0, 450) && covers(4, 1079) && !covers(4, 1080) && !covers(1, 600));
}

#[test]
fn a_local_group_needs_a_command_and_its_own_drive() {
    let mistakes = from_toml("[group]\ndrive = \"metrics\"\n").unwrap_err().mistakes;
    assert!(mistakes[0].starts_with("group.local: missing"), "{mistakes:?}");
    let text = format!("[group]\ndrive = \"metrics\"\n{NODE}");
    let mistakes = from_toml(&text).unwrap_err().mistakes;
    assert!(mistakes[0].starts_with("group.drive: a local group"), "{mistakes:?}");
}

#[test]
fn the_example_is_right_and_says_the_defaults() {
    let text = include_str!("../../scaler.example.toml");
    // Without AWS in the build that is all there is to say against it.
    let advice = |mistake: &String| !mistake.contains("this build has no AWS");
    let mistakes = from_toml(text).err().map(|error| error.mistakes).unwrap_or_default();
    let others: Vec<_> = mistakes.into_iter().filter(advice).collect();
    assert_eq!(others, [""; 0]);
    // What stands there as a default is one: laid over the defaults it changes nothing.
    let shown = |line: &&str| line.strip_prefix("# ").is_some_and(|rest| rest.contains("_per_second"));
    let lines: Vec<_> = text.lines().filter(shown).map(|line| &line[2..]).collect();
    assert_eq!(lines.len(), 2);
    let made = from_toml(&format!("[group]\n{}\n{NODE}", lines.join("\n"))).unwrap().group;
    let default = from_toml(NODE).unwrap().group;
    assert_eq!(made.prefill_tokens_per_second, default.prefill_tokens_per_second);
    assert_eq!(made.decode_tokens_per_second, default.decode_tokens_per_second);
}

#[test]
fn the_example_of_a_local_group_is_right() {
    let text = include_str!("../../scaler.example.toml");
    let (_, local) = text.split_once("instead of [group] above:\n#\n").unwrap();
    let lines: Vec<_> = local.lines().map(|line| line.trim_start_matches('#').trim()).collect();
    let group = from_toml(&lines.join("\n")).unwrap().group;
    assert_eq!((group.max, group.local.unwrap().environment.len()), (3, 2));
}
