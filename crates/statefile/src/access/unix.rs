//! Access by owner and mode.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use tempfile::NamedTempFile;

const OWNER_ONLY_FILE: u32 = 0o600;
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const ACCESS_BY_OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const READABLE_BY_ALL: u32 = 0o004;

/// Returns options with which a new file is accessible to its owner only, from the first byte.
pub fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(OWNER_ONLY_FILE);
    options
}

/// Creates a directory that is accessible to its owner only, with those above it, unless it is there.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY_DIRECTORY)
        .create(directory)
}

/// Opens a file without waiting for another process, as for a FIFO.
pub fn open_at_once(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}

/// Takes access to a file from everyone but its owner. Returns true if others had access.
pub fn restrict_access(file: &File) -> io::Result<bool> {
    restrict(file, ACCESS_BY_OTHERS, OWNER_ONLY_FILE)
}

/// Tells whether everybody on this computer can read a file. A pipe or a socket is passed to one process.
pub fn is_open_to_all(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.mode() & READABLE_BY_ALL != 0
}

/// Makes renames in a directory last: a rename is only as durable as the directory that it happened in.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Takes the right to write to a directory of this user from others.
pub(crate) fn restrict_directory(directory: &Path) -> io::Result<()> {
    let directory = File::open(directory)?;
    if directory.metadata()?.uid() == geteuid().as_raw() {
        restrict(&directory, WRITABLE_BY_OTHERS, OWNER_ONLY_DIRECTORY)?;
    }
    Ok(())
}

/// Refuses a file of another user. Root also uses the files of a service's user, to whom the directory belongs.
pub(crate) fn check_owner(file: &File, path: &Path, directory: &Path) -> io::Result<()> {
    let (owner, user) = (file.metadata()?.uid(), geteuid());
    let is_own = owner == user.as_raw()
        || owner == 0
        || user.is_root() && owner == fs::metadata(directory)?.uid();
    if is_own {
        return Ok(());
    }
    let message = format!("{} belongs to another user ({owner})", path.display());
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

/// Opens what is locked where there is no lock file and none can be made.
pub(crate) fn open_directory(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

/// Marks a file as being written, until it is closed. Returns false if another process has removed it before.
pub(crate) fn begin_writing(file: &File) -> io::Result<bool> {
    file.try_lock()?;
    Ok(file.metadata()?.nlink() > 0)
}

/// Tells whether the process that wrote a file has ended.
pub(crate) fn is_abandoned(file: &File) -> bool {
    file.try_lock().is_ok()
}

/// Puts a file that was written in the place of another one.
pub(crate) fn replace(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.persist(path)?;
    Ok(())
}

/// Takes access from others, if they have any of these rights. Returns true if they had.
fn restrict(file: &File, rights: u32, mode: u32) -> io::Result<bool> {
    let had_access = file.metadata()?.permissions().mode() & rights != 0;
    if had_access {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(had_access)
}
