//! A process of the fleet: started by the launcher, so that it never outlives its test, and ended as hard as the test likes.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// One front or scaler.
pub struct Process {
    pub pid: u32,
    child: Child,
    log: PathBuf,
    /// Where in the log it began: its predecessors have the same.
    from: usize,
}

impl Process {
    /// Starts `program --config <config>`; its log is `<name>.log` in the folder.
    pub fn start(folder: &Path, name: &str, program: &Path, config: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let from = fs::read(&log).unwrap_or_default().len();
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new("/bin/sh");
        command.arg(folder.join("launch.sh")).arg(folder).arg(program).arg("--config").arg(config);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        Self { pid: child.id(), child, log, from }
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has said.
    pub fn log(&self) -> String {
        let all = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&all[self.from..]).into_owned()
    }

    /// How often it said that.
    pub fn said(&self, message: &str) -> usize {
        self.log().matches(&format!("\"message\":\"{message}")).count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this test's fleet has started.
pub fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Is there a process of this number that still runs?
pub fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

/// Waits for the end of processes that have been killed.
pub fn bury(pids: &[u32]) {
    let begun = Instant::now();
    while pids.iter().any(|pid| lives(*pid)) && begun.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An address that nobody has. Below the ports that the kernel gives to those who name none: the clients and Ollamas of
/// other tests take hundreds of those while a process of ours is about to start.
pub fn free_address() -> SocketAddr {
    loop {
        let at = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id()) % 11_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(21_000 + at).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The program of that name beside `demo`.
pub fn program(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_demo")).with_file_name(name);
    assert!(
        program.is_file(),
        "{} is missing; `cargo build -p gateway -p scaler` makes it",
        program.display()
    );
    program
}
