//! The configuration of a demo's gateways and of its scaler.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;
use serde_json::json;

use super::place::Place;
use super::upstream::Upstream;
use super::{DRAIN, Options, page};
use crate::issuer::Issuer;

/// The audience of the demo's tokens.
pub(super) const AUDIENCE: &str = "ollama";

/// About how long the simulated Ollama takes to load its model, in seconds: a boot's second half.
const MODEL_LOAD: f64 = 5.0;

/// Where the gateway listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// TLS, for everybody.
    pub(super) gateway: SocketAddr,
    /// Plain, for metrics.
    pub(super) admin: SocketAddr,
}

impl Ports {
    /// Where the metrics are.
    pub(super) fn metrics(self) -> String {
        format!("http://{}/metrics", self.admin)
    }
}

/// Writes `gateway.toml`; gives the addresses in it.
pub(super) fn write(
    place: &Place,
    issuer: &Issuer,
    upstream: &Upstream,
    options: &Options,
) -> anyhow::Result<Ports> {
    let ports = Ports { gateway: free_address(options.port)?, admin: free_address(0)? };
    place.write("gateway.toml", &text(place, issuer, upstream, options, ports))?;
    Ok(ports)
}

/// The address of `port`, or of one that is free now. Whoever listens next gets it, which is us unless the machine
/// is very busy.
pub(crate) fn free_address(port: u16) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("taking port {port} of 127.0.0.1"))?;
    listener.local_addr().context("finding a free port")
}

/// Writes `front.toml`, `node.toml` and `scaler.toml`; gives the front's addresses.
pub(super) fn write_fleet(
    place: &Place,
    issuer: &Issuer,
    models: &Upstream,
    options: &Options,
) -> anyhow::Result<Ports> {
    let ports = Ports { gateway: free_address(options.port)?, admin: free_address(0)? };
    let common = common(place, issuer, models, options);
    // What a wait is said to take before one was measured.
    let boot = options.boot_seconds + MODEL_LOAD;
    let fleet = format!("[fleet]\nname = \"demo\"\nnode = \"front\"\nboot_estimate_seconds = {boot:?}\n\n");
    let front = listen(ports) + &tls(place) + &ui(place) + &fleet + &common;
    place.write("front.toml", &front)?;
    // Address, name and Ollama are each machine's own: it sets them by environment.
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let node = listen(Ports { gateway: anywhere, admin: anywhere })
        + &ollama(models)
        + "[fleet]\nname = \"demo\"\n\n"
        + &common;
    place.write(super::NODE_CONFIG, &node)?;
    place.write("scaler.toml", &scaler(place, options)?)?;
    Ok(ports)
}

fn text(place: &Place, issuer: &Issuer, upstream: &Upstream, options: &Options, ports: Ports) -> String {
    listen(ports)
        + &tls(place)
        + &ui(place)
        + &ollama(upstream)
        + "[fleet]\nname = \"demo\"\n\n"
        + &common(place, issuer, upstream, options)
}

fn listen(ports: Ports) -> String {
    format!(
        "# Written by `demo up`; the next one writes it again.\n[listen]\naddress = \"{}\"\nadmin = \"{}\"\n\n",
        ports.gateway, ports.admin
    )
}

/// A path or a name in TOML: its basic strings and JSON's differ in nothing that can occur here.
fn quoted(text: impl serde::Serialize) -> String {
    json!(text).to_string()
}

fn tls(place: &Place) -> String {
    let path = |name: &str| quoted(place.file(name));
    format!("[tls]\ncertificate = {}\nprivate_key = {}\n\n", path("cert.pem"), path("key.pem"))
}

fn ui(place: &Place) -> String {
    page::folder(place).map_or_else(String::new, |folder| format!("[ui]\ndirectory = {}\n\n", quoted(folder)))
}

fn ollama(upstream: &Upstream) -> String {
    let Upstream { url, parallel, chat, .. } = upstream;
    format!("[ollama]\nurl = \"{url}\"\nparallel = {parallel}\nmodels = [{}]\n\n", quoted(chat))
}

/// What every gateway of a demo is told.
fn common(place: &Place, issuer: &Issuer, upstream: &Upstream, options: &Options) -> String {
    let users: Vec<&String> = [Some(&upstream.chat), upstream.embed.as_ref()].into_iter().flatten().collect();
    format!(
        r#"[[issuers]]
issuer = "{issuer}"
kind = "oidc"
audiences = ["{AUDIENCE}"]
groups_claim = "groups"
userinfo_url = "{issuer}/userinfo"

[access]
allowed_origins = {origins}

{roles}
[translate]
model = {model}

[conversations]
archive = {archive}
search = true

# As if the machines were g4dn.xlarge in us-east-1, with the floor that `make costs` prints for `small`.
[costs]
gpu_hour = 0.526
fixed_month = 65
budget = 300

[catalogue]
instance_type = "g4dn.xlarge"

[store]
kind = "sqlite"
path = {store}

[drain]
accept_for_seconds = 1
deadline_seconds = {DRAIN}
"#,
        issuer = issuer.url(),
        // Also its own: a browser names the origin of every POST.
        origins = quoted([&options.origin, &options.own_origin()]),
        roles = roles(&quoted(users)),
        model = quoted(&upstream.chat),
        archive = quoted(place.file("archive")),
        store = quoted(place.file("fleet.db")),
    )
}

/// A scaler whose machines are processes of this program.
fn scaler(place: &Place, options: &Options) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut command = vec![json!(program), json!("machine"), json!("--id"), json!("{id}")];
    command.extend([json!("--address"), json!("{address}"), json!("--directory"), json!(place.file(""))]);
    command.extend([json!("--boot-seconds"), json!(options.boot_seconds.to_string())]);
    if options.simulated {
        command.push(json!("--simulated"));
    }
    if let Some(gateway) = &options.gateway {
        command.extend([json!("--gateway"), json!(gateway)]);
    }
    Ok(format!(
        r#"# Written by `demo up`; the next one writes it again.
[fleet]
name = "demo"

[store]
kind = "sqlite"
path = {store}

[group]
kind = "local"
min = {min}
max = {max}
boot_seconds = {boot}

[group.local]
command = {command}
directory = {nodes}
stop_seconds = {stop}

[policy]
idle_minutes = {idle}
"#,
        store = quoted(place.file("fleet.db")),
        min = options.min,
        max = options.max,
        boot = options.boot_seconds + MODEL_LOAD,
        command = json!(command),
        nodes = quoted(place.file("machines")),
        stop = DRAIN + 5,
        idle = options.idle_minutes,
    ))
}

/// The roles of the tokens in `demo.json`; `models` are those that everybody may use.
fn roles(models: &str) -> String {
    format!(
        r#"[roles.user]
models = {models}
requests_per_minute = 600
requests_burst = 100
tokens_per_minute = 600000
open_requests = 16

# Five requests a minute instead of the user's: what a limit looks like.
[roles.limited]
groups = ["limited"]
replaces_user = true
models = {models}
requests_per_minute = 5
requests_burst = 5

[roles.operator]
groups = ["ollama-operators"]

[roles.admin]
groups = ["ollama-admins"]
models = ["*"]
manage_models = true
"#
    )
}
