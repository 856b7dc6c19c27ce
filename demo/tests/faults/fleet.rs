//! A fleet of a test: an issuer, fronts and scalers as processes, and nodes that the scaler starts.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::fleet::store::{SqliteStore, Store};
use demo::issuer::{Claims, Issuer};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::ask::Caller;
use crate::machines::{self, Boot, MODEL, Machines, Pace};
use crate::process::{Process, bury, free_address, program};
use crate::view::View;

/// Longest that anything may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// The name of the fleet in its table.
pub const NAME: &str = "faults";

/// What a fleet is made of.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub min: u32,
    pub max: u32,
    pub fronts: usize,
    pub scalers: usize,
    pub idle_minutes: f64,
    /// When a leaving node cuts what still runs.
    pub drain_seconds: u32,
    pub pace: Pace,
    pub boot: Boot,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            min: 0,
            max: 1,
            fronts: 1,
            scalers: 1,
            idle_minutes: 60.0,
            drain_seconds: 100,
            pace: Pace { slots: 4, words: 20, speed: 50.0 },
            boot: Boot::Well(Duration::ZERO),
        }
    }
}

/// A running fleet. Dropped, all of it dies.
pub struct Fleet {
    pub fronts: Vec<Process>,
    pub scalers: Vec<Process>,
    pub machines: Arc<Machines>,
    pub store: SqliteStore,
    pub caller: Caller,
    addresses: Vec<SocketAddr>,
    watching: JoinHandle<()>,
    lifeline: Option<File>,
    issuer: Issuer,
    folder: TempDir,
}

impl Fleet {
    /// Starts it, and waits until its fronts serve and somebody leads.
    pub async fn start(setting: Setting) -> Self {
        let folder = TempDir::new().unwrap();
        let lifeline = lifeline(folder.path());
        let issuer = Issuer::start().await.unwrap();
        let token = issuer.token(&Claims::oidc("somebody").audience("ollama").expires_in(3600)).unwrap();
        let store = SqliteStore::open(&folder.path().join("fleet.db")).unwrap();
        let (machines, watching) = Machines::watch(folder.path(), setting.pace, setting.boot);
        let mut fleet = Self {
            fronts: Vec::new(),
            scalers: Vec::new(),
            machines,
            store,
            caller: Caller::new(token, setting.pace.words),
            addresses: Vec::new(),
            watching,
            lifeline: Some(lifeline),
            folder,
            issuer,
        };
        fleet.write_configuration(&setting);
        for at in 0..setting.fronts {
            fleet.addresses.push(free_address());
            let process = fleet.front(at);
            fleet.fronts.push(process);
        }
        for at in 0..setting.scalers {
            let process = fleet.scaler(at);
            fleet.scalers.push(process);
        }
        for at in 0..setting.fronts {
            fleet.serves(at).await;
        }
        fleet.until("a scaler leads", |view| view.leader()).await;
        fleet
    }

