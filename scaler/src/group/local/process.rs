//! One node as a process: started, watched, asked to end, killed.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::notes::Note;
use crate::config::settings::Local;
use crate::decide::observation::NodeId;
use crate::group::{Instance, Life};

/// The variable by which a node is found whose scaler died before it could note its number.
const MARK: &str = "SCALER_NODE";

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    /// The node's name.
    pub(super) id: String,
    /// The process's number.
    pub(super) pid: u32,
    started: Option<u64>,
    launched_at: i64,
    seen_at: Instant,
    /// `None`: another scaler's child. Ours is killed when this is dropped.
    child: Option<Child>,
    stopping_since: Option<Instant>,
}

impl Process {
    /// Starts one, in a process group of its own: Ctrl-C in a terminal is for the scaler, which ends its nodes in order.
    pub(super) fn start(id: &str, local: &Local, log: File) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let fill = |text: &str| {
            let address = format!("127.0.0.1:{port}");
            text.replace("{id}", id).replace("{port}", &port.to_string()).replace("{address}", &address)
        };
        let mut words = local.command.iter().map(|word| fill(word));
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(program);
        command
            .args(words)
            .env(MARK, id)
            .envs(local.environment.iter().map(|(name, value)| (name, fill(value))));
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        Ok(Self {
            id: id.to_owned(),
            pid,
            started: started(pid),
            launched_at: Timestamp::now().as_second(),
            seen_at: Instant::now(),
            child: Some(child),
            stopping_since: None,
        })
    }

    /// The process of a note, if it is still the same. A note without a number was written right before the start: if
    /// its scaler died then, the process is found by its mark.
    pub(super) fn adopt(note: &Note) -> Option<Self> {
        let found = if note.pid == 0 { find(note)? } else { note.clone() };
        let note = &found;
        let still = note.started.is_some() && started(note.pid) == note.started;
        still.then(|| Self {
            id: note.id.clone(),
            pid: note.pid,
            started: note.started,
            launched_at: note.launched_at,
            seen_at: Instant::now(),
            child: None,
            stopping_since: None,
        })
    }

    pub(super) fn note(&self) -> Note {
        Note { id: self.id.clone(), pid: self.pid, started: self.started, launched_at: self.launched_at }
    }

    pub(super) fn instance(&self) -> Instance {
        Instance {
            id: NodeId::new(&self.id),
            life: if self.is_stopping() { Life::Terminating } else { Life::InService },
            launched_at: Some(self.launched_at),
            healthy: true,
            protected: true,
        }
    }

    /// Since we know it.
    pub(super) fn age(&self) -> Duration {
        self.seen_at.elapsed()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping_since.is_some()
    }

    /// SIGTERM: it drains and ends.
    pub(super) fn ask_to_end(&mut self) {
        self.stopping_since.get_or_insert_with(Instant::now);
        self.signal(Signal::TERM);
    }

    /// SIGKILL: it ends now.
    pub(super) fn kill(&mut self) {
        self.stopping_since.get_or_insert_with(Instant::now);
        self.signal(Signal::KILL);
    }

    /// It lives on when this is dropped.
    pub(super) fn disown(self) {
        std::mem::forget(self.child);
    }

    /// Only to the process we mean: one that has ended is not signalled, since its number may be another's by now.
    fn signal(&mut self, signal: Signal) {
        let alive = match &mut self.child {
            Some(child) => child.id().is_some(),
            None => started(self.pid) == self.started,
        };
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| alive) {
            let _ = kill_process(pid, signal);
        }
    }

    /// How it ended, if it has. One that has not ended `stop_after` it was asked to is killed.
    pub(super) fn ended(&mut self, stop_after: Duration) -> Option<String> {
        if self.stopping_since.is_some_and(|since| since.elapsed() >= stop_after) {
            self.kill();
        }
        match &mut self.child {
            Some(child) => match child.try_wait() {
                Ok(Some(status)) => Some(status.to_string()),
                Ok(None) => None,
                Err(error) => Some(error.to_string()),
            },
            None => (started(self.pid) != self.started).then(|| "it is gone".to_owned()),
        }
    }
}

/// The leader of a process group that carries the node's mark. Its children carry it too and lead none.
fn find(note: &Note) -> Option<Note> {
    let mark = format!("{MARK}={}", note.id);
    let numbers = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let marked = environment.split(|byte| *byte == 0).any(|one| one == mark.as_bytes());
        marked && field(*pid, GROUP).and_then(|group| group.parse().ok()) == Some(*pid)
    })?;
    Some(Note { pid, started: started(pid), ..note.clone() })
}

/// When the process with this number began, in the kernel's ticks since it booted; `None` where there is none, or no
/// Linux. A dead child that nobody has waited for counts as none.
fn started(pid: u32) -> Option<u64> {
    if field(pid, STATE)? == "Z" { None } else { field(pid, STARTED)?.parse().ok() }
}

/// Fields of `/proc/PID/stat` behind the name, counted from 0 (`proc_pid_stat(5)`, fields 3, 5 and 22).
const STATE: usize = 0;
const GROUP: usize = 2;
const STARTED: usize = 19;

fn field(pid: u32, at: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; behind it the fields are plain.
    stat.rsplit_once(')')?.1.split_whitespace().nth(at).map(str::to_owned)
}
