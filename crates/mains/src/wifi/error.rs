//! Why this computer could not join the plug's network, or not come back from it.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::{Failure, Kind};

/// What went wrong between this computer's Wi-Fi and the plug's access point.
#[derive(Debug, Error)]
pub enum WifiError {
    /// There is no D-Bus system bus to reach NetworkManager by.
    #[error("the D-Bus system bus, by which NetworkManager is reached, cannot be reached")]
    NoBus(#[source] zbus::Error),
    /// The bus is there, NetworkManager is not on it.
    #[error("NetworkManager is not running")]
    NotRunning,
    /// The policy of this computer does not let this user change connections.
    #[error("NetworkManager does not let this user change the Wi-Fi connection: {0}")]
    Denied(String),
    /// NetworkManager has no Wi-Fi adapter, or not the one asked for.
    #[error("there is no Wi-Fi adapter{}", .wanted.as_ref().map(|name| format!(" called '{name}'")).unwrap_or_default())]
    NoAdapter {
        /// The adapter asked for by name.
        wanted: Option<String>,
    },
    /// Wi-Fi is switched off, by a key or in the settings.
    #[error("Wi-Fi is switched off")]
    SwitchedOff,
    /// The adapter is there but cannot be used.
    #[error("the Wi-Fi adapter {interface} cannot be used: NetworkManager calls it {state}")]
    Unusable {
        /// Name of the adapter.
        interface: String,
        /// NetworkManager's word for its state.
        state: &'static str,
    },
    /// What the adapter is connected to would be forgotten by leaving it.
    #[error(
        "the connection '{name}' on {interface} is temporary: it would be lost by leaving it, and could not be restored"
    )]
    Temporary {
        /// Name of the adapter.
        interface: String,
        /// Name of the connection.
        name: String,
    },
    /// The plug's network was not seen in time.
    #[error("the Wi-Fi network '{ssid}' is not to be seen")]
    NotSeen {
        /// Name of the network.
        ssid: String,
    },
    /// The plug's network wants a key and none was given.
    #[error("the Wi-Fi network '{ssid}' wants a key")]
    KeyMissing {
        /// Name of the network.
        ssid: String,
    },
    /// A key that no access point of this kind takes.
    #[error("the key for '{ssid}' does not fit it: {reason}")]
    KeyUnfit {
        /// Name of the network.
        ssid: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// The plug's network refused the key.
    #[error("the Wi-Fi network '{ssid}' refused the key")]
    WrongKey {
        /// Name of the network.
        ssid: String,
    },
    /// The network went away in mid-join.
    #[error("the Wi-Fi network '{ssid}' vanished while it was being joined")]
    Vanished {
        /// Name of the network.
        ssid: String,
    },
    /// Joined, but no address was given out.
    #[error("the Wi-Fi network '{ssid}' was joined but gave out no address")]
    NoLease {
        /// Name of the network.
        ssid: String,
    },
    /// The join went on for longer than we wait.
    #[error("the Wi-Fi network '{ssid}' was not joined within {seconds} s")]
    TooSlow {
        /// Name of the network.
        ssid: String,
        /// The bound.
        seconds: u64,
    },
    /// Any other end of an attempt to join.
    #[error("the connection '{ssid}' could not be made: {reason}")]
    NotJoined {
        /// Name of the network or connection.
        ssid: String,
        /// NetworkManager's reason in words.
        reason: String,
    },
    /// The connection that was there before could not be brought back.
    #[error("the connection '{name}' on {interface} could not be brought back: {reason}")]
    NotRestored {
        /// Name of the adapter.
        interface: String,
        /// Name of the connection.
        name: String,
        /// Why not.
        reason: String,
    },
    /// Another `mains setup` holds the adapter.
    #[error("another 'mains setup' is using the Wi-Fi adapter")]
    Busy,
    /// An earlier run's note is still there.
    #[error("what an earlier `mains setup` changed on the Wi-Fi has not been undone yet")]
    Leftover,
    /// The note for a later undo cannot be written; nothing is touched without it.
    #[error("cannot keep the note of what to restore in {}", .path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The note for a later undo cannot be understood.
    #[error("the note of what to restore in {} cannot be understood", .path.display())]
    JournalUnclear {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// NetworkManager answered with something else than it should.
    #[error("NetworkManager: {0}")]
    Bus(#[source] zbus::Error),
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

/// What to do where NetworkManager cannot help.
const BY_HAND: &str =
    "join the plug's Wi-Fi network by hand, then run the same command with `--wifi manual`";

impl WifiError {
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
            Self::NotJoined { .. } | Self::NotRestored { .. } | Self::Bus(_) => Kind::Failed,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NoBus(_) | Self::NotRunning | Self::NoAdapter { .. } | Self::Unusable { .. } => {
                BY_HAND
            }
            Self::Denied(_) => "run it as the user who sits at this computer, or with `sudo`",
            Self::SwitchedOff => "`nmcli radio wifi on` switches it on",
            Self::Temporary { .. } => BY_HAND,
            Self::NotSeen { .. } => {
                "is the plug in a socket near this computer, and fresh from the factory? Hold its button until its light \
                 changes, wait half a minute, and try again"
            }
            Self::KeyMissing { .. } | Self::KeyUnfit { .. } | Self::WrongKey { .. } => {
                "the key of the plug's own network is printed on its back; give it with `--plug-key-file`"
            }
            Self::Vanished { .. } | Self::NoLease { .. } | Self::TooSlow { .. } => {
                "bring the plug nearer to this computer and try again"
            }
            Self::Busy => "wait until it has ended",
            Self::Leftover => "`mains setup --undo` puts it back",
            Self::NotRestored { name, .. } => {
                return Some(format!("`nmcli connection up id '{name}'` tries it again"));
            }
            Self::JournalUnclear { path, .. } => {
                return Some(format!(
                    "look at it, put the Wi-Fi back by hand, and remove {}",
                    path.display()
                ));
            }
            Self::NotJoined { .. } | Self::Journal { .. } | Self::Bus(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// Whether NetworkManager says that the object asked for is not there (any more).
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
