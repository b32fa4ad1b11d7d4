//! A copy of the database.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

/// A whole and consistent copy of the database, which is read while everything goes on. It holds no space on the disk.
pub struct Backup {
    /// Its length in bytes.
    pub length: u64,
    /// Its content.
    pub content: BoxStream<'static, io::Result<Bytes>>,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Backup {
    /// Writes it into a new file, accessible to its owner only, which appears once it is whole and on the disk.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`] when there is such a file, else the system's error.
    pub async fn write_to(mut self, path: &Path) -> io::Result<()> {
        if path.symlink_metadata().is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // Made by `tempfile` with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".mains-backup-")
            .tempfile_in(directory(path))?;
        while let Some(chunk) = self.content.next().await {
            let chunk = chunk?;
            file = run_blocking(move || file.write_all(&chunk).map(|()| file)).await?;
        }
        let path = path.to_owned();
        run_blocking(move || {
            file.as_file().sync_all()?;
            file.persist_noclobber(&path).map_err(|error| error.error)?;
            statefile::sync_directory(&directory(&path))
        })
        .await
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).flatten()
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
