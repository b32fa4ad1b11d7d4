//! Access by inheritance: state is kept in the user's profile, and what is made there is accessible to this user, to administrators and
//! to the system alone.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::{MIN_STALE_AGE, age};

/// Time for another program, such as a virus scanner, to close the file that is replaced.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval between two attempts to replace a file.
const REPLACE_INTERVAL: Duration = Duration::from_millis(10);

/// Returns options with which a new file has the access rights of its directory.
pub fn owner_only() -> OpenOptions {
    OpenOptions::new()
}

/// Creates a directory that has the access rights of the one above, with those above it, unless it is there.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

/// Opens a file. There is no FIFO to wait for.
pub fn open_at_once(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.open(path)
}

/// Leaves the inherited access rights. Returns false.
pub fn restrict_access(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Returns false: the access rights of a file do not show in its attributes, and those that a profile passes on exclude other users.
pub fn is_open_to_all(_: &Metadata) -> bool {
    false
}

/// Does nothing: the file system logs a rename before it returns.
pub fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Leaves the inherited access rights.
pub(crate) fn restrict_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Accepts every owner: no directory of the profile can be written to by other users.
pub(crate) fn check_owner(_: &File, _: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Refuses: a directory cannot be locked.
pub(crate) fn open_directory(_: &Path) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

/// Marks nothing: a locked file could not be read by others when it has its name. Its age tells that it was left.
pub(crate) fn begin_writing(_: &File) -> io::Result<bool> {
    Ok(true)
}

/// Tells whether the process that wrote a file has had time to end.
pub(crate) fn is_abandoned(file: &File) -> bool {
    age(file).is_some_and(|age| age >= MIN_STALE_AGE)
}

/// Puts a file that was written in the place of another one, which another program may have open for a moment.
pub(crate) fn replace(file: NamedTempFile, path: &Path) -> io::Result<()> {
    // A file with the attribute of a temporary one would keep it.
    let (file, written) = file.keep()?;
    drop(file);
    let deadline = Instant::now() + REPLACE_TIMEOUT;
    loop {
        match fs::rename(&written, path) {
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied && Instant::now() < deadline =>
            {
                std::thread::sleep(REPLACE_INTERVAL);
            }
            Err(error) => {
                // It is removed later where that fails now.
                let _ = fs::remove_file(&written);
                return Err(error);
            }
            Ok(()) => return Ok(()),
        }
    }
}