    fn write_configuration(&self, setting: &Setting) {
        let write = |name: &str, text: String| fs::write(self.file(name), text).unwrap();
        let common = common(&self.issuer.url(), self.folder.path(), setting);
        write("front.toml", common.clone());
        let pace = setting.pace;
        write(
            "node.toml",
            format!("{common}\n[ollama]\nparallel = {}\nmodels = [\"{MODEL}\"]\n", pace.slots),
        );
        write("scaler.toml", scaler(self.folder.path(), setting));
        write("launch.sh", include_str!("launch.sh").to_owned());
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the front of that number, on its port.
    pub fn front(&self, at: usize) -> Process {
        let listen = format!("[listen]\naddress = \"{}\"\nadmin = \"127.0.0.1:0\"\n", self.addresses[at]);
        let named = format!("[fleet]\nname = \"{NAME}\"\nnode = \"front-{at}\"\nboot_estimate_seconds = 3\n");
        let config = self.file(&format!("front-{at}.toml"));
        fs::write(&config, fs::read_to_string(self.file("front.toml")).unwrap() + &listen + &named).unwrap();
        Process::start(self.folder.path(), &format!("front-{at}"), &program("gateway"), &config)
    }

    /// Starts the scaler of that number.
    pub fn scaler(&self, at: usize) -> Process {
        let (folder, config) = (self.folder.path(), self.file("scaler.toml"));
        Process::start(folder, &format!("scaler-{at}"), &program("scaler"), &config)
    }

    /// Kills the scaler that leads.
    pub fn kill_leader(&mut self, pid: u32) {
        self.scalers.iter_mut().find(|scaler| scaler.pid == pid).expect("the leader is ours").kill();
    }

    /// Who has signed the caller's token.
    pub fn issuer(&self) -> String {
        self.issuer.url()
    }

    /// Where a front is reached.
    pub fn url(&self, front: usize) -> String {
        format!("https://{}", self.addresses[front])
    }

    /// Waits until a front serves.
    pub async fn serves(&self, front: usize) {
        let begun = Instant::now();
        while self.fronts[front].said("serving") == 0 {
            assert!(begun.elapsed() < PATIENCE, "front {front} does not serve: {}", self.fronts[front].log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The fleet now.
    pub async fn view(&self) -> View {
        let records = self.store.reports(NAME, Timestamp::now().as_second()).await.unwrap();
        let (state, lease) = (self.store.state(NAME).await.unwrap(), self.store.lease(NAME).await.unwrap());
        let folder = self.folder.path();
        View {
            notes: machines::notes(folder),
            desired: machines::desired(folder).unwrap_or(0),
            launched: machines::launched(folder),
            ..View::new(records, state, lease)
        }
    }

    /// Looks until `reached` says something.
    pub async fn until<T>(&self, what: &str, mut reached: impl FnMut(&View) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let view = self.view().await;
            if let Some(found) = reached(&view) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}; the fleet is {view:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Looks for so long whether `holds` goes on holding.
    pub async fn stays(&self, what: &str, seconds: u64, holds: impl Fn(&View) -> bool) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            let view = self.view().await;
            assert!(holds(&view), "{what}; the fleet is {view:#?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until so many nodes serve.
    pub async fn ready(&self, nodes: usize) {
        self.until(&format!("{nodes} nodes serve"), |view| (view.ready() == nodes).then_some(())).await;
    }

    /// Holds the table against every other writer, until the connection is dropped.
    pub fn stall_store(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.file("fleet.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        connection
    }

    /// The last lines of every log, for whoever looks at a failure.
    #[expect(clippy::print_stderr, reason = "the harness shows what a failed test has printed")]
    fn tell_logs(&self) {
        let logs = [self.folder.path().to_owned(), self.file("machines")];
        let entries = logs.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        for path in
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|is| is == "log"))
        {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<_> =
                text.lines().filter(|line| !line.contains("\"message\":\"request\"")).collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- {}\n{last}", path.display());
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell_logs();
        }
        self.watching.abort();
        // Scalers first, or they would start anew what ends.
        self.scalers.clear();
        let pids: Vec<_> = machines::notes(self.folder.path()).into_iter().map(|note| note.pid).collect();
        drop(self.lifeline.take());
        bury(&pids);
    }
}

/// A pipe whose other ends see our end. Opened for both, since for writing alone it would wait for a reader.
fn lifeline(folder: &Path) -> File {
    let path = folder.join("lifeline");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    File::options().read(true).write(true).open(path).unwrap()
}

/// What all gateways are told. Limits stand in nobody's way here.
fn common(issuer: &str, folder: &Path, setting: &Setting) -> String {
    format!(
        r#"[[issuers]]
issuer = "{issuer}"
kind = "oidc"
audiences = ["ollama"]

[roles.user]
requests_per_minute = 100000
requests_burst = 100000
tokens_per_minute = 100000000
open_requests = 1000

[store]
kind = "sqlite"
path = {store}

[drain]
accept_for_seconds = 1
deadline_seconds = {drain}

"#,
        store = json!(folder.join("fleet.db")),
        drain = setting.drain_seconds,
    )
}

fn scaler(folder: &Path, setting: &Setting) -> String {
    let words =
        ["/bin/sh", "{launch}", "{folder}", "{gateway}", "--config", "{config}"].map(|word| match word {
            "{launch}" => json!(folder.join("launch.sh")),
            "{folder}" => json!(folder),
            "{gateway}" => json!(program("gateway")),
            "{config}" => json!(folder.join("node.toml")),
            word => json!(word),
        });
    format!(
        r#"[fleet]
name = "{NAME}"

[store]
kind = "sqlite"
path = {store}

[group]
kind = "local"
min = {min}
max = {max}
boot_seconds = 3
slots = {slots}

[group.local]
command = {command}
directory = {machines}
stop_seconds = {stop}

[group.local.environment]
NODE = "{{id}}"
GATEWAY__LISTEN__ADMIN = "127.0.0.1:0"
GATEWAY__FLEET__NAME = "{NAME}"
GATEWAY__FLEET__NODE = "{{id}}"

[policy]
idle_minutes = {idle}
"#,
        store = json!(folder.join("fleet.db")),
        min = setting.min,
        max = setting.max,
        slots = setting.pace.slots,
        command = json!(words),
        machines = json!(folder.join("machines")),
        stop = setting.drain_seconds + 5,
        idle = setting.idle_minutes,
    )
}
