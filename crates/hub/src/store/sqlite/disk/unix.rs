//! The file of the database and its disk, as Unix shows them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Minimum free space for an index that is mapped from the disk; it grows in steps of 32 KiB.
const MIN_FREE_BYTES: f64 = 1_048_576.0;

/// Reads from a place of a file.
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buffer, offset)
}

/// Writes at a place of a file.
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Tells whether an open file is the one at this path. Opens nothing: closing any handle of a file gives up the locks on it.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (own, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// Returns true if the disk has no room for the index of the log. SQLite would map it all the same, and the process be killed by
/// SIGBUS where it touches a block that the disk does not have.
pub(super) fn is_full(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(Path::new("."));
    statvfs(directory).is_ok_and(|disk| {
        // The two have 32 bits on some machines.
        disk.blocks_available() as f64 * (disk.fragment_size() as f64) < MIN_FREE_BYTES
    })
}
