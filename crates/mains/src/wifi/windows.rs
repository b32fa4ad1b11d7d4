//! This computer's own Wi-Fi, which on Windows only its user joins to a network.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::error::{Failure, Kind};
use crate::ui::Ui;

/// Time for the previous connection to come up again.
pub const RESTORE_TIMEOUT: Duration = Duration::ZERO;

/// Reason why a program does not join a network.
#[derive(Debug, thiserror::Error)]
pub enum WifiError {
    /// There is no NetworkManager.
    #[error("Windows has no NetworkManager")]
    Absent,
}

impl WifiError {
    /// Returns true: this computer has no NetworkManager.
    pub fn is_absence(&self) -> bool {
        true
    }

    /// Returns false: no key was used.
    pub fn is_about_key(&self) -> bool {
        false
    }
}

impl From<WifiError> for Failure {
    fn from(error: WifiError) -> Self {
        Self::from(&error)
    }
}

impl From<&WifiError> for Failure {
    fn from(error: &WifiError) -> Self {
        Self::new(Kind::Local, error.to_string()).hint(
            "join the plug's Wi-Fi network by hand, then run the same command with `--wifi manual`",
        )
    }
}

/// Protection of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// No key.
    Open,
    /// A shared key.
    Psk,
}

/// Kind of plug that opens a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {}

impl Opener {
    /// Returns its name in a list.
    pub fn label(self) -> &'static str {
        match self {}
    }
}

/// An access point, of which none is ever seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub ssid: Vec<u8>,
    /// 0 to 100.
    pub strength: u8,
    /// Its protection.
    pub protection: Protection,
    never: Infallible,
}

impl Seen {
    /// Returns its name as text.
    pub fn name(&self) -> String {
        match self.never {}
    }

    /// Returns the plug that opened it.
    pub fn opener(&self) -> Option<Opener> {
        match self.never {}
    }

    /// Tells whether its protection is not that of the network that is looked for.
    pub fn is_doubtful(&self, _: bool) -> bool {
        match self.never {}
    }
}

/// Connection of the computer's Wi-Fi after a restore, of which there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// On the connection of this name.
    Connected(String, Infallible),
}

impl fmt::Display for Restored {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Connected(_, never) = self;
        match *never {}
    }
}

/// A note of an earlier run, of which there is none.
#[derive(Debug)]
pub enum Pending {}

/// Finds no note.
pub fn pending(_: &Path) -> Option<Pending> {
    None
}

/// Reports what is left of an earlier run.
pub async fn offer(_: &Ui, pending: Pending) {
    match pending {}
}

/// Undoes nothing: nothing is ever changed.
pub async fn undo(_: &Path) -> Result<Option<Restored>, WifiError> {
    Ok(None)
}

/// The service that joins networks, which there is not.
#[derive(Debug)]
pub enum NetworkManager {}

impl NetworkManager {
    /// Finds none.
    pub async fn open(_: &Path, _: Option<&str>) -> Result<Self, WifiError> {
        Err(WifiError::Absent)
    }

    /// Returns the names of the adapters.
    pub fn interfaces(&self) -> String {
        match *self {}
    }

    /// Returns the name of the adapter that sees a network.
    pub fn interface(&self, _: &Seen) -> &str {
        match *self {}
    }

    /// Returns the networks in reach.
    pub async fn scan(&self, _: bool) -> Result<Vec<Seen>, WifiError> {
        match *self {}
    }

    /// Waits for a network to be seen.
    pub async fn look_for(&self, _: &[u8], _: bool, _: Duration) -> Result<Seen, WifiError> {
        match *self {}
    }

    /// Waits for an access point that was seen before.
    pub async fn look_again(&self, _: &Seen, _: Duration) -> Result<Seen, WifiError> {
        match *self {}
    }

    /// Joins a network.
    pub async fn join(&mut self, _: &Seen, _: Option<&str>, _: Duration) -> Result<(), WifiError> {
        match *self {}
    }

    /// Tells whether there is something to restore.
    pub fn is_touched(&self) -> bool {
        match *self {}
    }

    /// Restores the state before a join.
    pub async fn restore(&mut self) -> Result<Option<Restored>, WifiError> {
        match *self {}
    }
}
