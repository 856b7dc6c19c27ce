//! What `bot.toml` may say, and what is said of what it may not.

use super::*;

const GOOD: &str = r#"
token = "12345:AAbb-cc_dd"
state = "/tmp/state.json"
[gateway]
url = "https://ollama.example.com"
key = "key-of-the-bot"
"#;

fn mistakes(text: &str) -> String {
    from_toml(text).unwrap_err().to_string()
}

#[test]
fn a_short_file_is_enough() {
    let config = from_toml(GOOD).unwrap();
    assert_eq!(config.telegram_url, "https://api.telegram.org");
    assert_eq!(config.log.filter, "info");
    assert_eq!(config.gateway.ca_file, None);
}

#[test]
fn every_mistake_is_told_at_once_and_none_shows_a_secret() {
    let told = mistakes(
        "token = \"not-a-token-but-secret\"\ntelegram_url = \"http://telegram.example.com\"\nwhat = 1\n\
         [gateway]\nurl = \"https://me:hunter2@example.com\"\nca_file = \"/nowhere/ca.pem\"\nkey = \"two words\"\n",
    );
    for part in [
        "token: is not",
        "telegram_url: http",
        "gateway.url: names a user",
        "ca_file: there is no file /nowhere",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("what: there is no such key") && told.contains("gateway.key: holds"), "{told}");
    for secret in ["not-a-token-but-secret", "hunter2", "two words"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn what_is_missing_is_told_with_where_it_comes_from() {
    let told = mistakes("");
    for part in ["token: missing; @BotFather", "gateway.url: missing", "gateway.key: missing; make one with"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn addresses_in_the_clear_are_for_this_machine_only() {
    for (url, right) in [
        ("http://127.0.0.1:81", true),
        ("http://[::1]:81", true),
        ("http://localhost", true),
        ("https://a.example.com/base", true),
        ("http://10.0.0.1", false),
        ("http://localhost.example.com", false),
        ("ftp://127.0.0.1", false),
        ("https://a.example.com?x=1", false),
        ("nonsense", false),
    ] {
        let text = GOOD.replace("https://ollama.example.com", url);
        assert_eq!(from_toml(&text).is_ok(), right, "{url}");
    }
}

#[test]
fn debug_hides_token_and_key() {
    let shown = format!("{:?}", from_toml(GOOD).unwrap());
    assert!(!shown.contains("AAbb") && !shown.contains("key-of-the-bot"), "{shown}");
}
