//! The gateway's configuration for a demo.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;
use serde_json::json;

use super::place::Place;
use super::upstream::Upstream;
use super::{DRAIN, Options};
use crate::issuer::Issuer;

/// The audience of the demo's tokens.
pub(super) const AUDIENCE: &str = "ollama";

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
    place.write("gateway.toml", &text(place, issuer, upstream, &options.origin, ports))?;
    Ok(ports)
}

/// The address of `port`, or of one that is free now. Whoever listens next gets it, which is us unless the machine
/// is very busy.
pub(super) fn free_address(port: u16) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("taking port {port} of 127.0.0.1"))?;
    listener.local_addr().context("finding a free port")
}

fn text(place: &Place, issuer: &Issuer, upstream: &Upstream, origin: &str, ports: Ports) -> String {
    // TOML's basic strings and JSON's differ in nothing that can occur here.
    let path = |name: &str| json!(place.file(name)).to_string();
    let users: Vec<&String> = [Some(&upstream.chat), upstream.embed.as_ref()].into_iter().flatten().collect();
    format!(
        r#"# Written by `demo up`; the next one writes it again.
[listen]
address = "{gateway}"
admin = "{admin}"

[tls]
certificate = {certificate}
private_key = {private_key}

[ollama]
url = "{ollama}"
parallel = {parallel}
models = [{chat}]

[[issuers]]
issuer = "{issuer}"
kind = "oidc"
audiences = ["{AUDIENCE}"]
groups_claim = "groups"
userinfo_url = "{issuer}/userinfo"

[access]
allowed_origins = [{origin}]

{roles}
[store]
kind = "sqlite"
path = {store}

[fleet]
name = "demo"

[drain]
accept_for_seconds = 1
deadline_seconds = {DRAIN}
"#,
        gateway = ports.gateway,
        admin = ports.admin,
        certificate = path("cert.pem"),
        private_key = path("key.pem"),
        ollama = upstream.url,
        parallel = upstream.parallel,
        chat = json!(upstream.chat),
        issuer = issuer.url(),
        origin = json!(origin),
        roles = roles(&json!(users).to_string()),
        store = path("fleet.db"),
    )
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
