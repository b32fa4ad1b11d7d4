//! A copy of the whole file while everything goes on.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use tempfile::TempPath;

use super::database::Database;
use crate::store::StoreError;

impl Database {
    pub(super) async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let unusable = |what: String| StoreError::File {
            path: to.to_owned(),
            what,
        };
        if to.symlink_metadata().is_ok() {
            return Err(unusable(
                "exists already; a backup overwrites nothing".to_owned(),
            ));
        }
        // Beside the target, so that it gets there by renaming; readable by its owner only, as the original.
        let beside = directory(to);
        let empty = tempfile::Builder::new()
            .prefix(".mains-backup-")
            .tempfile_in(beside)
            .map_err(|error| unusable(format!("cannot be made: {error}")))?;
        let copy = empty.into_temp_path();
        self.copy_into(&copy)
            .await
            .map_err(|error| unusable(format!("the copy failed: {error}")))?;
        let to = to.to_owned();
        let kept = tokio::task::spawn_blocking(move || keep(copy, &to)).await;
        kept.map_err(io::Error::other)
            .flatten()
            .map_err(|error| unusable(format!("cannot be written: {error}")))
    }

    async fn copy_into(&self, file: &TempPath) -> Result<(), sqlx::Error> {
        let path: &Path = file;
        let text = path
            .to_str()
            .ok_or_else(|| sqlx::Error::Configuration("the name is not UTF-8".into()))?;
        // A connection of its own: it is busy for as long as the copy takes.
        let mut connection = self.connect().await?;
        sqlx::query("VACUUM INTO ?")
            .bind(text)
            .execute(&mut connection)
            .await?;
        connection.close().await
    }
}

/// Makes sure that the copy is on the disk, then gives it its name. Somebody may have taken the name in the meantime.
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
