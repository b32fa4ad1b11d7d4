//! The extent of a search.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::DiscoveryWord;

/// The extent of a search: its networks, addresses and duration.
#[derive(Debug, Clone, Default)]
pub struct SearchPlan {
    /// The local networks.
    pub links: Vec<SearchLink>,
    /// Addresses to probe directly: the index of the link that leads there, and the address.
    pub direct: Vec<(usize, Ipv4Addr)>,
    /// Discovery words in addition to the known ones.
    pub words: Vec<DiscoveryWord>,
    /// Maximum duration. `None`: [`SEARCH_TIMEOUT`](super::SEARCH_TIMEOUT), or
    /// [`SILENT_SEARCH_TIMEOUT`](super::SILENT_SEARCH_TIMEOUT) without any reply.
    pub wait: Option<Duration>,
    /// Number of devices to find: the search stops then, and not before.
    pub expect: Option<usize>,
    /// `true` to search without end, and to report changes.
    pub watch: bool,
}

/// A local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchLink {
    /// Our own address in it. Datagrams from it are our own echo.
    pub address: Ipv4Addr,
    /// The length of the network's prefix.
    pub prefix: u8,
    /// The broadcast address; `None` when only direct probes go out here.
    pub broadcast: Option<Ipv4Addr>,
}

impl SearchLink {
    /// Returns whether a broadcast on this link reaches `address`.
    pub(super) fn covers(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX
            .checked_shl(32_u32.saturating_sub(self.prefix.into()))
            .unwrap_or(0);
        let differs = u32::from(self.address) ^ u32::from(address);
        self.broadcast.is_some() && differs & mask == 0
    }
}
