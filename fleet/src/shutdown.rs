//! How a process leaves: first it is told to drain, then to stop, and it waits for its tasks.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Every task of the process, and the two words that end them. Clones share both, also across runtimes.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Tasks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` on the current runtime; [`Tasks::finished`] waits for it. It should watch [`Tasks::draining`] or
    /// [`Tasks::stopping`]: nothing ends it by force.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        spawn_untracked(self.tracker.track_future(task))
    }

    /// Runs `task` on the current runtime until it ends or [`Tasks::stopping`] is cancelled. Nobody waits for it: for
    /// work that has no end of its own, and that a draining process still needs.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        drop(spawn_untracked(async move {
            stopping.run_until_cancelled(task).await;
        }));
    }

    /// Cancelled when the process should finish what it has and take nothing new.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Cancelled when the process should end at once, whatever is still open.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Begins to drain. Again does nothing.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Stops, and drains where that has not begun.
    pub fn stop(&self) {
        self.draining.cancel();
        self.stopping.cancel();
    }

    /// Waits until no task is left. Bound it by a deadline, and call [`Tasks::stop`] when that passes.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Tasks that have not ended.
    pub fn open(&self) -> usize {
        self.tracker.len()
    }
}

/// From now on the first SIGTERM or SIGINT drains, the second stops. Runs on the current runtime, and as long as it.
///
/// # Errors
/// Where the operating system refuses the handlers.
///
/// # Panics
/// Outside a Tokio runtime.
pub fn listen(tasks: &Tasks) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let tasks = tasks.clone();
    // Untracked: it waits for ever, and nobody should wait for it.
    spawn_untracked(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if tasks.draining.is_cancelled() {
                tracing::warn!(signal = name, "a second signal: stopping at once");
                tasks.stop();
            } else {
                tracing::info!(signal = name, "draining; a second signal stops at once");
                tasks.drain();
            }
        }
    });
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one door to new tasks")]
fn spawn_untracked<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(task)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn tasks_of_all_runtimes_are_waited_for() {
        let tasks = Tasks::new();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let elsewhere = std::thread::spawn({
            let tasks = tasks.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let draining = tasks.draining().clone();
                    let task = tasks.spawn(async move { draining.cancelled().await });
                    begun.send(()).unwrap();
                    task.await.unwrap();
                });
            }
        });
        has_begun.recv().unwrap();
        assert_eq!(tasks.open(), 1);
        tasks.drain();
        tasks.finished().await;
        assert!(!tasks.stopping().is_cancelled());
        elsewhere.join().unwrap();
    }

    #[tokio::test]
    async fn stopping_drains_too() {
        let tasks = Tasks::new();
        tasks.stop();
        assert!(tasks.draining().is_cancelled() && tasks.stopping().is_cancelled());
    }

    #[tokio::test]
    async fn background_work_ends_with_the_process_and_is_not_waited_for() {
        let tasks = Tasks::new();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn_background(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        tasks.drain();
        tasks.finished().await;
        tasks.stop();
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn the_first_signal_drains_and_the_second_stops() {
        let tasks = Tasks::new();
        listen(&tasks).unwrap();
        let tell = || {
            let own = std::process::id().to_string();
            assert!(Command::new("kill").args(["-TERM", &own]).status().unwrap().success());
        };
        tell();
        tasks.draining().cancelled().await;
        // The same signal twice within one wake-up would count once.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!tasks.stopping().is_cancelled());
        tell();
        tasks.stopping().cancelled().await;
        tasks.finished().await;
    }
}
