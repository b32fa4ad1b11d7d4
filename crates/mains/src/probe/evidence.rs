//! What is known so far. Every step adds to it, so that a probe that is cut short still reports what it has.

use std::sync::{Mutex, PoisonError};

use hiflying::settings::{Mode, SocketSettings};
use hiflying::{Credentials, DiscoveryWord};
use plugs::{FamilyId, Plug};

use super::web::Web;

/// Facts about one device.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// TCP port 80 takes connections.
    pub(super) http: bool,
    /// TCP port 8899 takes connections.
    pub(super) data: bool,
    /// The web page, if it was looked at.
    pub(super) web: Option<Web>,
    /// The answer to a family's own scan.
    pub(super) plug: Option<Plug>,
    /// The answer to a discovery word.
    pub(super) module: Option<Plug>,
    /// The words that were answered.
    pub(super) words: Vec<DiscoveryWord>,
    /// What the AT session told, if one could be opened.
    pub(super) session: Option<Session>,
    /// Firmware text of the plug's own parser.
    pub(super) plug_version: Option<String>,
}

/// What the AT session told; nothing where it refused.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
    pub(super) mode: Option<Mode>,
    pub(super) access_point: Option<Credentials>,
    /// Servers that the module calls by itself.
    pub(super) servers: Vec<SocketSettings>,
}

impl Facts {
    /// Takes what a datagram told, the first of each kind: a Reco plug also answers as a plain module.
    pub(super) fn take(&mut self, plug: Plug) {
        let place = match plug.family {
            FamilyId::MODULE => &mut self.module,
            _ => &mut self.plug,
        };
        place.get_or_insert(plug);
    }

    /// Whether anything at all has answered.
    pub(super) fn is_anybody(&self) -> bool {
        self.http || self.data || self.plug.is_some() || self.module.is_some()
    }
}

/// Facts that several steps add to at the same time.
#[derive(Debug, Default)]
pub(super) struct Evidence(Mutex<Facts>);

impl Evidence {
    /// Adds something.
    pub(super) fn note(&self, add: impl FnOnce(&mut Facts)) {
        // A step that panicked has left facts that are still true.
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Looks something up.
    pub(super) fn look<T>(&self, read: impl FnOnce(&Facts) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a family of its own has been told, so that no other answer is waited for.
    pub(super) fn is_named(&self) -> bool {
        self.look(|known| known.plug.is_some())
    }

    pub(super) fn into_facts(self) -> Facts {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
