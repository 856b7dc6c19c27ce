//! `demo up`: starts an issuer, a front and a scaler, whose machines have a gateway and an Ollama each; says how to reach
//! them, and takes them along when it ends. With `--single` one gateway and one Ollama instead of the fleet.
//!
//! In order: `place` (the folder and what is in it), `certificates`, `upstream` (a real Ollama or the simulated one),
//! `page` (its files, for the gateway), `config` (of gateways and scaler), `child` (processes that never outlive us), `fleet`, `details` (what is printed
//! and written), `bot` (before a fake Telegram), `table` and `status` (the live view of a fleet, and of one gateway).

pub(crate) mod place;
mod certificates;
pub(crate) mod upstream;
mod page;
mod config;
pub(crate) mod child;
mod fleet;
mod details;
mod bot;
mod table;
mod status;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use self::child::Child;
pub(crate) use self::config::free_address;
use self::details::{Details, Reach};
pub(crate) use self::fleet::{LIFELINE, NODE_CONFIG, fits, hold, lifeline};
use self::place::Place;
use crate::issuer::{Issuer, User};
use crate::keep::signalled;
use crate::telegram::Telegram;

/// A gateway that is not ready after this long never will be: a real Ollama may need minutes for its first load.
const READY: Duration = Duration::from_secs(180);

/// Seconds a gateway gets to end its streams; its configuration says the same.
pub(crate) const DRAIN: u64 = 10;

/// The name and password to sign in with on the page.
const PERSON: (&str, &str) = ("demo", "demo");

/// What `demo up` can be told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The gateway's port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// One gateway that never sleeps, instead of a fleet.
    #[arg(long, conflicts_with_all = ["min", "max", "boot_seconds", "idle_minutes"])]
    single: bool,
    /// At least so many machines, always.
    #[arg(long, value_name = "MACHINES", default_value_t = 0)]
    min: u32,
    /// At most so many machines.
    #[arg(long, value_name = "MACHINES", default_value_t = 4)]
    max: u32,
    /// How long a machine takes until its programs start.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    boot_seconds: f64,
    /// How long the last machine stays without a request.
    #[arg(long, value_name = "MINUTES", default_value_t = 0.5)]
    idle_minutes: f64,
    /// The gateway program; by default the one beside this program. The scaler is looked for beside it.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Where certificates, configuration, logs and demo.json go.
    #[arg(long, value_name = "FOLDER", default_value = "target/demo")]
    directory: PathBuf,
    /// Use the simulated Ollama even where a real one is installed or OLLAMA_HOST answers.
    #[arg(long)]
    simulated: bool,
    /// The origin that pages may call from.
    #[arg(long, value_name = "ORIGIN", default_value = "http://127.0.0.1:5173")]
    origin: String,
    /// The folder of the built page; without one there, no page is served.
    #[arg(long, value_name = "FOLDER", default_value = "ui/dist")]
    page: PathBuf,
}

impl Options {
    /// The origin of the page that the gateway serves itself. Its port is known once `run` has chosen one.
    fn own_origin(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}

/// Starts everything, stays until a signal, stops everything.
///
/// # Errors
/// When something cannot be started or ends by itself.
pub async fn up(options: Options) -> anyhow::Result<()> {
    let mut children = Vec::new();
    let outcome = tokio::select! {
        outcome = Box::pin(run(&options, &mut children)) => outcome,
        () = signalled() => Ok(()),
    };
    // In the order they were started in, backwards: the gateway drains while its Ollama still answers.
    while let Some(child) = children.pop() {
        child.stop(Duration::from_secs(DRAIN + 2)).await;
    }
    outcome
}

async fn run(options: &Options, children: &mut Vec<Child>) -> anyhow::Result<()> {
    let place = Place::prepare(&options.directory)?;
    certificates::write(&place)?;
    // Chosen before anything starts: issuer and gateway are told the page's origin, which it is part of.
    let port = free_address(options.port)?.port();
    let options = &Options { port, ..options.clone() };
    if options.single {
        return single(&place, options, children).await;
    }
    if !fits(&place.file("")) {
        bail!("the folder's path is too long for a socket in it; name a shorter one by --directory");
    }
    fleet::run(&place, options, children).await
}

/// One gateway, one Ollama.
async fn single(place: &Place, options: &Options, children: &mut Vec<Child>) -> anyhow::Result<()> {
    let issuer = issuer(options).await?;
    page::lay(place, &issuer, options)?;
    let upstream = upstream::find(place, options.simulated, children).await?;
    let ports = config::write(place, &issuer, &upstream, options)?;
    children.push(gateway(place, options).await?);
    let reach = Reach { models: &upstream, ports };
    let mut details = Details::new(place, &issuer, &reach, options, children)?;
    ready(&details, children).await?;
    let _telegram = with_bot(place, options, &mut details, children).await?;
    details.write(place)?;
    details.print()?;
    status::watch(&ports.metrics(), children).await
}

async fn issuer(options: &Options) -> anyhow::Result<Issuer> {
    let user = |name: &str, password: &str, groups: &[&str]| User {
        name: name.to_owned(),
        password: password.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        email: format!("{name}@example.com"),
    };
    let builder = Issuer::builder().origin(&options.origin).origin(&options.own_origin());
    let builder = builder.user(user(PERSON.0, PERSON.1, &[]));
    let builder = builder.user(user("limited", "limited", &["limited"]));
    builder.user(user("admin", "admin", &["ollama-admins"])).start().await
}

async fn gateway(place: &Place, options: &Options) -> anyhow::Result<Child> {
    let program = gateway_program(options.gateway.as_deref())?;
    let arguments = ["--config".into(), place.file("gateway.toml").into_os_string()];
    Child::kept("gateway", &program, &arguments, &[], place, DRAIN).await
}

/// The gateway program: the one named, else the one beside this program.
pub(crate) fn gateway_program(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let program = match named {
        Some(program) => program.to_owned(),
        None => std::env::current_exe().context("finding this program's folder")?.with_file_name("gateway"),
    };
    if !program.is_file() {
        bail!(
            "{} is missing; build it with `cargo build -p gateway -p scaler -p bot`, or name one by --gateway",
            program.display()
        );
    }
    Ok(program)
}

/// Starts the bot, if it was built. Its Telegram lives as long as what this gives.
async fn with_bot(
    place: &Place,
    options: &Options,
    details: &mut Details,
    children: &mut Vec<Child>,
) -> anyhow::Result<Option<Telegram>> {
    let Some(program) = bot::program(&gateway_program(options.gateway.as_deref())?) else { return Ok(None) };
    let telegram = bot::start(&program, place, details, children).await?;
    details.has_bot(&telegram, children);
    Ok(Some(telegram))
}

/// Waits until the gateway says it is ready.
async fn ready(details: &Details, children: &mut [Child]) -> anyhow::Result<()> {
    let client = details.client()?;
    let url = format!("{}/readyz", details.url);
    let asking = async {
        while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::select! {
        asked = tokio::time::timeout(READY, asking) => asked.with_context(|| format!("{url} was never ready")),
        ended = child::any_end(children) => Err(ended),
    }
}
