//! Puts a backup in place of the database. No hub may run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _};

use super::database::{OPENED, options, unavailable};
use super::files::{set_aside_files, sync_directory, with_suffix};
use super::journal;
use super::open::{FileCondition, examine_whole, resolve};
use crate::store::StoreError;

/// Checks a backup, and puts a copy of it in place of the database at `path`. Returns the new path of the old database, if there was
/// one.
///
/// # Errors
///
/// [`StoreError::File`] for what is no sound database of Mains, [`StoreError::Newer`] for one of a newer version; then nothing is
/// changed. [`StoreError::Unavailable`] when the disk refuses; the old database is in place, or beside it under its new name.
pub async fn restore(path: &Path, backup: &Path) -> Result<Option<PathBuf>, StoreError> {
    let refused = |error: io::Error| unavailable(path, "replaced", error);
    let backup = backup
        .canonicalize()
        .map_err(|error| file_error(backup, &error.to_string()))?;
    let path = resolve(path)?;
    if backup == path {
        return Err(file_error(&backup, "is the database itself"));
    }
    match examine_whole(&backup).await? {
        FileCondition::Sound => {}
        FileCondition::Empty => return Err(file_error(&backup, "is empty")),
        FileCondition::Damaged(what) => {
            return Err(file_error(&backup, &format!("is damaged: {what}")));
        }
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let copy = tempfile::Builder::new()
        .prefix(".mains-restore-")
        .tempfile_in(directory)
        .map_err(refused)?
        .into_temp_path();
    copy_whole(&backup, &copy).await?;
    File::options()
        .write(true)
        .open(&copy)
        .and_then(|file| file.sync_all())
        .map_err(refused)?;
    let kept = match path.symlink_metadata() {
        Ok(_) => {
            empty_log(&path).await;
            let suffixes = ["-wal", "-shm", ""];
            Some(set_aside_files(&path, "replaced", &suffixes, plugs::now()).map_err(refused)?)
        }
        Err(_) => None,
    };
    journal::forget(&path).map_err(refused)?;
    copy.persist(&path).map_err(|error| refused(error.error))?;
    sync_directory(&path).map_err(refused)?;
    Ok(kept)
}

/// Copies a database with what is in its log, if it has one.
async fn copy_whole(backup: &Path, to: &Path) -> Result<(), StoreError> {
    let log = with_suffix(backup, "-wal").metadata();
    if log.map_or(0, |log| log.len()) == 0 {
        let copied = fs::copy(backup, to).and_then(|_| private(to));
        return copied.map_err(|error| unavailable(to, "written", error));
    }
    let text = to
        .to_str()
        .ok_or_else(|| file_error(to, "has a name that is not UTF-8"))?;
    let copied = async {
        let mut connection = options(backup).read_only(true).connect().await?;
        let copy = sqlx::query("VACUUM INTO ?").bind(text);
        copy.execute(&mut connection).await?;
        connection.close().await
    };
    copied
        .await
        .map_err(|error| unavailable(to, "written", error))
}

fn private(path: &Path) -> io::Result<()> {
    statefile::restrict_access(&File::open(path)?).map(|_| ())
}

/// Writes the log of the old database into it, so that it is whole in one file. A damaged one keeps its log.
async fn empty_log(path: &Path) {
    let _ = journal::set_aside_foreign(path);
    let emptied = async {
        let mut connection = options(path).connect().await?;
        let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        emptied.execute(&mut connection).await?;
        connection.close().await
    };
    if let Err(error) = emptied.await {
        tracing::warn!(%error, operation = OPENED, "the log of the old database stays beside it");
    }
}

fn file_error(path: &Path, what: &str) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}
