//! Facts about a device so far. Each check adds to them, so that an interrupted probe still gives a report.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use hiflying::settings::{Mode, SocketSettings};
use hiflying::{Credentials, DiscoveryWord, Mac};
use parking_lot::Mutex;
use plugs::{FamilyId, Plug};

use harden::web::WebAccess;

/// Facts about one device.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// True if TCP port 80 accepts connections.
    pub(super) http: bool,
    /// True if TCP port 8899 accepts connections.
    pub(super) data: bool,
    /// Access to the web page, if it was checked.
    pub(super) web: Option<WebAccess>,
    /// Reply to a family's own scan.
    pub(super) plug: Option<Plug>,
    /// Reply to a discovery word.
    pub(super) module: Option<Plug>,
    /// Other devices of the network, each with its address.
    pub(super) neighbours: BTreeSet<(Mac, Ipv4Addr)>,
    /// Words that got a reply.
    pub(super) words: Vec<DiscoveryWord>,
    /// Facts from the AT session, if one could be opened.
    pub(super) session: Option<SessionFacts>,
    /// Firmware version that the plug's own parser reports.
    pub(super) plug_version: Option<String>,
}

/// Facts from an AT session; `None` where it refused.
#[derive(Debug, Default)]
pub(super) struct SessionFacts {
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
    pub(super) mode: Option<Mode>,
    pub(super) access_point: Option<Credentials>,
    /// Sockets of the module, some of which call a server.
    pub(super) servers: Vec<SocketSettings>,
}

impl Facts {
    /// Adds the device in a reply, the first of each kind: a Reco plug also replies as a plain module.
    pub(super) fn add(&mut self, plug: Plug) {
        let place = match plug.family {
            FamilyId::MODULE => &mut self.module,
            _ => &mut self.plug,
        };
        place.get_or_insert(plug);
    }

    /// Tells whether the device has replied at all.
    pub(super) fn has_reply(&self) -> bool {
        self.http || self.data || self.plug.is_some() || self.module.is_some()
    }
}

/// Facts to which several checks add at the same time.
#[derive(Debug, Default)]
pub(super) struct Evidence(Mutex<Facts>);

impl Evidence {
    /// Adds facts.
    pub(super) fn note(&self, add: impl FnOnce(&mut Facts)) {
        // The facts of a check that panicked are still true.
        add(&mut self.0.lock());
    }

    /// Reads facts.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Facts) -> T) -> T {
        query(&self.0.lock())
    }

    /// Tells whether a plug family has replied, so that no further scan is needed.
    pub(super) fn has_family(&self) -> bool {
        self.read(|facts| facts.plug.is_some())
    }

    pub(super) fn into_facts(self) -> Facts {
        self.0.into_inner()
    }
}
