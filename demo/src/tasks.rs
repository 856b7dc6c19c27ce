//! Tasks that end with their owner, so that a test leaves nothing running.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What one stand-in has spawned. Clones spawn into the same group; [`Tasks::end`] stops all of it.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    ended: CancellationToken,
}

impl Tasks {
    /// A group inside this one: it ends with its parent, or alone.
    pub(crate) fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), ended: self.ended.child_token() }
    }

    /// Runs `work` until it is done or the group ends.
    pub(crate) fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let ended = self.ended.clone();
        self.tracker.spawn(async move {
            ended.run_until_cancelled_owned(work).await;
        });
    }

    /// Drops every task of the group at its next turn.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    /// [`Tasks::end`], and waits until all of it is dropped: listeners closed, ports free.
    pub(crate) async fn end_and_wait(&self) {
        self.end();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
