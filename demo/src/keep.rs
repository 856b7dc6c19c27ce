//! A keeper: it runs one program and asks it to end when its own standard input does. The parent holds the other end
//! of that pipe, so that nothing is left behind even where the parent is killed outright.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Runs `program` (its output goes to standard error), says `pid <n>` on standard output, and stays until the program
/// ends, or ends it: SIGTERM, after `grace` SIGKILL.
///
/// # Errors
/// When the program cannot be started, or ended unasked and badly.
pub async fn keep(program: &[OsString], grace: Duration) -> anyhow::Result<()> {
    let (name, arguments) = program.split_first().context("no program to run")?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()))
        .spawn()
        .with_context(|| format!("starting {}", name.display()))?;
    say(&format!("pid {}", child.id().unwrap_or_default()))?;
    let ended = tokio::select! {
        ended = child.wait() => ended?,
        () = told_to_end() => return end(&mut child, grace).await,
    };
    if !ended.success() {
        bail!("{} ended with {ended}", name.display());
    }
    Ok(())
}

async fn end(child: &mut Child, grace: Duration) -> anyhow::Result<()> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended a moment ago.
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        child.kill().await.context("killing what would not end")?;
    }
    Ok(())
}

/// Resolves at the end of standard input, or at a signal.
pub(crate) async fn told_to_end() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: reading standard input cannot be called off, and an ending process does not wait for it.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    tokio::select! {
        _ = end => {}
        () = signalled() => {}
    }
}

/// Resolves at SIGINT or SIGTERM.
pub(crate) async fn signalled() {
    let wait = async |kind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

/// One line for the parent on standard output.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("writing to standard output")
}
