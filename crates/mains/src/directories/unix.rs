//! Directories of Unix: those of the XDG specification, and those of a system service.
//!
//! * State: `MAINS_STATE`, else `$XDG_STATE_HOME/mains`, else `~/.local/state/mains`.
//! * Sockets between running processes: `$XDG_RUNTIME_DIR/mains`, else the state directory.
//! * Configuration: `$XDG_CONFIG_HOME/mains/mains.toml`, else `~/.config/mains/mains.toml`.
//! * A system service uses `/var/lib/mains` and `/etc/mains/mains.toml`. It is one when systemd has set
//!   `STATE_DIRECTORY` (its unit has `StateDirectory=mains`; that directory is then used), when it runs as root
//!   without a `HOME`, as system units do, or as the user whose home is `/var/lib/mains`, so that
//!   `sudo -u mains mains …` speaks with the service. Root in a login shell is a person and uses root's home.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

/// A file that is always empty.
pub(crate) const EMPTY_FILE: &str = "/dev/null";

/// State directory of the system service, and the home of its user.
const SERVICE_STATE: &str = "/var/lib/mains";

/// Parts of the environment that decide on directories.
#[derive(Debug, Default, Clone)]
pub(super) struct UserEnvironment {
    mains_state: Option<PathBuf>,
    systemd_state: Option<OsString>,
    xdg_state: Option<PathBuf>,
    xdg_config: Option<PathBuf>,
    xdg_runtime: Option<PathBuf>,
    home: Option<PathBuf>,
    /// The home of the account, whatever `HOME` is.
    account_home: Option<PathBuf>,
    root: bool,
}

impl UserEnvironment {
    pub(super) fn current() -> Self {
        let path = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        // The XDG specification asks to ignore relative paths.
        let absolute = |name| path(name).filter(|value| value.is_absolute());
        Self {
            mains_state: path("MAINS_STATE"),
            systemd_state: env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()),
            xdg_state: absolute("XDG_STATE_HOME"),
            xdg_config: absolute("XDG_CONFIG_HOME"),
            xdg_runtime: absolute("XDG_RUNTIME_DIR"),
            home: absolute("HOME"),
            account_home: User::from_uid(Uid::effective())
                .ok()
                .flatten()
                .map(|user| user.dir),
            root: Uid::effective().is_root(),
        }
    }

    pub(super) fn is_service(&self) -> bool {
        self.systemd_state.is_some()
            || (self.root && self.home.is_none())
            || self.account_home.as_deref() == Some(Path::new(SERVICE_STATE))
    }

    fn home(&self) -> Option<PathBuf> {
        self.home.clone().or_else(|| self.account_home.clone())
    }

    pub(super) fn state(&self) -> Option<PathBuf> {
        if let Some(given) = &self.mains_state {
            return Some(given.clone());
        }
        if self.is_service() {
            return Some(
                self.service_state()
                    .unwrap_or_else(|| PathBuf::from(SERVICE_STATE)),
            );
        }
        let base = self
            .xdg_state
            .clone()
            .or_else(|| Some(self.home()?.join(".local/state")));
        Some(base?.join("mains"))
    }

    /// Returns the first of systemd's directories; a unit that asks for several gets them separated by colons.
    fn service_state(&self) -> Option<PathBuf> {
        env::split_paths(self.systemd_state.as_ref()?).next()
    }

    pub(super) fn runtime(&self) -> Option<PathBuf> {
        match &self.xdg_runtime {
            Some(base) => Some(base.join("mains")),
            None => self.state(),
        }
    }

    pub(super) fn config(&self) -> Option<PathBuf> {
        if self.is_service() {
            return Some(PathBuf::from("/etc/mains/mains.toml"));
        }
        let base = self
            .xdg_config
            .clone()
            .or_else(|| Some(self.home()?.join(".config")));
        Some(base?.join("mains/mains.toml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> UserEnvironment {
        UserEnvironment {
            home: Some("/home/a".into()),
            ..UserEnvironment::default()
        }
    }

    #[test]
    fn a_person_has_them_at_home() {
        assert_eq!(person().state(), Some("/home/a/.local/state/mains".into()));
        assert_eq!(
            person().config(),
            Some("/home/a/.config/mains/mains.toml".into())
        );
        let root = UserEnvironment {
            root: true,
            ..person()
        };
        assert_eq!(root.state(), Some("/home/a/.local/state/mains".into()));
    }

    #[test]
    fn xdg_and_mains_state_come_first() {
        let xdg = UserEnvironment {
            xdg_state: Some("/s".into()),
            xdg_config: Some("/c".into()),
            ..person()
        };
        assert_eq!(xdg.state(), Some("/s/mains".into()));
        assert_eq!(xdg.config(), Some("/c/mains/mains.toml".into()));
        let given = UserEnvironment {
            mains_state: Some("/here".into()),
            ..xdg
        };
        assert_eq!(given.state(), Some("/here".into()));
        assert_eq!(given.runtime(), Some("/here".into()));
        let session = UserEnvironment {
            xdg_runtime: Some("/run/user/1".into()),
            ..given
        };
        assert_eq!(session.runtime(), Some("/run/user/1/mains".into()));
    }

    #[test]
    fn a_service_has_them_in_the_system() {
        let bare = UserEnvironment {
            root: true,
            ..UserEnvironment::default()
        };
        assert_eq!(bare.state(), Some("/var/lib/mains".into()));
        assert_eq!(bare.config(), Some("/etc/mains/mains.toml".into()));
        let unit = UserEnvironment {
            systemd_state: Some("/var/lib/mains:/var/lib/other".into()),
            ..person()
        };
        assert_eq!(unit.state(), Some("/var/lib/mains".into()));
        assert_eq!(unit.config(), Some("/etc/mains/mains.toml".into()));
        let by_sudo = UserEnvironment {
            account_home: Some("/var/lib/mains".into()),
            ..person()
        };
        assert_eq!(by_sudo.state(), Some("/var/lib/mains".into()));
        assert_eq!(by_sudo.config(), Some("/etc/mains/mains.toml".into()));
    }
}
