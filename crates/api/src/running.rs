//! The hub that runs on this computer: its address and the token for its owner's programs, in files of its state directory.
//!
//! `hub.lock` is locked while a hub runs; the system releases the lock when the process ends in whatever way. `hub.json` holds
//! the address that the hub listens on. Neither holds a secret; `admin-token` does.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use statefile::StateFile;

const ANNOUNCEMENT_FILE: &str = "hub.json";
const MAX_ANNOUNCEMENT_BYTES: u64 = 4096;
const ADMIN_TOKEN_FILE: &str = "admin-token";

/// A hub that runs on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningHub {
    /// Its process.
    pub pid: u32,
    /// Its URL on this machine, e.g. `http://127.0.0.1:8480`. With a certificate it can have a name.
    pub url: String,
    /// Address that it listens on; earlier versions publish none.
    #[serde(default)]
    pub address: Option<SocketAddr>,
}

impl RunningHub {
    /// Returns the hub that uses this state directory, if one runs and has published its address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an address that another user has published.
    pub fn find(directory: &Path) -> io::Result<Option<Self>> {
        let announcement = Self::announcement(directory);
        // Without the lock, the file was left by a hub that was killed.
        if !announcement.is_locked() {
            return Ok(None);
        }
        match announcement.read() {
            Ok(text) => Ok(text.and_then(|text| serde_json::from_slice(&text).ok())),
            Err(error) if error.kind() == ErrorKind::InvalidInput => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Returns the address to connect to, if it is one of this machine.
    pub fn own_address(&self) -> Option<SocketAddr> {
        self.address.filter(|address| is_own_address(address.ip()))
    }

    /// Returns the file in which a hub with this state directory publishes its address; its lock is the hub's.
    pub fn announcement(directory: &Path) -> StateFile {
        StateFile::new(directory.join(ANNOUNCEMENT_FILE), MAX_ANNOUNCEMENT_BYTES)
    }

    /// Reads the address that was published last, by a hub that may have ended.
    pub fn read(announcement: &StateFile) -> Option<Self> {
        let text = announcement.read().ok()??;
        serde_json::from_slice(&text).ok()
    }
}

/// Returns true for an address of this machine.
pub(crate) fn is_own_address(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Returns the path of the admin token of the hub with this state directory.
pub fn admin_token(directory: &Path) -> PathBuf {
    directory.join(ADMIN_TOKEN_FILE)
}
