//! Copies the whole file while everything goes on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::Connection as _;
use tempfile::TempPath;

use super::database::{QueryError, SqliteDatabase};
use crate::store::StoreError;

/// Writes a consistent copy into a new file.
pub(super) async fn backup(database: Arc<SqliteDatabase>, to: &Path) -> Result<(), QueryError> {
    let unusable = |what: String| StoreError::File {
        path: to.to_owned(),
        what,
    };
    if to.symlink_metadata().is_ok() {
        return Err(unusable("exists already; a backup overwrites nothing".to_owned()).into());
    }
    // Beside the target, so that it gets there by renaming; accessible to its owner only, as the original.
    let empty = tempfile::Builder::new()
        .prefix(".mains-backup-")
        .tempfile_in(directory(to))
        .map_err(|error| unusable(format!("cannot be made: {error}")))?;
    let copy = empty.into_temp_path();
    copy_into(&database, &copy)
        .await
        .map_err(|error| unusable(format!("the copy failed: {error}")))?;
    let target = to.to_owned();
    let kept = tokio::task::spawn_blocking(move || keep(copy, &target)).await;
    kept.map_err(io::Error::other)
        .flatten()
        .map_err(|error| unusable(format!("cannot be written: {error}")).into())
}

async fn copy_into(database: &SqliteDatabase, file: &TempPath) -> Result<(), sqlx::Error> {
    let path: &Path = file;
    let text = path
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration("the name is not UTF-8".into()))?;
    // A connection of its own, because it is busy for as long as the copy takes.
    let mut connection = database.connect().await?;
    sqlx::query("VACUUM INTO ?")
        .bind(text)
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// Syncs the copy to the disk, then gives it its name, unless that was taken in the meantime.
fn keep(copy: TempPath, to: &Path) -> io::Result<()> {
    std::fs::File::open(&copy)?.sync_all()?;
    copy.persist_noclobber(to).map_err(|error| error.error)?;
    std::fs::File::open(directory(to))?.sync_all()
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
