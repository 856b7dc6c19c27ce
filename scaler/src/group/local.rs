//! A group of processes on this machine: what an Auto Scaling group is to a fleet in AWS, for the demo and for tests.
//!
//! It behaves as the group in AWS does where decisions could tell the difference: it has bounds, replaces what ends by
//! itself, never picks an instance to end, and lowers desired when one is ended by name. `notes` are its files, so that
//! the next scaler finds what still runs after this one was killed; `process` is one process.

mod notes;
mod process;

use std::fs::File;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::{Description, Group, GroupError, Instance, LaunchRefusal};
use crate::config::settings::Local;
use crate::decide::observation::NodeId;
use notes::{Note, Notes};
use process::Process;

/// A process that ended so soon after its start was never a node: its command does not work.
const STILLBORN: Duration = Duration::from_secs(10);

/// After a launch that failed the next one waits for so long.
const PAUSE: Duration = Duration::from_secs(10);

/// A refusal is told for so many seconds.
const TOLD_FOR: i64 = 300;

/// What a local group is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What its instances' names begin with.
    pub name: String,
    /// Fewest.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// How one is started.
    pub local: Local,
}

/// Processes of this machine.
#[derive(Debug)]
pub struct LocalGroup {
    settings: Settings,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    notes: Notes,
    /// Held by the one process that starts and ends nodes here; the lock goes with the process.
    lock: Option<File>,
    watches: bool,
    /// Whether it is for this one to keep them, as far as it was told.
    leads: bool,
    desired: u32,
    processes: Vec<Process>,
    /// Children of ours that another keeps: to be waited for, or they would stay as zombies.
    lent: Vec<Process>,
    refusal: Option<LaunchRefusal>,
    paused_until: Option<Instant>,
}

impl LocalGroup {
    /// The group in that directory, with whatever still runs of it. Starts nothing yet.
    ///
    /// # Errors
    /// [`GroupError::Refused`] where the directory cannot be used.
    pub fn open(settings: Settings) -> Result<Self, GroupError> {
        Self::with(settings, false)
    }

    /// The same to look at only: nothing can be changed through it.
    ///
    /// # Errors
    /// As [`LocalGroup::open`].
    pub fn watch(settings: Settings) -> Result<Self, GroupError> {
        Self::with(settings, true)
    }

    fn with(settings: Settings, watches: bool) -> Result<Self, GroupError> {
        let notes = Notes::open(&settings.local.directory).map_err(|error| refused(&error))?;
        let inner = Inner {
            desired: settings.min,
            notes,
            lock: None,
            watches,
            leads: true,
            processes: Vec::new(),
            lent: Vec::new(),
            refusal: None,
            paused_until: None,
        };
        Ok(Self { settings, inner: Mutex::new(inner) })
    }

