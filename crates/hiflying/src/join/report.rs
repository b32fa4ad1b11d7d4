//! What a join is asked to do and what it tells: configuration, events, outcome, errors.

use std::time::Duration;

use crate::settings::{Mode, Wan};
use crate::wifi::{Ssid, WifiKey, WifiKeyError, WifiSecurity};
use crate::wscan::ScannedNetwork;
use crate::{ErrorCode, Mac, ModuleIdentity};

use crate::session::AtSessionConfig;

/// What a join shall do.
#[derive(Debug, Clone)]
pub struct JoinConfig {
    /// The network to join.
    pub ssid: Ssid,
    /// Its key; none for an open network.
    pub key: Option<WifiKey>,
    /// How it is protected.
    pub security: WifiSecurity,
    /// What the module sees, if it has been asked already; otherwise it is asked where that
    /// decides the security.
    pub networks: Option<Vec<ScannedNetwork>>,
    /// Whether to prove the key while the module's own access point is still there.
    pub verify: bool,
    /// How long a link may take before the key counts as wrong.
    pub link_timeout: Duration,
    /// How long the network may take to give an address.
    pub lease_timeout: Duration,
    /// How long the module may be away for a restart, counted from when the caller is back on its
    /// access point.
    pub restart_timeout: Duration,
    /// The session underneath.
    pub session: AtSessionConfig,
}

impl JoinConfig {
    /// For a network and its key; everything else by default: security by itself, with proof.
    pub fn new(ssid: Ssid, key: Option<WifiKey>) -> Self {
        Self {
            ssid,
            key,
            security: WifiSecurity::Auto,
            networks: None,
            verify: true,
            link_timeout: Duration::from_secs(20),
            lease_timeout: Duration::from_secs(15),
            restart_timeout: Duration::from_secs(60),
            // A join is a chain of some twenty commands, so each needs more patience than one
            // alone.
            session: AtSessionConfig {
                tries: 6,
                handshake_timeout: Duration::from_secs(12),
                ..AtSessionConfig::default()
            },
        }
    }
}

/// One thing that a join has done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinStep {
    /// Which.
    pub name: StepName,
    /// Whether it went well. A join can succeed with a step that did not, such as a router that
    /// answers no ping.
    pub ok: bool,
    /// Words for people: a value, a refusal. Never a key.
    pub detail: Option<String>,
}

/// The steps of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepName {
    /// Finding the module and opening its session.
    Find,
    /// Reading what is set now.
    Read,
    /// Letting the module look for networks.
    Scan,
    /// Switching to access point and station at once.
    Mode,
    /// Writing the network's name.
    Ssid,
    /// Writing security and key.
    Key,
    /// Reading both back.
    ReadBack,
    /// Asking for an address by DHCP.
    Dhcp,
    /// Restarting.
    Restart,
    /// Hearing it again after a restart.
    Return,
    /// The link to the network.
    Link,
    /// The address on the network.
    Lease,
    /// Pinging the router from the module.
    Ping,
    /// Giving up the module's own access point.
    Station,
    /// Writing back what was there before.
    RollBack,
}

impl StepName {
    /// Returns the name that appears in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Read => "read",
            Self::Scan => "scan",
            Self::Mode => "mode",
            Self::Ssid => "ssid",
            Self::Key => "key",
            Self::ReadBack => "read-back",
            Self::Dhcp => "dhcp",
            Self::Restart => "restart",
            Self::Return => "return",
            Self::Link => "link",
            Self::Lease => "lease",
            Self::Ping => "ping",
            Self::Station => "station",
            Self::RollBack => "roll-back",
        }
    }
}

impl std::fmt::Display for StepName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a join tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinEvent {
    /// The module is known; nothing has been changed yet.
    Identified {
        /// Its hardware address.
        mac: Mac,
        /// Its answer to the discovery word, unless its session was open already.
        identity: Option<ModuleIdentity>,
        /// What its radio does.
        mode: Option<Mode>,
        /// Which way this join goes.
        path: JoinPath,
    },
    /// A step has been done.
    Step(JoinStep),
    /// The module's access point goes away for a moment. Connect to it again, then call `resume`:
    /// the join stands still until then.
    Rejoin(RejoinReason),
    /// It is done: the module leaves its access point for the network. Nothing more has to be sent;
    /// look for its hardware address there.
    Done(Box<JoinOutcome>),
    /// It is over.
    Failed(Box<JoinFailure>),
}

/// Why the module's access point goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejoinReason {
    /// It restarts as access point and station, to prove the key.
    Proof,
    /// It restarts with what was there before.
    RollBack,
    /// It fell silent; a module that links to a network moves its access point to that network's
    /// channel.
    Silence,
}

/// How sure a finished join can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinPath {
    /// The module linked and got an address while its own access point was still there.
    Verified,
    /// Settings were written and read back; only the network can tell whether the key is right.
    Direct,
}

/// A finished join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinOutcome {
    /// The module's hardware address: look for it on the network.
    pub mac: Mac,
    /// Its answer to the discovery word, unless its session was open already.
    pub identity: Option<ModuleIdentity>,
    /// How sure this is.
    pub path: JoinPath,
    /// The address it got on the network, on the verified path.
    pub lease: Option<Wan>,
    /// What its radio did before.
    pub mode_before: Option<Mode>,
    /// What was done.
    pub steps: Vec<JoinStep>,
}

/// A join that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct JoinFailure {
    /// Why.
    #[source]
    pub error: JoinError,
    /// In which state the module is left.
    pub left: ModuleState,
    /// The module's hardware address, if it was heard.
    pub mac: Option<Mac>,
    /// What was done.
    pub steps: Vec<JoinStep>,
}

/// In which state a failed join leaves the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModuleState {
    /// Nothing was changed.
    Untouched,
    /// What was there before has been written back, and the module answers as before.
    Restored,
    /// What was there before could not be written back, or the module has not been heard since. New
    /// settings that were written take effect with its next restart.
    Unknown,
}

/// Why a join failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The key does not fit the network's security. Nothing was changed.
    #[error("{0}")]
    Key(#[from] WifiKeyError),
    /// Nobody answered.
    #[error("no module answers")]
    NoAnswer,
    /// It answered at first, then no longer.
    #[error("the module stopped answering (step: {0})")]
    Lost(StepName),
    /// It refused a setting.
    #[error("the module refused the {step}: {code}")]
    Refused {
        /// Which.
        step: StepName,
        /// How.
        code: ErrorCode,
    },
    /// It keeps the network's name or key differently from what was sent.
    #[error("the module cannot keep this {0}: it reads back differently")]
    Mangled(StepName),
    /// What it says makes no sense.
    #[error("the module's answer cannot be understood (step: {0})")]
    BadAnswer(StepName),
    /// It keeps running instead of restarting.
    #[error("the module does not restart")]
    NotRestarting,
    /// It did not come back after a restart.
    #[error("the module did not come back after its restart")]
    NotBack,
    /// It did not link to the network in time.
    #[error("the module could not join '{ssid}'{}", if *.seen { ": wrong key?" } else { ": wrong key, or the network is out of its reach (it needs 2.4 GHz)" })]
    WrongKey {
        /// The network.
        ssid: Ssid,
        /// Whether the module's scan had seen the network.
        seen: bool,
    },
    /// It linked, but the network gave it no address.
    #[error("the module joined '{0}', but got no address there")]
    NoLease(Ssid),
    /// The caller stopped it.
    #[error("stopped")]
    Cancelled,
}
