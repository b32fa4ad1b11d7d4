//! Recognises a log (`-wal`) that is not of the file beside it.
//!
//! SQLite replays any log that it finds. When a backup was put in place of the file, but the log of the old one stayed, that would
//! undo the restore or damage the file. So each start gives the file a random number, its epoch (`user_version` in the header),
//! and notes it beside the file while the log is empty: the log belongs to a file of this epoch. Backups have none.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sqlx::SqlitePool;

use super::database::SqliteDatabase;
use super::disk::read_exact_at;
use super::epoch::{NOTE_SUFFIX, epoch, note, noted};
use super::files::{set_aside_files, with_suffix};
use super::header::{self, HEADER_BYTES};

/// Sets a log aside that is not of the file. Returns its new path.
pub(super) fn set_aside_foreign(path: &Path) -> io::Result<Option<PathBuf>> {
    let log = with_suffix(path, "-wal").metadata();
    if log.map_or(0, |log| log.len()) == 0 {
        return Ok(None);
    }
    let Some(noted) = noted(path) else {
        // From a version that noted nothing.
        return Ok(None);
    };
    if has_damaged_header(path) {
        // The epoch in it says nothing; the log is read with what is left of the file.
        return Ok(None);
    }
    let found = match File::open(path).and_then(|file| epoch(&file)) {
        Ok(found) => Some(found),
        // What is noted was in the file before, so that an empty or missing one is not that file.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
            None
        }
        Err(error) => return Err(error),
    };
    if found == Some(noted) {
        return Ok(None);
    }
    let aside = set_aside_files(path, "foreign", &["-wal", "-shm"], plugs::now())?;
    Ok(Some(with_suffix(&aside, "-wal")))
}

fn has_damaged_header(path: &Path) -> bool {
    let mut header = [0; HEADER_BYTES];
    let read = File::open(path).and_then(|file| read_exact_at(&file, &mut header, 0));
    read.is_ok() && header::problem(&header).is_some()
}

/// Gives an open file a new epoch. Leaves the old one where the disk or another program does not allow it.
pub(super) async fn mark(database: &SqliteDatabase) -> Option<u32> {
    let path = database.path();
    let before = noted(path);
    let marked = async {
        let edits = database.edits().ok()?;
        if !empty_log(edits).await? {
            return None;
        }
        let epoch = random()?;
        note(path).write(format!("{epoch}\n").as_bytes()).ok()?;
        let sql = format!("PRAGMA user_version = {epoch}");
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(edits).await.ok()?;
        empty_log(edits).await?;
        Some(epoch)
    };
    let wanted = marked.await;
    let found = epoch(database.file()).ok().filter(|found| *found != 0);
    if wanted.is_some() && wanted == found {
        return found;
    }
    // The file still has the old one, which is also that of the log.
    let taken_back = match found {
        Some(found) if before != Some(found) => note(path).write(format!("{found}\n").as_bytes()),
        None => note(path).remove(),
        _ => Ok(()),
    };
    if let Err(error) = taken_back {
        tracing::warn!(%error, "the log of the database cannot be marked as its own");
    }
    found
}

/// Removes what is beside a file that is about to be replaced.
pub(super) fn forget(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", NOTE_SUFFIX] {
        match fs::remove_file(with_suffix(path, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the log into the file. Returns false if another program reads it meanwhile.
async fn empty_log(edits: &SqlitePool) -> Option<bool> {
    let checkpoint = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)");
    let (is_busy, _, _) = checkpoint.fetch_one(edits).await.ok()?;
    Some(is_busy == 0)
}

fn random() -> Option<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    // `user_version` is signed, and zero means none.
    Some((u32::from_be_bytes(bytes) >> 1).max(1))
}
