//! What roles add up to.

use super::*;
use crate::ollama::names::ModelName;

fn roles(toml: &str) -> Roles {
    let tree: serde_json::Value =
        figment::Figment::from(figment::providers::Toml::string(toml)).extract().unwrap();
    Roles::new(&serde_json::from_value(tree["roles"].clone()).unwrap()).unwrap()
}

use figment::providers::Format;

fn of(roles: &Roles, groups: &[&str], email: Option<&str>) -> Arc<Rights> {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    roles.rights(&roles.of_person(&groups, email))
}

const ROLES: &str = r#"
[roles.user]
models = ["gemma*"]
requests_per_minute = 30

[roles.operator]
groups = ["ops"]

[roles.admin]
groups = ["admins"]
emails = ["Boss@example.com"]
manage_models = true

[roles.heavy]
groups = ["heavy", "paying"]
models = ["llama3", "gemma*"]
requests_per_minute = 300
tokens_per_minute = 10
priority = "interactive"

[roles.night]
groups = ["night"]
requests_per_minute = 100
priority = "batch"

[roles.limited]
groups = ["limited"]
replaces_user = true
requests_per_minute = 5
requests_burst = 2
models = ["qwen3"]
priority = "batch"

[roles.guest]
groups = ["guests"]
replaces_user = true
requests_per_minute = 10
requests_burst = 1
"#;

#[test]
fn user_has_the_stated_defaults() {
    let rights = of(&roles("[roles.user]"), &["anything"], Some("a@b.example"));
    let expected = Rights {
        models: vec![ModelPattern::Any],
        requests_per_minute: 60,
        requests_burst: 20,
        tokens_per_minute: 60_000,
        open_requests: 4,
        priority: Priority::Normal,
        operate: false,
        manage_models: false,
    };
    assert_eq!(*rights, expected);
    assert_eq!(*Roles::new(&BTreeMap::new()).unwrap().rights(&Held::default()), expected);
}

#[test]
fn roles_add_up_and_the_most_generous_wins() {
    let roles = roles(ROLES);
    let rights = of(&roles, &["paying", "night"], None);
    assert_eq!(rights.requests_per_minute, 300);
    assert_eq!(rights.tokens_per_minute, 60_000, "a role never takes away");
    assert_eq!(rights.priority, Priority::Interactive);
    for (model, expected) in [("gemma3n:e4b", true), ("llama3", true), ("qwen3", false)] {
        assert_eq!(rights.may_use(&ModelName::parse(model).unwrap()), expected, "{model}");
    }
    assert_eq!(rights.models.len(), 2, "no pattern twice");
    let night = of(&roles, &["night"], None);
    assert_eq!((night.requests_per_minute, night.priority), (100, Priority::Normal));
}

#[test]
fn operators_operate_and_admins_too() {
    let roles = roles(ROLES);
    let rights = |groups| of(&roles, groups, None);
    assert_eq!((rights(&["ops"]).operate, rights(&["ops"]).manage_models), (true, false));
    assert_eq!((rights(&["admins"]).operate, rights(&["admins"]).manage_models), (true, true));
    assert!(!rights(&["heavy"]).operate);
    assert!(!rights(&["OPS", "operator", "admin", "ops "]).operate, "groups are meant to the letter");
}

#[test]
fn a_verified_address_makes_an_admin() {
    let with = roles(ROLES);
    assert!(with.want_email() && !roles("[roles.user]").want_email());
    assert!(of(&with, &[], Some("boss@EXAMPLE.com")).manage_models);
    assert!(!of(&with, &[], Some("boss@example.com.evil.example")).manage_models);
    assert!(!of(&with, &[], None).manage_models);
}

#[test]
fn a_replacing_role_may_be_tighter() {
    let roles = roles(ROLES);
    let limited = of(&roles, &["limited"], None);
    assert_eq!((limited.requests_per_minute, limited.requests_burst), (5, 2));
    assert_eq!((limited.open_requests, limited.tokens_per_minute), (4, 60_000), "the rest is user's");
    assert_eq!(limited.priority, Priority::Batch);
    assert!(limited.may_use(&ModelName::parse("qwen3").unwrap()));
    assert!(!limited.may_use(&ModelName::parse("gemma3").unwrap()));

    let both = of(&roles, &["limited", "guests"], None);
    assert_eq!((both.requests_per_minute, both.requests_burst), (10, 2));
    assert_eq!(both.priority, Priority::Normal, "guest's comes from user");

    let operator = of(&roles, &["limited", "ops"], None);
    assert_eq!((operator.requests_per_minute, operator.operate), (5, true));
    let raised = of(&roles, &["limited", "night"], None);
    assert_eq!((raised.requests_per_minute, raised.requests_burst), (100, 2));
}

#[test]
fn keys_name_their_roles() {
    let roles = roles(ROLES);
    let rights = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        roles.rights(&roles.of_key(&names))
    };
    assert_eq!(rights(&[]).requests_per_minute, 30);
    assert_eq!(rights(&["user", "heavy", "forgotten"]).requests_per_minute, 300);
    assert!(rights(&["operator"]).operate);
    assert!(!rights(&["ops"]).operate, "a group is no role");
    assert!(roles.exists("user") && roles.exists("night") && !roles.exists("ops"));
}

#[test]
fn the_same_roles_are_one_value() {
    let roles = roles(ROLES);
    assert!(Arc::ptr_eq(&of(&roles, &["ops", "x"], None), &of(&roles, &["y", "ops"], None)));
}

#[test]
fn a_bad_pattern_is_named() {
    let bad = Role { models: Some(vec!["a*b*".to_owned()]), ..Role::default() };
    let error = Roles::new(&[("x".to_owned(), bad)].into()).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("roles.x.models: `a*b*`"), "{error}");
}
