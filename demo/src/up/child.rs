//! Processes of the demo. Each holds the reading end of a pipe from us and ends when that closes, so that none
//! outlives us, whatever ends us.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::place::Place;

/// A running process, and what we know it by.
pub(crate) struct Child {
    pub(crate) role: &'static str,
    pub(crate) pid: u32,
    process: tokio::process::Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Child {
    /// Starts this very program with other arguments.
    pub(crate) fn ourselves(
        role: &'static str,
        arguments: &[OsString],
        place: &Place,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        Self::start(role, Command::new(program).args(arguments), place)
    }

    /// Starts any program under a keeper that asks it to end within `grace` seconds.
    pub(crate) async fn kept(
        role: &'static str,
        program: &Path,
        arguments: &[OsString],
        environment: &[(&str, String)],
        place: &Place,
        grace: u64,
    ) -> anyhow::Result<Self> {
        let keeper = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(keeper);
        command.args(["keep", "--grace", &grace.to_string(), "--"]).arg(program).args(arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = Self::start(role, &mut command, place)?;
        let pid = child.says("pid").await?;
        child.pid = pid.parse().with_context(|| format!("{pid:?} is no process id"))?;
        Ok(child)
    }

    fn start(role: &'static str, command: &mut Command, place: &Place) -> anyhow::Result<Self> {
        let log = place.file(&format!("{role}.log"));
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        // A group of its own: Ctrl-C in the terminal is for us alone, who end the others in order.
        let command = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut process = command.spawn().with_context(|| format!("starting the {role}"))?;
        let output = process.stdout.take().context("a pipe for its output")?;
        let (input, pid) = (process.stdin.take(), process.id().unwrap_or_default());
        Ok(Self { role, pid, process, input, lines: BufReader::new(output).lines(), log })
    }

    /// The rest of its next line, which must begin with `word`.
    pub(crate) async fn says(&mut self, word: &str) -> anyhow::Result<String> {
        let line = self.lines.next_line().await.ok().flatten();
        let rest = line.as_deref().and_then(|line| line.strip_prefix(word)?.strip_prefix(' '));
        rest.map(str::to_owned).ok_or_else(|| self.failure("did not start"))
    }

    fn failure(&self, how: &str) -> anyhow::Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        anyhow!("the {} {how}; its last lines in {}:\n{last}", self.role, self.log.display())
    }

    /// Asks it to end; kills it if it has not after `patience`.
    pub(crate) async fn stop(mut self, patience: Duration) {
        drop(self.input.take());
        if tokio::time::timeout(patience, self.process.wait()).await.is_err() {
            // Nothing more can be done about one that does not die.
            let _ = self.process.kill().await;
        }
    }
}

/// Resolves when one of them has ended, which none should.
pub(crate) async fn any_end(children: &mut [Child]) -> anyhow::Error {
    loop {
        for child in children.iter_mut() {
            if let Ok(Some(status)) = child.process.try_wait() {
                return child.failure(&format!("ended ({status})"));
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
