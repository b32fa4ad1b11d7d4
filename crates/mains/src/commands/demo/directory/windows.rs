//! A file in the directory is locked: Windows locks no directory.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

const NAME: &str = "lock";

/// Opens what the demo of a new directory locks.
pub(super) fn create_lock(directory: &Path) -> io::Result<File> {
    File::create_new(directory.join(NAME))
}

/// Opens what the demo of a directory has locked while it is alive.
pub(super) fn open_lock(directory: &Path) -> io::Result<File> {
    File::open(directory.join(NAME))
}

/// Returns true: each user has a folder for temporary files.
pub(super) fn is_own(_: &Metadata) -> bool {
    true
}
