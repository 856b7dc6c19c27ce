//! Where objects lie: a folder, or a bucket. All that the archive asks of either is to get, put and remove one.

use std::fmt;
use std::os::unix::fs::DirBuilderExt;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::ArchiveError;

/// What an object was when it was read: whoever writes in its place says so.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// Whatever is there goes.
    Anything,
    /// There was none.
    Nothing,
    /// This one.
    Version(UpdateVersion),
}

/// Objects by name.
#[async_trait]
pub(super) trait Shelf: fmt::Debug + Send + Sync {
    /// What is in an object, if there is one, and which it was.
    async fn get(&self, name: &str) -> Result<(Option<Bytes>, Seen), ArchiveError>;

    /// Writes an object in one step. Where the place can tell, only in the place of what was seen.
    async fn put(&self, name: &str, bytes: Bytes, seen: Seen) -> Result<(), ArchiveError>;

    /// Removes an object; one that is not there is no fault.
    async fn delete(&self, name: &str) -> Result<(), ArchiveError>;
}

/// The place that a setting names.
pub(super) fn open(setting: &str) -> Result<Box<dyn Shelf>, ArchiveError> {
    let Some(place) = setting.strip_prefix("s3://") else { return folder(setting) };
    #[cfg(feature = "aws")]
    return super::s3::Bucket::new(place).map(|bucket| Box::new(bucket) as Box<dyn Shelf>);
    #[cfg(not(feature = "aws"))]
    Err(ArchiveError::Unusable(format!("this build has no S3 for `{place}`; build with `--features aws`")))
}

/// A folder, made for us alone where there is none.
fn folder(path: &str) -> Result<Box<dyn Shelf>, ArchiveError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| ArchiveError::Unusable(format!("{path}: {error}")))?;
    let files = LocalFileSystem::new_with_prefix(path);
    let files = files.map_err(|error| ArchiveError::Unusable(format!("{path}: {error}")))?;
    // On the disk before the table forgets it; no empty folder tells that somebody was here.
    let files = files.with_fsync(true).with_automatic_cleanup(true);
    Ok(Box::new(Objects { objects: files, tells_versions: false }))
}

/// Objects of the crate's kind.
#[derive(Debug)]
pub(super) struct Objects<O> {
    pub(super) objects: O,
    /// Can it write only in the place of what was seen? A folder cannot; there the pen alone keeps writers apart.
    pub(super) tells_versions: bool,
}

#[async_trait]
impl<O: ObjectStore> Shelf for Objects<O> {
    async fn get(&self, name: &str) -> Result<(Option<Bytes>, Seen), ArchiveError> {
        match self.objects.get(&path(name)?).await {
            Ok(found) => {
                let version =
                    UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                Ok((Some(found.bytes().await.map_err(fault)?), Seen::Version(version)))
            }
            Err(Error::NotFound { .. }) => Ok((None, Seen::Nothing)),
            Err(error) => Err(fault(error)),
        }
    }

    async fn put(&self, name: &str, bytes: Bytes, seen: Seen) -> Result<(), ArchiveError> {
        let mode = match seen {
            Seen::Nothing if self.tells_versions => PutMode::Create,
            Seen::Version(version) if self.tells_versions => PutMode::Update(version),
            _ => PutMode::Overwrite,
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.objects.put_opts(&path(name)?, bytes.into(), options).await {
            Ok(_) => Ok(()),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Err(ArchiveError::Changed),
            Err(error) => Err(fault(error)),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        match self.objects.delete(&path(name)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }
}

fn path(name: &str) -> Result<Path, ArchiveError> {
    Path::parse(name).map_err(|error| ArchiveError::Damaged(error.to_string()))
}

fn fault(error: Error) -> ArchiveError {
    ArchiveError::Unavailable(error.to_string())
}
