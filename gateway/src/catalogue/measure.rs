//! What room this machine has for models: GPU memory, asked once of the driver's own program, and free disk.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::config::settings::Ollama;

/// Of the driver: one line of MiB for each GPU.
const PROGRAM: &str = "nvidia-smi";
const QUESTION: [&str; 2] = ["--query-gpu=memory.total", "--format=csv,noheader,nounits"];
/// It loads the driver where nobody has: some seconds.
const ASKED_WITHIN: Duration = Duration::from_secs(30);
/// How often free disk is looked at: models come and go by people's hands.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Nobody knows.
const UNKNOWN: u64 = u64::MAX;

/// The room of this machine, as far as it is known.
pub struct Measured {
    gpu_memory: AtomicU64,
    disk_free: AtomicU64,
}

impl Default for Measured {
    fn default() -> Self {
        Self { gpu_memory: AtomicU64::new(UNKNOWN), disk_free: AtomicU64::new(UNKNOWN) }
    }
}

impl Measured {
    /// Bytes of all GPUs together; `None` where there is none, or nobody can tell.
    pub fn gpu_memory(&self) -> Option<u64> {
        known(&self.gpu_memory)
    }

    /// Bytes free where models are kept.
    pub fn disk_free(&self) -> Option<u64> {
        known(&self.disk_free)
    }

    /// Measures for ever: the GPU once, the disk again and again.
    pub async fn run(&self, ollama: &Ollama) {
        let gpu = async {
            let memory = match ollama.gpu_memory_bytes {
                Some(memory) => Some(memory),
                None => gpu_memory(Command::new(PROGRAM)).await,
            };
            self.gpu_memory.store(memory.unwrap_or(UNKNOWN), Relaxed);
        };
        let disk = async {
            let Some(folder) = &ollama.models_directory else { return };
            loop {
                self.disk_free.store(disk_free(folder).await.unwrap_or(UNKNOWN), Relaxed);
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::join!(gpu, disk);
    }
}

fn known(value: &AtomicU64) -> Option<u64> {
    Some(value.load(Relaxed)).filter(|value| *value != UNKNOWN)
}

/// What the driver's program says of the GPUs. A machine without one has no such program.
async fn gpu_memory(mut ask: Command) -> Option<u64> {
    ask.args(QUESTION).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let memory = match timeout(ASKED_WITHIN, ask.output()).await {
        Ok(Ok(said)) if said.status.success() => in_bytes(&String::from_utf8_lossy(&said.stdout)),
        _ => None,
    };
    match memory {
        Some(bytes) => tracing::info!(bytes, "the GPU's memory is known"),
        None => tracing::debug!("no GPU has told its memory"),
    }
    memory
}

/// Lines of MiB; `None` where one of them is no number, as in `[N/A]`.
fn in_bytes(said: &str) -> Option<u64> {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let mebibytes: u64 = lines.map(|line| line.parse::<u32>().ok().map(u64::from)).sum::<Option<u64>>()?;
    (mebibytes > 0).then_some(mebibytes << 20)
}

/// Bytes that an ordinary user may still write; off the runtime's thread, since a sick disk may not answer.
async fn disk_free(folder: &Path) -> Option<u64> {
    let path = folder.to_owned();
    let look = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&path));
    match look.await.ok()? {
        Ok(disk) => Some(disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => {
            tracing::debug!(folder = %folder.display(), %error, "free disk is not known");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_lines_are_added_up() {
        assert_eq!(in_bytes("15360\n"), Some(15_360 << 20));
        assert_eq!(
            in_bytes("15360\n15360\n\n"),
            Some(30_720 << 20),
            "Ollama spreads a model over all of them"
        );
        for nothing in ["", "\n", "[N/A]\n", "15360\n[N/A]\n", "0\n", "No devices were found\n", "-5\n"] {
            assert_eq!(in_bytes(nothing), None, "{nothing:?}");
        }
    }

    #[tokio::test]
    async fn the_program_is_asked_for_memory_alone() {
        let script = |text: &str| {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", text, "nvidia-smi"]);
            shell
        };
        let asked = r#"[ "$*" = "--query-gpu=memory.total --format=csv,noheader,nounits" ] && echo 23034"#;
        assert_eq!(gpu_memory(script(asked)).await, Some(23_034 << 20));
        assert_eq!(gpu_memory(script("echo 23034; exit 9")).await, None);
        assert_eq!(gpu_memory(Command::new("/nonexistent/nvidia-smi")).await, None);
    }

    #[tokio::test]
    async fn free_disk_is_known_where_there_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let free = disk_free(folder.path()).await;
        assert!(free.is_some_and(|free| free < 1 << 50), "{free:?}");
        assert_eq!(disk_free(&folder.path().join("absent")).await, None);
    }

    #[tokio::test]
    async fn what_is_configured_is_not_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let ollama = Ollama {
            gpu_memory_bytes: Some(99),
            models_directory: Some(folder.path().to_owned()),
            ..Ollama::default()
        };
        let measured = Measured::default();
        assert_eq!((measured.gpu_memory(), measured.disk_free()), (None, None), "nothing yet");
        let known = async {
            while measured.gpu_memory().is_none() || measured.disk_free().is_none() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = measured.run(&ollama) => unreachable!("it looks for ever"),
            done = timeout(Duration::from_secs(30), known) => done.unwrap(),
        }
        assert_eq!(measured.gpu_memory(), Some(99));
    }
}
