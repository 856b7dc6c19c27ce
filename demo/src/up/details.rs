//! What somebody needs to reach a demo: printed for people, written to `demo.json` for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use super::child::Child;
use super::config::{AUDIENCE, Ports};
use super::place::Place;
use super::upstream::Upstream;
use super::{Options, PERSON, page};
use crate::issuer::{Claims, Issuer};
use crate::keep::say;
use crate::node;
use crate::telegram::Telegram;

/// How long the demo's tokens are good for: a long day.
const LIFETIME: i64 = 16 * 3600;

/// So many of them share the load of `demo load`.
const COLLEAGUES: u32 = 40;

/// `demo.json`.
#[derive(Debug, Serialize)]
pub(super) struct Details {
    /// The gateway.
    pub(super) url: String,
    ca_file: PathBuf,
    issuer: String,
    tokens: Tokens,
    models: Models,
    /// An origin that pages may call from.
    origin: String,
    /// The page, if it was built.
    ui_url: Option<String>,
    ui_user: &'static str,
    ui_password: &'static str,
    /// The fake Telegram that the bot talks on, if the bot was built.
    telegram_url: Option<String>,
    /// Process ids by role; a machine's gateway stands under the machine's name while it lives.
    pids: BTreeMap<String, u32>,
    /// Is the Ollama a stand-in?
    simulated: bool,
    /// Is there no machine before somebody asks?
    sleeps: bool,
}

#[derive(Debug, Serialize)]
struct Tokens {
    user: String,
    admin: String,
    /// Five requests a minute.
    limited: String,
    expired: String,
    /// Users of whom one alone would meet their limits: the callers of `demo load`.
    colleagues: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Models {
    chat: String,
    embed: Option<String>,
    /// Not for `user`.
    denied: &'static str,
}

/// Where requests go, and which models are there.
pub(super) struct Reach<'a> {
    /// The models, and what answers for them.
    pub(super) models: &'a Upstream,
    /// Of the gateway that everybody talks to.
    pub(super) ports: Ports,
}

impl Details {
    pub(super) fn new(
        place: &Place,
        issuer: &Issuer,
        reach: &Reach<'_>,
        options: &Options,
        children: &[Child],
    ) -> anyhow::Result<Self> {
        let Reach { models: upstream, ports } = reach;
        let claims = |name: &str| Claims::oidc(name).audience(AUDIENCE).expires_in(LIFETIME);
        let colleague = |number| issuer.token(&claims(&format!("colleague-{number}")));
        let tokens = Tokens {
            colleagues: (1..=COLLEAGUES).map(colleague).collect::<Result<_, _>>()?,
            user: issuer.token(&claims(PERSON.0))?,
            admin: issuer.token(&claims("admin").group("ollama-admins"))?,
            limited: issuer.token(&claims("limited").group("limited"))?,
            expired: issuer.token(&claims(PERSON.0).expires_in(-3600))?,
        };
        let mut pids: BTreeMap<_, _> =
            children.iter().map(|child| (child.role.to_owned(), child.pid)).collect();
        pids.insert("issuer".to_owned(), std::process::id());
        Ok(Self {
            sleeps: !options.single && options.min == 0,
            url: format!("https://{}", ports.gateway),
            ca_file: place.file("ca.pem"),
            issuer: issuer.url(),
            tokens,
            models: Models {
                chat: upstream.chat.clone(),
                embed: upstream.embed.clone(),
                denied: node::DENIED,
            },
            origin: options.origin.clone(),
            ui_url: page::folder(place).map(|_| format!("https://{}/ui/", ports.gateway)),
            ui_user: PERSON.0,
            ui_password: PERSON.1,
            telegram_url: None,
            pids,
            simulated: upstream.simulated,
        })
    }

    /// The issuer's address.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The model to talk to.
    pub(super) fn chat_model(&self) -> &str {
        &self.models.chat
    }

    /// An administrator's token.
    pub(super) fn admin(&self) -> &str {
        &self.tokens.admin
    }

    /// There is a bot, too.
    pub(super) fn has_bot(&mut self, telegram: &Telegram, children: &[Child]) {
        self.telegram_url = Some(telegram.url());
        self.pids.extend(children.iter().map(|child| (child.role.to_owned(), child.pid)));
    }

    /// A client that trusts the demo's authority and nothing else.
    pub(super) fn client(&self) -> anyhow::Result<reqwest::Client> {
        let pem = std::fs::read(&self.ca_file).context("reading the demo's authority")?;
        let authority = reqwest::Certificate::from_pem(&pem).context("reading the demo's authority")?;
        let builder =
            reqwest::Client::builder().tls_certs_only([authority]).timeout(std::time::Duration::from_secs(5));
        builder.build().context("making a client")
    }

    /// Writes `demo.json` again with these machines' processes beside the others.
    pub(super) fn write_with(
        &mut self,
        place: &Place,
        machines: &BTreeMap<String, u32>,
    ) -> anyhow::Result<()> {
        let ours = std::mem::take(&mut self.pids);
        self.pids = ours.iter().chain(machines).map(|(role, pid)| (role.clone(), *pid)).collect();
        let written = self.write(place);
        self.pids = ours;
        written
    }

    /// Writes `demo.json`.
    pub(super) fn write(&self, place: &Place) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing demo.json")?;
        place.write("demo.json", &(text + "\n"))?;
        Ok(())
    }

    /// Says how to reach it.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let Self { url, issuer, tokens, models, .. } = self;
        let (ca, chat) = (self.ca_file.display(), &models.chat);
        let json = self.ca_file.with_file_name("demo.json");
        let json = json.display();
        let sleeps = if self.sleeps {
            "\n  The fleet sleeps: the first request wakes it, and is held until a machine is ready."
        } else {
            ""
        };
        let kind = if self.simulated { "simulated: it writes words, not answers" } else { "a real one" };
        say(&format!(
            r#"
The demo is up.

  page      {page}   (sign in as {user} / {password}, or admin / admin)
  gateway   {url}
  CA file   {ca}
  issuer    {issuer}
  Ollama    {kind}
  bot       {bot}
  token     {token}
{sleeps}
Stream an answer:

  curl -N --cacert {ca} {url}/api/chat \
    -H 'Authorization: Bearer {token}' \
    -d '{{"model":"{chat}","messages":[{{"role":"user","content":"Good morning"}}]}}'

The same from Python (pip install ollama):

  import json, ollama
  demo = json.load(open("{json}"))
  client = ollama.Client(demo["url"], verify=demo["ca_file"], headers={{"Authorization": "Bearer " + demo["tokens"]["user"]}})
  for part in client.chat(demo["models"]["chat"], [{{"role": "user", "content": "Good morning"}}], stream=True):
      print(part.message.content, end="", flush=True)

All of this, and more tokens, is in {json}. `demo load` sends an
office's requests. Ctrl-C ends it.
"#,
            page = self.ui_url.as_deref().unwrap_or("not built: scripts/ui.sh, or npm run build in ui/"),
            bot = match self.telegram_url {
                Some(_) => "on a fake Telegram; talk to it: target/debug/demo telegram say Good morning",
                None => "not built: cargo build -p bot",
            },
            user = self.ui_user,
            password = self.ui_password,
            token = tokens.user,
        ))
    }
}
