//! The directory itself is locked.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;

/// Opens what the demo of a new directory locks.
pub(super) fn create_lock(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

/// Opens what the demo of a directory has locked while it is alive.
pub(super) fn open_lock(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

/// Returns true for a directory of this user.
pub(super) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == Uid::effective().as_raw()
}
