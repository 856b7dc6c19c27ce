//! A child process and what it forks, ended on drop.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// A running program.
pub struct Process(Child);

impl Process {
    /// Starts `program arguments… file`; what it says goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], file: &Path, log: &Path) -> anyhow::Result<Self> {
        let says = File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(says.try_clone()?)
            .stderr(says)
            .spawn()
            .with_context(|| {
                format!("{}; scripts/bench.sh installs and builds what is missing", program.display())
            })?;
        Ok(Self(child))
    }

    /// Itself and its children.
    pub fn family(&self) -> Vec<u32> {
        let own = self.0.id();
        let children =
            std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        std::iter::once(own).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }
}

impl Drop for Process {
    /// SIGTERM first (nginx's master must tell its workers), SIGKILL to what drains too long.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