    /// Ends every process and waits for it: SIGTERM, and SIGKILL after the configured time or when `hurry` resolves.
    pub async fn close(&self, hurry: impl Future<Output = ()>) {
        let mut inner = self.inner.lock().await;
        if inner.lock.is_none() {
            // Another keeps what we once started.
            inner.lent.drain(..).for_each(Process::disown);
            return;
        }
        // The next scaler starts from nothing: these end because we say so.
        if let Err(error) = inner.set(0) {
            tracing::warn!(%error, "the end of the local group could not be noted");
        }
        inner.processes.iter_mut().for_each(Process::ask_to_end);
        let all_gone = async {
            while !inner.processes.is_empty() {
                inner.reap(self.settings.local.stop_seconds);
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = all_gone => {}
            () = hurry => {}
        }
        inner.processes.iter_mut().for_each(Process::kill);
        while !inner.processes.is_empty() {
            inner.reap(Duration::ZERO);
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Inner {
    /// Becomes the keeper, if nobody else is one.
    fn keep(&mut self, settings: &Settings) -> Result<(), GroupError> {
        if self.lock.is_some() {
            return Ok(());
        }
        if self.watches {
            return Err(GroupError::Refused("this process only looks at the local group".to_owned()));
        }
        let lock = self.notes.lock().map_err(|error| refused(&error))?;
        self.lock = Some(lock.ok_or_else(|| {
            GroupError::Busy("another scaler on this machine keeps these processes".to_owned())
        })?);
        self.desired = self.notes.desired().unwrap_or(0).clamp(settings.min, settings.max);
        self.adopt();
        Ok(())
    }

    /// Leaves them to another: they run on, and are found by their notes.
    fn lend(&mut self) {
        self.lock = None;
        self.lent.append(&mut self.processes);
        self.lent.retain_mut(|process| process.ended(Duration::MAX).is_none());
    }

    /// What a scaler before us started and what still runs.
    fn adopt(&mut self) {
        for note in self.notes.read() {
            let ours = self.lent.iter().position(|process| process.id == note.id);
            match ours.map(|at| self.lent.swap_remove(at)).or_else(|| Process::adopt(&note)) {
                Some(process) => {
                    tracing::info!(node = note.id, pid = note.pid, "found a node that still runs");
                    self.processes.push(process);
                }
                None => self.notes.remove(&note.id),
            }
        }
    }

    /// Takes note of what has ended, and kills what has not ended in time.
    fn reap(&mut self, stop_after: Duration) {
        let (mut running, mut ended) = (Vec::new(), Vec::new());
        for mut process in self.processes.drain(..) {
            match process.ended(stop_after) {
                Some(how) => ended.push((process, how)),
                None => running.push(process),
            }
        }
        self.processes = running;
        for (process, how) in ended {
            self.notes.remove(&process.id);
            if process.is_stopping() {
                tracing::info!(node = process.id, how, "a node has ended");
                continue;
            }
            tracing::warn!(node = process.id, how, "a node has ended by itself");
            if process.age() < STILLBORN {
                let log = self.notes.log(&process.id);
                self.refuse(format!("the node's command ended at once ({how}); see {}", log.display()));
            }
        }
    }

    fn refuse(&mut self, why: String) {
        tracing::warn!(why, "a launch failed");
        self.refusal = Some(LaunchRefusal { at: Timestamp::now().as_second(), why });
        self.paused_until = Some(Instant::now() + PAUSE);
    }

    fn living(&self) -> u32 {
        self.processes.iter().filter(|process| !process.is_stopping()).count() as u32
    }

    /// Starts what is missing.
    fn fill(&mut self, settings: &Settings) {
        while self.living() < self.desired && self.paused_until.is_none_or(|until| until <= Instant::now()) {
            match self.launch(settings) {
                Ok(process) => self.processes.push(process),
                Err(error) => self.refuse(format!("{}: {error}", settings.local.command[0])),
            }
        }
    }

    fn launch(&self, settings: &Settings) -> std::io::Result<Process> {
        let id = format!("{}-{:08x}", settings.name, fastrand::u32(..));
        let log = self.notes.create_log(&id)?;
        // Noted before and after: whenever we die, the next scaler finds what was started.
        let launched_at = Timestamp::now().as_second();
        self.notes.write(&Note { id: id.clone(), pid: 0, started: None, launched_at })?;
        let process = Process::start(&id, &settings.local, log).inspect_err(|_| self.notes.remove(&id))?;
        self.notes.write(&process.note())?;
        tracing::info!(node = id, pid = process.pid, "started a node");
        Ok(process)
    }

    fn set(&mut self, desired: u32) -> Result<(), GroupError> {
        self.desired = desired;
        self.notes.write_desired(desired).map_err(|error| refused(&error))
    }

    fn find(&mut self, id: &NodeId) -> Result<&mut Process, GroupError> {
        let name = id.to_string();
        let found = self.processes.iter_mut().find(|process| process.id == name && !process.is_stopping());
        found.ok_or_else(|| GroupError::Gone(format!("instance `{id}`")))
    }
}

fn refused(error: &std::io::Error) -> GroupError {
    GroupError::Refused(format!("group.local.directory: {error}"))
}

#[async_trait]
impl Group for LocalGroup {
    async fn keep(&self, leads: bool) {
        let mut inner = self.inner.lock().await;
        inner.leads = leads;
        if !leads {
            inner.lend();
        }
    }

    async fn describe(&self) -> Result<Description, GroupError> {
        let mut inner = self.inner.lock().await;
        let instances = if inner.leads && inner.keep(&self.settings).is_ok() {
            inner.reap(self.settings.local.stop_seconds);
            inner.fill(&self.settings);
            inner.processes.iter().map(Process::instance).collect()
        } else {
            inner.desired = inner.notes.desired().unwrap_or(self.settings.min);
            inner.notes.read().iter().filter_map(watched).collect()
        };
        let now = Timestamp::now().as_second();
        Ok(Description {
            min: self.settings.min,
            max: self.settings.max,
            desired: inner.desired,
            instances,
            warm: None,
            refreshing: false,
            refusal: inner.refusal.clone().filter(|refusal| now - refusal.at < TOLD_FOR),
        })
    }

    async fn set_desired(&self, desired: u32) -> Result<(), GroupError> {
        let mut inner = self.inner.lock().await;
        inner.keep(&self.settings)?;
        let (min, max) = (self.settings.min, self.settings.max);
        if !(min..=max).contains(&desired) {
            return Err(GroupError::Refused(format!("desired {desired} is not within {min} to {max}")));
        }
        inner.set(desired)?;
        inner.fill(&self.settings);
        Ok(())
    }

    async fn terminate(&self, instance: &NodeId) -> Result<(), GroupError> {
        let mut inner = self.inner.lock().await;
        inner.keep(&self.settings)?;
        if inner.desired <= self.settings.min {
            return Err(GroupError::Refused("desired would fall below the minimum".to_owned()));
        }
        inner.find(instance)?.ask_to_end();
        let desired = inner.desired - 1;
        inner.set(desired)
    }

    async fn mark_unhealthy(&self, instance: &NodeId) -> Result<(), GroupError> {
        let mut inner = self.inner.lock().await;
        inner.keep(&self.settings)?;
        inner.find(instance)?.ask_to_end();
        inner.fill(&self.settings);
        Ok(())
    }
}

/// As one sees it who only watches.
fn watched(note: &Note) -> Option<Instance> {
    Process::adopt(note).map(|process| process.instance())
}

#[cfg(test)]
mod tests;
