//! The state directory, the runtime directory, and the default place of the configuration file.

use std::path::PathBuf;

use crate::error::Failure;

#[cfg_attr(unix, path = "directories/unix.rs")]
#[cfg_attr(windows, path = "directories/windows.rs")]
mod system;

pub(crate) use system::EMPTY_FILE;
use system::UserEnvironment;

/// Returns the state directory; it may not exist yet.
pub fn state() -> Result<PathBuf, Failure> {
    UserEnvironment::current().state().ok_or_else(|| {
        Failure::usage("there is no home directory to keep the state in")
            .hint("set MAINS_STATE to a directory")
    })
}

/// Returns `true` if the state directory is that of the system service.
pub fn is_service() -> bool {
    UserEnvironment::current().is_service()
}

/// Returns the directory for sockets between running processes; it may not exist yet. `None` without a home directory.
pub fn runtime() -> Option<PathBuf> {
    UserEnvironment::current().runtime()
}

/// Returns the default configuration file; it may not exist. `None` without a home directory.
pub fn config_file() -> Option<PathBuf> {
    UserEnvironment::current().config()
}
