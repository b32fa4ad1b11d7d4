//! Interface of a join: configuration, events, outcome, errors.

use std::time::Duration;

use super::timing::{
    COMMAND_RETRIES, HANDSHAKE_TIMEOUT, LEASE_TIMEOUT, LINK_TIMEOUT, RESTART_TIMEOUT,
};
use crate::session::AtSessionConfig;
use crate::settings::{Mode, Wan};
use crate::wifi::{Ssid, WifiKey, WifiKeyError, WifiSecurity};
use crate::wscan::ScannedNetwork;
use crate::{ErrorCode, Mac, ModuleIdentity};

/// Configuration of a join.
#[derive(Debug, Clone)]
pub struct JoinConfig {
    /// The network to join.
    pub ssid: Ssid,
    /// Key of the network; none for an open one.
    pub key: Option<WifiKey>,
    /// Security of the network.
    pub security: WifiSecurity,
    /// Result of the module's scan, if there is one already; otherwise it scans where the security depends
    /// on it.
    pub networks: Option<Vec<ScannedNetwork>>,
    /// True to prove the key while the module's own access point is still there.
    pub verify: bool,
    /// Time for the link to the network; after that the key counts as wrong.
    pub link_timeout: Duration,
    /// Time for the network to give an address.
    pub lease_timeout: Duration,
    /// Time for a restart, counted from when the caller is back on the module's access point.
    pub restart_timeout: Duration,
    /// Configuration of the session.
    pub session: AtSessionConfig,
}

impl JoinConfig {
    /// Returns the default for a network and its key: automatic security, with proof.
    pub fn new(ssid: Ssid, key: Option<WifiKey>) -> Self {
        Self {
            ssid,
            key,
            security: WifiSecurity::Auto,
            networks: None,
            verify: true,
            link_timeout: LINK_TIMEOUT,
            lease_timeout: LEASE_TIMEOUT,
            restart_timeout: RESTART_TIMEOUT,
            session: AtSessionConfig {
                tries: COMMAND_RETRIES,
                handshake_timeout: HANDSHAKE_TIMEOUT,
                ..AtSessionConfig::default()
            },
        }
    }
}

/// A finished step of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinStep {
    /// Name of the step.
    pub name: StepName,
    /// True if the step succeeded. A join can succeed although a step has failed, such as a ping that the router
    /// ignores.
    pub ok: bool,
    /// Detail for people: a value, a refusal. Never a key.
    pub detail: Option<String>,
}

/// The steps of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum StepName {
    /// Finding the module and opening its session.
    Find,
    /// Reading the current settings.
    Read,
    /// Having the module scan for networks.
    Scan,
    /// Switching to access point and station at once.
    Mode,
    /// Writing the network's name.
    Ssid,
    /// Writing security and key.
    Key,
    /// Reading both back.
    ReadBack,
    /// Requesting an address by DHCP.
    Dhcp,
    /// Restarting.
    Restart,
    /// Coming back after a restart.
    Return,
    /// Linking to the network.
    Link,
    /// Getting an address on the network.
    Lease,
    /// Pinging the router from the module.
    Ping,
    /// Giving up the module's own access point.
    Station,
    /// Writing back the previous settings.
    RollBack,
}

impl StepName {
    /// Returns the name that appears in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Event of a running join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinEvent {
    /// The module is identified; nothing has been changed yet.
    Identified {
        /// Hardware address of the module.
        mac: Mac,
        /// Reply to the discovery word, unless the session was open already.
        identity: Option<ModuleIdentity>,
        /// Mode of the radio.
        mode: Option<Mode>,
        /// Path that this join takes.
        path: JoinPath,
    },
    /// A step has finished.
    Step(JoinStep),
    /// The module's access point goes away for a moment. Connect to it again, then call `resume`; the join
    /// pauses until then.
    Rejoin(RejoinReason),
    /// The join has succeeded: the module leaves its access point for the network. Look for its hardware
    /// address there.
    Done(Box<JoinOutcome>),
    /// The join has failed.
    Failed(Box<JoinFailure>),
}

/// Reason why the module's access point goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejoinReason {
    /// It restarts as access point and station, to prove the key.
    Proof,
    /// It restarts with the previous settings.
    RollBack,
    /// It fell silent; a module that links to a network moves its access point to that network's
    /// channel.
    Silence,
}

/// Path of a join: with or without proof of the key.
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
    /// Hardware address of the module, by which it is found on the network.
    pub mac: Mac,
    /// Reply to the discovery word, unless the session was open already.
    pub identity: Option<ModuleIdentity>,
    /// Path that the join took.
    pub path: JoinPath,
    /// Address that the module got on the network, on the verified path.
    pub lease: Option<Wan>,
    /// Mode of the radio before the join.
    pub mode_before: Option<Mode>,
    /// Finished steps.
    pub steps: Vec<JoinStep>,
}

/// A join that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct JoinFailure {
    /// Reason.
    #[source]
    pub error: JoinError,
    /// State in which the module is left.
    pub left: ModuleState,
    /// Settings that the join has changed and that were not proven to be as before, by the step that changed them; with
    /// [`ModuleState::Partial`].
    pub remains: Vec<StepName>,
    /// Hardware address of the module, if it was identified.
    pub mac: Option<Mac>,
    /// Finished steps.
    pub steps: Vec<JoinStep>,
}

/// The network name that is written back where the module had none and does not take an empty one, so that the name of a home does
/// not stay in a plug that is given away.
pub const PLACEHOLDER_SSID: &str = "none";

/// State in which a failed join leaves the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModuleState {
    /// Nothing was changed.
    Untouched,
    /// The previous settings have been written back and read, and the module replies as before.
    Restored,
    /// The module replies as before, but not every setting was proven to be as before: [`JoinFailure::remains`] names those that
    /// may still hold what was written. Where none is named, [`PLACEHOLDER_SSID`] stands in place of an empty network name, which
    /// most modules do not take.
    Partial,
    /// The previous settings could not be written back, or the module has not replied since. Settings that
    /// were written take effect with its next restart.
    Unknown,
}

/// Reason why a join failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The key does not fit the network's security. Nothing was changed.
    #[error("{0}")]
    Key(#[from] WifiKeyError),
    /// The module did not reply at all.
    #[error("no reply from the module")]
    NoReply,
    /// It replied at first, then no longer.
    #[error("the module stopped replying (step: {0})")]
    Lost(StepName),
    /// It refused a setting.
    #[error("the module refused the {step}: {code}")]
    Refused {
        /// The setting.
        step: StepName,
        /// The refusal.
        code: ErrorCode,
    },
    /// It stores the network's name or key differently from what was sent.
    #[error("the module cannot store this {0}: it reads back differently")]
    Mangled(StepName),
    /// Its reply is unintelligible.
    #[error("unintelligible reply from the module (step: {0})")]
    BadReply(StepName),
    /// It keeps running instead of restarting.
    #[error("the module did not restart")]
    NotRestarting,
    /// It did not come back after a restart.
    #[error("the module did not come back after its restart")]
    NotBack,
    /// It did not link to the network in time.
    #[error("the module could not join '{ssid}'{}", if *.seen { ": wrong key?" } else { ": wrong key, or the network is out of range (it must be on 2.4 GHz)" })]
    WrongKey {
        /// The network.
        ssid: Ssid,
        /// True if the module's scan has shown the network.
        seen: bool,
    },
    /// It linked, but the network gave it no address.
    #[error("the module joined '{0}' but got no address there")]
    NoLease(Ssid),
    /// The caller stopped it.
    #[error("cancelled")]
    Cancelled,
}
