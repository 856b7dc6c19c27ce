//! A thread that owns a connection and does what closures ask of it.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Jobs waiting at once; further callers wait for a place. A job takes well under a millisecond, so a full channel is
/// a database that hangs.
const WAITING: usize = 1024;

/// The sending side. The thread ends when the last clone is gone.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    pub(super) fn start(name: &str, mut connection: Connection) -> Result<Self, StoreError> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Some(job) = waiting.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { jobs })
    }

    /// Runs `work` on the thread. A caller that leaves early does not undo it.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("its thread has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(answer.send(work(connection))));
        self.jobs.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(fault)
    }
}

/// Is it the file that is wrong, or the moment?
pub(super) fn fault(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    if let rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::ToSqlConversionFailure(_) = error
    {
        return StoreError::Unreadable(error.to_string());
    }
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => StoreError::Unreadable(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}
