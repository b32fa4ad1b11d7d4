//! Failures to join the plug's network, or to come back from it.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::{Failure, Kind};

/// A failure between this computer's Wi-Fi and the plug's access point.
#[derive(Debug, Error)]
pub enum WifiError {
    /// There is no D-Bus system bus to reach NetworkManager by.
    #[error("NetworkManager, which manages the Wi-Fi of most Linux computers, cannot be reached")]
    NoBus(#[source] zbus::Error),
    /// The bus is there, NetworkManager is not on it.
    #[error("NetworkManager is not running")]
    NotRunning,
    /// The policy of this computer does not let this user change connections.
    #[error("NetworkManager does not permit this user to change the Wi-Fi connection: {0}")]
    Denied(String),
    /// NetworkManager has no Wi-Fi adapter, or not the one asked for.
    #[error("no Wi-Fi adapter{}", .wanted.as_ref().map(|name| format!(" called '{name}'")).unwrap_or_default())]
    NoAdapter {
        /// The adapter asked for by name.
        wanted: Option<String>,
    },
    /// Wi-Fi is switched off, by a key or in the settings.
    #[error("Wi-Fi is switched off")]
    SwitchedOff,
    /// The adapter is there but cannot be used.
    #[error("the Wi-Fi adapter {interface} cannot be used: its state is {state}")]
    Unusable {
        /// Name of the adapter.
        interface: String,
        /// NetworkManager's word for its state.
        state: &'static str,
    },
    /// The connection of the adapter would be lost by leaving it.
    #[error("the connection '{name}' on {interface} is temporary and could not be restored")]
    Temporary {
        /// Name of the adapter.
        interface: String,
        /// Name of the connection.
        name: String,
    },
    /// The plug's network was not seen in time.
    #[error("no Wi-Fi network '{ssid}' found by {interfaces}")]
    NotSeen {
        /// Name of the network.
        ssid: String,
        /// Names of the adapters that looked.
        interfaces: String,
    },
    /// The plug's network needs a key and none was given.
    #[error("the Wi-Fi network '{ssid}' needs a key")]
    KeyMissing {
        /// Name of the network.
        ssid: String,
    },
    /// A key that no access point of this kind takes.
    #[error("invalid key for '{ssid}': {reason}")]
    KeyUnfit {
        /// Name of the network.
        ssid: String,
        /// The violated rule.
        reason: &'static str,
    },
    /// The plug's network refused the key.
    #[error("the Wi-Fi network '{ssid}' refused the key")]
    WrongKey {
        /// Name of the network.
        ssid: String,
    },
    /// The connection needs a key that it has not, and no program of the desktop that could ask for it is running.
    #[error("nobody could give the key of the connection '{name}'")]
    NoSecrets {
        /// Name of the connection.
        name: String,
    },
    /// The network went away in mid-join.
    #[error("the Wi-Fi network '{ssid}' vanished while it was being joined")]
    Vanished {
        /// Name of the network.
        ssid: String,
    },
    /// Joined, but no address was given out.
    #[error("the Wi-Fi network '{ssid}' assigned no address")]
    NoLease {
        /// Name of the network.
        ssid: String,
    },
    /// The join took longer than its bound.
    #[error("the Wi-Fi network '{ssid}' was not joined within {seconds} s")]
    TooSlow {
        /// Name of the network.
        ssid: String,
        /// The bound.
        seconds: u64,
    },
    /// Any other end of an attempt to join.
    #[error("cannot connect to '{ssid}': {reason}")]
    NotJoined {
        /// Name of the network or connection.
        ssid: String,
        /// NetworkManager's reason in words.
        reason: String,
    },
    /// The connection that was there before could not be brought back.
    #[error("cannot restore the connection '{name}' on {interface}: {reason}")]
    NotRestored {
        /// Name of the adapter.
        interface: String,
        /// Name of the connection.
        name: String,
        /// The reason.
        reason: String,
    },
    /// Another `mains setup` holds the adapter.
    #[error("another 'mains setup' is using the Wi-Fi adapter")]
    Busy,
    /// An earlier run's note is still there.
    #[error("the Wi-Fi changes of an earlier `mains setup` are not undone yet")]
    Leftover,
    /// The note for a later undo cannot be written; nothing is touched without it.
    #[error("cannot store what to restore in {}", .path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The note for a later undo cannot be understood.
    #[error("cannot read what to restore from {}", .path.display())]
    JournalUnclear {
        /// The file.
        path: PathBuf,
        /// The error of its content.
        source: serde_json::Error,
    },
    /// Another error of NetworkManager.
    #[error("NetworkManager reports: {}", plain(.0))]
    Bus(#[source] zbus::Error),
}

/// Returns an error of the bus without its technical name, which is a word for programs.
fn plain(error: &zbus::Error) -> String {
    let text = match error {
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        other => other.to_string(),
    };
    match text.split_once(": ") {
        Some((name, rest)) if name.contains("org.freedesktop") => rest.to_owned(),
        _ => text,
    }
}

impl From<zbus::Error> for WifiError {
    fn from(error: zbus::Error) -> Self {
        match &error {
            zbus::Error::FDO(inner) => match inner.as_ref() {
                zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_) => {
                    Self::NotRunning
                }
                zbus::fdo::Error::AccessDenied(text) | zbus::fdo::Error::AuthFailed(text) => {
                    Self::Denied(text.clone())
                }
                _ => Self::Bus(error),
            },
            zbus::Error::MethodError(name, text, _)
                if name.ends_with(".PermissionDenied") || name.ends_with(".AccessDenied") =>
            {
                Self::Denied(text.clone().unwrap_or_else(|| "permission denied".into()))
            }
            zbus::Error::MethodError(name, text, _) if name.ends_with(".NotAuthorized") => {
                Self::Denied(text.clone().unwrap_or_else(|| "not authorized".into()))
            }
            _ => Self::Bus(error),
        }
    }
}

impl From<&WifiError> for Failure {
    fn from(error: &WifiError) -> Self {
        let failure = Self::new(error.kind(), error.to_string());
        let failure = match std::error::Error::source(error) {
            // Its text is in the message already.
            Some(_) if matches!(error, WifiError::Bus(_)) => failure,
            Some(source) => failure.caused_by(source),
            None => failure,
        };
        match error.remedy() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<WifiError> for Failure {
    fn from(error: WifiError) -> Self {
        Self::from(&error)
    }
}

/// The way without NetworkManager.
const BY_HAND: &str =
    "join the plug's Wi-Fi network by hand, then run the same command with `--wifi manual`";

impl WifiError {
    /// Returns true if this computer has no NetworkManager that runs.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoBus(_) | Self::NotRunning)
    }

    /// Returns true if another key may do.
    pub fn is_about_key(&self) -> bool {
        matches!(self, Self::WrongKey { .. } | Self::KeyUnfit { .. })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoBus(_)
            | Self::NotRunning
            | Self::Denied(_)
            | Self::NoAdapter { .. }
            | Self::SwitchedOff
            | Self::Unusable { .. }
            | Self::Temporary { .. }
            | Self::Busy
            | Self::Leftover
            | Self::Journal { .. }
            | Self::JournalUnclear { .. } => Kind::Local,
            Self::NotSeen { .. } => Kind::NotFound,
            Self::KeyMissing { .. } | Self::KeyUnfit { .. } => Kind::Usage,
            Self::WrongKey { .. } => Kind::Refused,
            Self::Vanished { .. } | Self::NoLease { .. } | Self::TooSlow { .. } => Kind::NoAnswer,
            Self::NotJoined { .. }
            | Self::NotRestored { .. }
            | Self::NoSecrets { .. }
            | Self::Bus(_) => Kind::Failed,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NoBus(_) | Self::NotRunning | Self::NoAdapter { .. } | Self::Unusable { .. } => {
                BY_HAND
            }
            Self::Denied(_) => "run it as the user who sits at this computer, or with `sudo`",
            Self::SwitchedOff => "run `nmcli radio wifi on`",
            Self::Temporary { .. } => BY_HAND,
            Self::NotSeen { .. } => {
                "is the plug in a socket near this computer, and fresh from the factory? Hold its button until its light \
                 changes, wait half a minute, and try again; `--interface` names another Wi-Fi adapter"
            }
            Self::KeyMissing { .. } | Self::KeyUnfit { .. } | Self::WrongKey { .. } => {
                "the key of the plug's own network is printed on its back; give it with `--plug-key-file`"
            }
            Self::Vanished { .. } | Self::NoLease { .. } | Self::TooSlow { .. } => {
                "bring the plug nearer to this computer and try again"
            }
            Self::Busy => "wait for its end",
            Self::Leftover => "run `mains setup --undo`",
            Self::NotRestored { name, .. } => {
                return Some(format!("run `nmcli connection up id '{name}'`"));
            }
            Self::NoSecrets { name } => {
                return Some(format!("run `nmcli --ask connection up id '{name}'`"));
            }
            Self::JournalUnclear { path, .. } => {
                return Some(format!(
                    "restore the Wi-Fi by hand, then remove {}",
                    path.display()
                ));
            }
            Self::NotJoined { .. } | Self::Journal { .. } | Self::Bus(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// Tells whether NetworkManager reports that an object does not exist (any more).
pub(super) fn is_gone(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(inner) => matches!(
            inner.as_ref(),
            zbus::fdo::Error::UnknownObject(_)
                | zbus::fdo::Error::UnknownMethod(_)
                | zbus::fdo::Error::UnknownInterface(_)
        ),
        zbus::Error::MethodError(name, ..) => [
            ".DoesNotExist",
            ".InvalidConnection",
            ".UnknownConnection",
            ".NotActive",
        ]
        .iter()
        .any(|end| name.ends_with(end)),
        _ => false,
    }
}
