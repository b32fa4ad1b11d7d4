//! Drives a join over the sockets, connects to the plug's network again when the join requires it, and turns its events
//! into steps and failures.

use std::net::Ipv4Addr;

use hiflying::join::{
    JoinConfig, JoinError, JoinEvent, JoinFailure, JoinOutcome, JoinPath, JoinStep, ModuleState,
    PLACEHOLDER_SSID, RejoinReason, StepName,
};
use hiflying::net::{Resume, UdpPort, join};
use hiflying::wscan::ScannedNetwork;
use hiflying::{ACCESS_POINT_ADDRESS, Mac, Ssid};
use plugs::net::Lan;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::interruption::StopRequest;
use super::module;
use super::options::SetupOptions;
use super::steps::StepLog;
use super::timing::{MANUAL_REJOIN_INTERVAL, MANUAL_REJOIN_TIMEOUT};
use super::wifi_access::{PlugNetwork, WifiAccess};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::InventoryFile;
use crate::ui::Ui;

/// A module that was not put on the network.
pub(super) struct FailedJoin {
    pub(super) failure: Failure,
    /// True if the module has proven that the key is wrong.
    pub(super) is_wrong_key: bool,
}

impl From<Failure> for FailedJoin {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            is_wrong_key: false,
        }
    }
}

/// A module to be put on a network, with the parts of the setup that this needs.
pub(super) struct ModuleJoin<'j, 'a> {
    pub(super) context: &'a Context,
    pub(super) options: &'j SetupOptions,
    pub(super) access: &'j mut WifiAccess,
    pub(super) network: Option<&'j mut PlugNetwork>,
    /// Address of the module.
    pub(super) module: Ipv4Addr,
    pub(super) steps: &'j mut StepLog<'a>,
    /// Set once the module is identified.
    pub(super) mac: &'j mut Option<Mac>,
}

impl ModuleJoin<'_, '_> {
    /// Puts the module on the network. `networks` is the result of its scan, if there is one.
    pub(super) async fn run(
        mut self,
        stop: &StopRequest,
        lan: Lan,
        ssid: &Ssid,
        networks: Option<Vec<ScannedNetwork>>,
    ) -> Result<JoinOutcome, FailedJoin> {
        let mut config = JoinConfig {
            security: self.options.security,
            verify: self.options.verify,
            networks,
            ..JoinConfig::new(ssid.clone(), self.options.home_key())
        };
        config.session.words.extend_from_slice(&lan.words());
        let module = self.module;
        let port = lan
            .port_towards(module)
            .ok_or_else(|| Failure::local(format!("no network leads to {module}")))?;
        let listener = stop.listen();
        let refuse = CancellationToken::new();
        let cancel = async {
            tokio::select! {
                () = listener.requested() => {}
                () = refuse.cancelled() => {}
            }
        };
        let mut refused = None;
        let mut own_address = port.address();
        let joined = join(port, module, config, cancel, async |event| {
            tracing::debug!(?event, "join");
            match event {
                JoinEvent::Identified { mac, path, .. } => {
                    if let Err(failure) = self.check_identity(mac, path) {
                        refused = Some(failure);
                        refuse.cancel();
                    }
                    Resume::SamePort
                }
                JoinEvent::Step(step) => {
                    self.log(&step);
                    Resume::SamePort
                }
                JoinEvent::Rejoin(reason) => tokio::select! {
                    biased;
                    // Nothing can be written back to a module that is away, and after a roll-back nothing has to be.
                    () = listener.requested() => Resume::GiveUp,
                    resume = self.rejoin(reason, &mut own_address) => resume,
                },
                JoinEvent::Done(_) | JoinEvent::Failed(_) => Resume::SamePort,
            }
        });
        joined.await.map_err(|failure| FailedJoin {
            is_wrong_key: refused.is_none() && matches!(failure.error, JoinError::WrongKey { .. }),
            failure: refused.unwrap_or_else(|| explain(module, &lan, &failure)),
        })
    }

    /// Refuses a name that belongs to another plug, while nothing has been changed yet.
    fn check_identity(&mut self, mac: Mac, path: JoinPath) -> Result<(), Failure> {
        *self.mac = Some(mac);
        if self.options.verify && path == JoinPath::Direct {
            self.steps
                .progress("the key cannot be proven before the plug is on your network");
        }
        let Some(name) = &self.options.name else {
            return Ok(());
        };
        let file = InventoryFile::new(self.context.state_directory()?);
        match file.load()?.inventory.by_name(name.as_str()) {
            Some(owner) if owner.mac != mac => Err(Failure::usage(format!(
                "the name `{name}` belongs to the plug {}",
                owner.mac
            ))
            .hint("choose another name, or free it with `mains name <PLUG> --clear`; nothing was changed")),
            _ => Ok(()),
        }
    }

    /// Gets this computer back onto the module's access point, which went away for a moment.
    async fn rejoin(&mut self, reason: RejoinReason, own_address: &mut Ipv4Addr) -> Resume {
        match self.reconnect(reason, *own_address).await {
            Ok(Some(port)) => {
                *own_address = port.address();
                Resume::NewPort(port)
            }
            Ok(None) => Resume::SamePort,
            Err(failure) => {
                self.steps.failed("wifi", failure.to_string());
                Resume::GiveUp
            }
        }
    }

