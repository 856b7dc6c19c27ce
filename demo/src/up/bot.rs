//! The bot of a demo, before a fake Telegram in this process: the demo's person is linked to it, as an administrator and
//! that person would do it by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::child::Child;
use super::details::Details;
use super::place::Place;
use super::{DRAIN, PERSON};
use crate::telegram::{Telegram, control};

/// The bot's file beside the demo's others.
const CONFIG: &str = "bot.toml";
/// What the bot remembers. Each demo's fake Telegram knows nothing of the last one's chats.
const STATE: &str = "bot.json";
/// A bot that has not linked anybody by then never will.
const LINKED: Duration = Duration::from_secs(60);

/// The bot program, if it was built: it stands beside the gateway.
pub(super) fn program(gateway: &Path) -> Option<PathBuf> {
    Some(gateway.with_file_name("bot")).filter(|program| program.is_file())
}

/// Starts Telegram and the bot, and links the demo's person. The gateway must be ready.
pub(super) async fn start(
    program: &Path,
    place: &Place,
    details: &Details,
    children: &mut Vec<Child>,
) -> anyhow::Result<Telegram> {
    let telegram = Telegram::start().await?;
    let key = asked(details, "fleet/keys", &json!({ "owner": "telegram-bot" }), "key").await?;
    place.write(CONFIG, &text(place, details, &telegram, &key))?;
    // That of an earlier demo has keys which this store may not know, and chats that are gone.
    let _ = std::fs::remove_file(place.file(STATE));
    let arguments = ["--config".into(), place.file(CONFIG).into_os_string()];
    children.push(Child::kept("bot", program, &arguments, &[], place, DRAIN).await?);
    let principal = format!("{}#{}", details.issuer(), PERSON.0);
    let code = asked(details, "fleet/links", &json!({ "principal": principal }), "code").await?;
    telegram.say(control::PERSON, &format!("/start {code}"));
    let linked = telegram.until_last(control::PERSON, "You are linked");
    match tokio::time::timeout(LINKED, linked).await {
        Ok(Ok(_)) => Ok(telegram),
        _ => bail!("the bot did not link anybody; its log is {}", place.file("bot.log").display()),
    }
}

fn text(place: &Place, details: &Details, telegram: &Telegram, key: &str) -> String {
    format!(
        r#"# Written by `demo up`; the next one writes it again.
token = "{token}"
telegram_url = "{telegram}"
state = {state}
model = {model}

[gateway]
url = "{gateway}"
ca_file = {ca}
key = "{key}"
"#,
        token = telegram.token(),
        telegram = telegram.url(),
        state = json!(place.file(STATE)),
        model = json!(details.chat_model()),
        gateway = details.url,
        ca = json!(place.file("ca.pem")),
    )
}

/// Has an administrator make something; the part of the answer that is wanted.
async fn asked(details: &Details, path: &str, body: &Value, part: &str) -> anyhow::Result<String> {
    let request = details.client()?.request(Method::POST, format!("{}/{path}", details.url));
    let answer = request.bearer_auth(details.admin()).json(body).send().await;
    let answer = answer.with_context(|| format!("asking the gateway for {path}"))?;
    let status = answer.status();
    let answer: Value = answer.json().await.with_context(|| format!("{path} answered {status}"))?;
    answer[part].as_str().map(str::to_owned).with_context(|| format!("{path} answered {status}: {answer}"))
}
