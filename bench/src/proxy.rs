//! The proxies under measurement: each with two workers, the same certificate, the same token to check.

mod certificate;
mod configs;
mod process;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use demo::issuer::{Claims, Issuer};
use tokio_rustls::rustls::pki_types::CertificateDer;

use self::certificate::Certificate;
use self::process::Process;

/// The audience the gateway wants.
const AUDIENCE: &str = "ollama";
/// Workers of every proxy.
pub const WORKERS: usize = 2;

/// Who stands between load and fake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proxy {
    /// Nobody: the fake's own port, without TLS.
    Direct,
    /// What all ratios refer to.
    Nginx,
    /// The other one people trust.
    Haproxy,
    /// Ours.
    Gateway,
}

impl Proxy {
    /// Those that are processes.
    pub const REAL: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Gateway];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Gateway => "gateway",
        }
    }
}

/// One proxy, running, and all a client must know.
pub struct Target {
    /// Which.
    pub proxy: Proxy,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its certificate; none: plain.
    pub root: Option<CertificateDer<'static>>,
    /// What it wants to see.
    pub token: String,
    process: Option<Process>,
    log: PathBuf,
}

impl Target {
    /// The processes that work for it.
    pub fn pids(&self) -> Vec<u32> {
        self.process.as_ref().map(Process::family).unwrap_or_default()
    }

    /// The last of what it said.
    pub fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// All of them. They end when this drops.
pub struct Proxies {
    targets: Vec<Arc<Target>>,
    _issuer: Issuer,
    _directory: tempfile::TempDir,
}

impl Proxies {
    /// Starts all in front of `fake`. `gateway` is the gateway's program.
    ///
    /// # Errors
    /// What cannot be started.
    pub async fn start(fake: SocketAddr, gateway: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("bench-").tempdir()?;
        let issuer = Issuer::start().await?;
        let claims = Claims::oidc("bench").audience(AUDIENCE).expires_in(24 * 3600);
        let setting = Setting {
            directory: directory.path().to_owned(),
            certificate: Certificate::write(directory.path())?,
            token: issuer.token(&claims)?,
            issuer: issuer.url(),
            fake,
            gateway: gateway.to_owned(),
        };
        let mut targets = vec![Arc::new(Target {
            proxy: Proxy::Direct,
            address: fake,
            root: None,
            token: setting.token.clone(),
            process: None,
            log: PathBuf::new(),
        })];
        for proxy in Proxy::REAL {
            let target = setting.start(proxy).with_context(|| format!("starting {}", proxy.name()))?;
            targets.push(Arc::new(target));
        }
        Ok(Self { targets, _issuer: issuer, _directory: directory })
    }

    /// All, `direct` first.
    pub fn all(&self) -> &[Arc<Target>] {
        &self.targets
    }
}

/// What all configurations are made of.
struct Setting {
    directory: PathBuf,
    certificate: Certificate,
    token: String,
    issuer: String,
    fake: SocketAddr,
    gateway: PathBuf,
}

impl Setting {
    fn start(&self, proxy: Proxy) -> anyhow::Result<Target> {
        let address = free()?;
        let (program, text, extension) = match proxy {
            Proxy::Nginx => (PathBuf::from("nginx"), configs::nginx(self, address), "conf"),
            Proxy::Haproxy => (PathBuf::from("haproxy"), configs::haproxy(self, address), "cfg"),
            _ => (self.gateway.clone(), configs::gateway(self, address, free()?), "toml"),
        };
        let file = self.directory.join(format!("{}.{extension}", proxy.name()));
        std::fs::write(&file, text)?;
        let arguments: &[&str] = match proxy {
            Proxy::Nginx => &["-p", ".", "-c"],
            Proxy::Haproxy => &["-db", "-f"],
            _ => &["--config"],
        };
        let log = self.directory.join(format!("{}.log", proxy.name()));
        let process = Process::start(&program, arguments, &file, &log)?;
        Ok(Target {
            proxy,
            address,
            root: Some(self.certificate.der.clone()),
            token: self.token.clone(),
            process: Some(process),
            log,
        })
    }
}

/// An address that was free a moment ago.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
