//! Directories of Windows: `%LOCALAPPDATA%\\mains`, to which the user, administrators and the system have access.
//!
//! * State: `MAINS_STATE`, else that directory. Running processes find each other there as well.
//! * Configuration: `mains.toml` in that directory.
//! * The service runs as the account LocalService and has both in the profile of that account.

use std::env;
use std::path::PathBuf;

use known_folders::{KnownFolder, get_known_folder_path};

/// A file that is always empty.
pub(crate) const EMPTY_FILE: &str = "NUL";

/// Parts of the environment that decide on directories.
#[derive(Debug, Default, Clone)]
pub(super) struct UserEnvironment {
    mains_state: Option<PathBuf>,
    local_data: Option<PathBuf>,
}

impl UserEnvironment {
    pub(super) fn current() -> Self {
        Self {
            mains_state: env::var_os("MAINS_STATE")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            local_data: get_known_folder_path(KnownFolder::LocalAppData),
        }
    }

    pub(super) fn is_service(&self) -> bool {
        crate::service_manager::is_service()
    }

    pub(super) fn state(&self) -> Option<PathBuf> {
        self.mains_state.clone().or_else(|| self.own())
    }

    pub(super) fn runtime(&self) -> Option<PathBuf> {
        self.state()
    }

    pub(super) fn config(&self) -> Option<PathBuf> {
        Some(self.own()?.join("mains.toml"))
    }

    fn own(&self) -> Option<PathBuf> {
        Some(self.local_data.as_ref()?.join("mains"))
    }
}
