//! The random number that each start gives a database, in its header and in a note beside it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use statefile::StateFile;

use super::disk::read_exact_at;
use super::files::with_suffix;

/// Place of the epoch in the header.
pub(super) const EPOCH: Range<usize> = 60..64;
const EPOCH_OFFSET: u64 = 60;
/// File with the epoch of the log.
pub(super) const NOTE_SUFFIX: &str = "-epoch";
const MAX_NOTE_BYTES: u64 = 64;

/// Reads the epoch of a file.
pub(super) fn epoch(file: &File) -> io::Result<u32> {
    let mut bytes = [0; 4];
    read_exact_at(file, &mut bytes, EPOCH_OFFSET)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Removes the note of a file without a log.
pub(super) fn forget_note(path: &Path) {
    if let Err(error) = note(path).remove() {
        tracing::debug!(%error, "the epoch of the log is left behind");
    }
}

/// Returns the file with the epoch of the log.
pub(super) fn note(path: &Path) -> StateFile {
    StateFile::new(with_suffix(path, NOTE_SUFFIX), MAX_NOTE_BYTES)
}

/// Returns the noted epoch.
pub(super) fn noted(path: &Path) -> Option<u32> {
    let text = note(path).read().ok()??;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}
