//! One machine of the demo's fleet, as the scaler's local group starts it: after its boot an Ollama and a gateway beside
//! it. Told to end, the gateway drains first; when the demo is gone, so is the machine.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use rustix::process::{Pid, test_kill_process};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::keep::signalled;
use crate::up::child::{Child, any_end};
use crate::up::place::Place;
use crate::up::{DRAIN, LIFELINE, NODE_CONFIG, gateway_program, upstream};

/// Where the machines' folders are.
const NODES: &str = "nodes";

/// The file in a machine's folder that says its gateway's process id.
const PID: &str = "gateway.pid";

/// The machines of the demo in this folder: name and process id of each gateway that lives.
pub(crate) fn living(directory: &Path) -> BTreeMap<String, u32> {
    let folders = std::fs::read_dir(directory.join(NODES)).into_iter().flatten().flatten();
    let read = |folder: DirEntry| {
        let pid: i32 = std::fs::read_to_string(folder.path().join(PID)).ok()?.parse().ok()?;
        test_kill_process(Pid::from_raw(pid)?).ok()?;
        Some((folder.file_name().into_string().ok()?, pid.unsigned_abs()))
    };
    folders.filter_map(read).collect()
}

/// What `demo machine` is told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The instance's name, under which its gateway reports.
    #[arg(long)]
    id: String,
    /// Where its gateway listens.
    #[arg(long)]
    address: SocketAddr,
    /// The demo's folder.
    #[arg(long, value_name = "FOLDER")]
    directory: PathBuf,
    /// The gateway program; by default the one beside this program.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// How long the machine takes until its programs start.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    boot_seconds: f64,
    /// A simulated Ollama even where a real one is there.
    #[arg(long)]
    simulated: bool,
}

/// Runs the machine until a signal, or the end of the demo.
///
/// # Errors
/// When there is no demo in the folder, or one of its programs ends by itself.
pub async fn machine(options: Options) -> anyhow::Result<()> {
    let mut lifeline = UnixStream::connect(options.directory.join(LIFELINE))
        .await
        .with_context(|| format!("no demo runs in {}", options.directory.display()))?;
    let mut children = Vec::new();
    let outcome = tokio::select! {
        outcome = Box::pin(run(&options, &mut children)) => outcome,
        () = signalled() => Ok(()),
        // Nothing is ever sent: the read ends with the demo.
        _ = lifeline.read_u8() => Ok(()),
    };
    // The gateway drains while its Ollama still answers.
    while let Some(child) = children.pop() {
        child.stop(Duration::from_secs(DRAIN + 2)).await;
    }
    outcome
}

async fn run(options: &Options, children: &mut Vec<Child>) -> anyhow::Result<()> {
    let place = Place::prepare(&options.directory.join(NODES).join(&options.id))?;
    tokio::time::sleep(Duration::try_from_secs_f64(options.boot_seconds).context("--boot-seconds")?).await;
    let ollama = upstream::find(&place, options.simulated, children).await?;
    let config = options.directory.join(NODE_CONFIG);
    if !config.is_file() {
        bail!("{} is missing; `demo up` writes it", config.display());
    }
    let environment = [
        ("GATEWAY__LISTEN__ADDRESS", options.address.to_string()),
        ("GATEWAY__FLEET__ADDRESS", options.address.to_string()),
        ("GATEWAY__FLEET__NODE", options.id.clone()),
        ("GATEWAY__OLLAMA__URL", ollama.url),
    ];
    let program = gateway_program(options.gateway.as_deref())?;
    let arguments = ["--config".into(), config.into_os_string()];
    let gateway = Child::kept("gateway", &program, &arguments, &environment, &place, DRAIN).await?;
    place.write(PID, &gateway.pid.to_string())?;
    children.push(gateway);
    Err(any_end(children).await)
}
