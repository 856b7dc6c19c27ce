//! The rules between keys that types cannot say. Each mistake begins with its key, says what it got, and never shows a
//! secret.

use std::net::IpAddr;

use url::{Host, Url};

use super::settings::Config;

/// Every broken rule.
pub(super) fn mistakes(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(token_mistake(config.token.reveal()));
    found.extend(address_mistake("telegram_url", &config.telegram_url));
    found.extend(address_mistake("gateway.url", &config.gateway.url));
    if config.gateway.key.reveal().is_empty() {
        found.push(
            "gateway.key: missing; make one with `gateway keys create --owner telegram-bot`, and give it here or as \
             BOT__GATEWAY__KEY"
                .to_owned(),
        );
    } else if !is_word(config.gateway.key.reveal()) {
        found.push("gateway.key: holds a space or a character that no key has".to_owned());
    }
    if config.model.as_deref().is_some_and(|model| model.trim().is_empty()) {
        found.push("model: empty; name one, or leave the key out".to_owned());
    }
    if let Some(file) = config.gateway.ca_file.as_ref().filter(|file| !file.is_file()) {
        found.push(format!("gateway.ca_file: there is no file {}", file.display()));
    }
    if config.state.file_name().is_none() || config.state.is_dir() {
        found.push(format!("state: {} is no name of a file", config.state.display()));
    }
    found
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Telegram's tokens are the bot's number, a colon, and letters, digits, `_` and `-`
/// (core.telegram.org/bots/api#authorizing-your-bot).
fn token_mistake(token: &str) -> Option<String> {
    if token.is_empty() {
        return Some("token: missing; @BotFather gives it. Set it here or as BOT__TOKEN".to_owned());
    }
    let good = token.split_once(':').is_some_and(|(number, rest)| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let letters = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        digits && letters && !rest.is_empty()
    });
    (!good).then(|| "token: is not of the form 123456:ABC-def, as @BotFather gives it".to_owned())
}

/// Token and keys travel to these: in the clear only within this machine.
fn address_mistake(key: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(format!("{key}: missing; `https://host`"));
    }
    let Ok(url) = Url::parse(text) else {
        return Some(format!("{key}: is no address; `https://host`"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some(format!("{key}: names a user or a password, which belongs in no address"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some(format!("{key}: {text} must end before `?` and `#`"));
    }
    match url.scheme() {
        "https" => None,
        "http" if is_loopback(&url) => None,
        "http" => {
            Some(format!("{key}: {text} would send secrets in the clear; use https (http only on loopback)"))
        }
        other => Some(format!("{key}: `{other}` is neither https nor http")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