    /// Returns a new socket if this computer has got another address.
    async fn reconnect(
        &mut self,
        reason: RejoinReason,
        own_address: Ipv4Addr,
    ) -> Result<Option<UdpPort>, Failure> {
        let module = self.module;
        match (&mut self.network, &mut *self.access) {
            (Some(network), WifiAccess::NetworkManager(manager)) => {
                network.rejoin(manager, self.steps).await?;
            }
            _ if module != ACCESS_POINT_ADDRESS => return Ok(None),
            _ if !module::is_on_our_network(module) => {
                if reason != RejoinReason::Silence {
                    self.steps.progress(
                        "the plug restarts; if this computer does not return to its network by itself, join it again",
                    );
                }
                wait_for_manual_rejoin(&self.context.ui, module).await?;
            }
            _ => {}
        }
        // The old socket is still open, and there can be only one on an address.
        if module::is_own(own_address) {
            return Ok(None);
        }
        let lan = module::open_lan(self.context, module).await?;
        Ok(lan.port_towards(module))
    }

    fn log(&mut self, step: &JoinStep) {
        let text = step_text(step.name, step.ok);
        let line = match &step.detail {
            Some(detail) => format!("{text}: {detail}"),
            None => text.to_owned(),
        };
        if step.ok {
            self.steps.succeeded(step.name.as_str(), line);
        } else {
            self.steps.failed(step.name.as_str(), line);
        }
    }
}

/// Waits until this computer is on the plug's network again.
pub(super) async fn wait_for_manual_rejoin(ui: &Ui, module: Ipv4Addr) -> Result<(), Failure> {
    let joined = timeout(MANUAL_REJOIN_TIMEOUT, async {
        while !module::is_on_our_network(module) {
            sleep(MANUAL_REJOIN_INTERVAL).await;
        }
    });
    let what = "waiting for this computer to join the plug's network";
    let joined = ui
        .waiting_at_most(what, MANUAL_REJOIN_TIMEOUT, joined)
        .await;
    joined.map_err(|_| module::not_on_plug_network(module))
}

fn step_text(step: StepName, ok: bool) -> &'static str {
    match (step, ok) {
        (StepName::Find, _) => "found the module",
        (StepName::Read, _) => "its current mode",
        (StepName::Scan, _) => "scanned for networks",
        (StepName::Mode, true) => "its own network stays open for the proof",
        (StepName::Mode, false) => "its own network cannot stay open for the proof",
        (StepName::Ssid, _) => "network name written",
        (StepName::Key, _) => "key written",
        (StepName::ReadBack, _) => "read back from the module",
        (StepName::Dhcp, _) => "address by DHCP",
        (StepName::Restart, true) => "restarted",
        (StepName::Restart, false) => "restart",
        (StepName::Return, _) => "back after its restart",
        (StepName::Link, true) => "linked to your network",
        (StepName::Link, false) => "link to your network",
        (StepName::Lease, _) => "address on your network",
        (StepName::Ping, _) => "ping to the router",
        (StepName::Station, _) => "leaves its own network for yours",
        (StepName::RollBack, _) => "previous settings restored",
    }
}

/// Returns the failure of a join, with the state of the plug as hint.
fn explain(module: Ipv4Addr, lan: &Lan, failure: &JoinFailure) -> Failure {
    if failure.error == JoinError::NoReply
        && let Some(taken) = lan.taken().first()
    {
        return Failure::from(taken.as_ref());
    }
    let kind = match &failure.error {
        JoinError::Key(_) => Kind::Usage,
        JoinError::NoReply | JoinError::Lost(_) | JoinError::NotBack => Kind::NoAnswer,
        JoinError::Refused { .. }
        | JoinError::Mangled(_)
        | JoinError::NotRestarting
        | JoinError::WrongKey { .. }
        | JoinError::NoLease(_) => Kind::Refused,
        JoinError::BadReply(_) => Kind::BadAnswer,
        JoinError::Cancelled => Kind::Failed,
    };
    let message = match &failure.error {
        JoinError::NoReply => format!("no reply from a module at {module}"),
        error => error.to_string(),
    };
    Failure::new(kind, message).hint(plug_state(failure))
}

/// Returns the state of the plug in words, and what to do next.
fn plug_state(failure: &JoinFailure) -> String {
    let rolled_back = failure
        .steps
        .iter()
        .any(|step| step.name == StepName::RollBack && step.ok);
    let state = match (failure.left, &failure.error) {
        (ModuleState::Untouched, JoinError::NoReply) => {
            "check that the plug has power, and that this computer is on the plug's own network (or on the one where the \
             plug is)"
        }
        (ModuleState::Untouched, _) => {
            "nothing was changed: the plug can still be reached on its own network, or where it was"
        }
        (ModuleState::Restored, _) => {
            "the plug is as it was before: it can still be reached on its own network, or where it was"
        }
        (ModuleState::Partial, _) => return what_remains(failure),
        (ModuleState::Unknown, _) if rolled_back => {
            "the previous settings were written back and read, but the plug has not replied since: it is as it was before \
             once it has restarted"
        }
        (ModuleState::Unknown, _) => {
            "look for the plug's own network, and for the plug on yours with `mains discover`; if it is on neither, hold the \
             button on the plug until its light changes, so that it opens its own network again"
        }
    };
    state.to_owned()
}

/// Returns what a plug that can be reached as before may still hold of what was written.
fn what_remains(failure: &JoinFailure) -> String {
    let reached = "the plug can still be reached on its own network, or where it was";
    let remains: Vec<&str> = failure
        .remains
        .iter()
        .map(|setting| match setting {
            StepName::Ssid => "your network's name",
            StepName::Key => "your network's security and key",
            StepName::Dhcp => "the way in which it gets its address",
            _ => "its mode",
        })
        .collect();
    match remains.as_slice() {
        [] => format!(
            "{reached}; it takes no empty network name, so '{PLACEHOLDER_SSID}' stands where none was"
        ),
        remains => format!(
            "{reached}, but not all is as before: it may still hold {}; hold its button until its light changes, which resets \
             it, before you give it away",
            remains.join(", ")
        ),
    }
}
