//! Setup of one plug, from its own network to the user's.

use std::net::Ipv4Addr;

use hiflying::join::{JoinOutcome, JoinPath};
use hiflying::{ACCESS_POINT_ADDRESS, Mac, Ssid};
use plugs::Plug;
use plugs::net::Lan;

use super::arrival::ArrivalSearch;
use super::interruption::{Interruption, StopRequest};
use super::joining::{ModuleJoin, wait_for_manual_rejoin};
use super::module;
use super::options::SetupOptions;
use super::prompts;
use super::report::SetupReport;
use super::steps::StepLog;
use super::timing::MAX_KEY_ENTRIES;
use super::wifi_access::{PlugNetwork, WifiAccess};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::hints;

/// Hint for a plug that is on no network any more.
const BUTTON: &str = "if the plug does not appear, the key or the name was wrong, or the network is out of its range (it must \
    be on 2.4 GHz): hold the button on the plug until its light changes, so that it opens its own network again, and repeat \
    the setup";

/// Setup of one plug and its progress.
pub(super) struct SetupJob<'a> {
    context: &'a Context,
    options: &'a mut SetupOptions,
    access: &'a mut WifiAccess,
    /// The plug's own network, if this computer has to join it.
    network: Option<PlugNetwork>,
    /// Address of the module.
    module: Ipv4Addr,
    steps: StepLog<'a>,
    mac: Option<Mac>,
    /// Name of the plug before its MAC is known.
    pub(super) given: Option<String>,
    address: Option<Ipv4Addr>,
    /// Failure to restore the computer's Wi-Fi.
    restore_failure: Option<Failure>,
}

impl<'a> SetupJob<'a> {
    pub(super) fn new(
        context: &'a Context,
        options: &'a mut SetupOptions,
        access: &'a mut WifiAccess,
        network: Option<PlugNetwork>,
        module: Ipv4Addr,
        prefix: String,
    ) -> Self {
        Self {
            context,
            options,
            access,
            network,
            module,
            steps: StepLog::new(&context.ui, prefix),
            mac: None,
            given: None,
            address: None,
            restore_failure: None,
        }
    }

    /// Runs the setup, and restores this computer's Wi-Fi in every case.
    pub(super) async fn run(mut self, interruption: &mut Interruption) -> SetupReport {
        let context = self.context;
        let stop = interruption.stop();
        let outcome = interruption.run(context, self.work(&stop)).await;
        if self.restore_failure.is_none()
            && interruption.finish(self.restore_wifi()).await.is_none()
        {
            self.restore_failure = Some(
                Failure::failed("this computer's Wi-Fi has not been restored")
                    .hint("restore it with `mains setup --undo`"),
            );
        }
        let failure = match (outcome, self.restore_failure) {
            (Ok(()), restore_failure) => restore_failure,
            (Err(failure), None) => Some(failure),
            (Err(failure), Some(restore_failure)) => {
                context.ui.warn(restore_failure);
                Some(failure)
            }
        };
        SetupReport {
            given: self.given,
            mac: self.mac,
            ssid: self.options.ssid.clone(),
            confirmed: self.address.is_some(),
            address: self.address,
            failure,
            steps: self.steps.into_steps(),
        }
    }

    async fn restore_wifi(&mut self) {
        if let Err(failure) = self.access.restore(&mut self.steps).await {
            self.restore_failure = Some(failure);
        }
    }

    async fn work(&mut self, stop: &StopRequest) -> Result<(), Failure> {
        self.join_plug_network().await?;
        let lan = module::open_lan(self.context, self.module).await?;
        let (joined, ssid) = self.join_home_network(stop, lan).await?;
        self.restore_wifi().await;
        self.confirm(&joined, &ssid).await
    }

    /// Joins the plug's network with this computer, unless that is left to the user.
    async fn join_plug_network(&mut self) -> Result<(), Failure> {
        if let (Some(network), WifiAccess::NetworkManager(manager)) =
            (&mut self.network, &mut *self.access)
        {
            network
                .join(&self.context.ui, manager, &mut self.steps)
                .await?;
        }
        Ok(())
    }

    /// Puts the module on the home network, which is chosen from its scan where it was not named.
    async fn join_home_network(
        &mut self,
        stop: &StopRequest,
        mut lan: Lan,
    ) -> Result<(JoinOutcome, Ssid), Failure> {
        let mut networks = None;
        let ssid = match self.options.ssid.clone() {
            Some(ssid) => ssid,
            None => {
                self.steps.progress("the plug scans for networks");
                let scan = module::scan(&lan, self.module);
                let seen = self
                    .context
                    .ui
                    .waiting("waiting for the scan", scan)
                    .await?;
                let ssid = prompts::home_network(&self.context.ui, self.options, &seen).await?;
                networks = Some(seen).filter(|seen| !seen.is_empty());
                ssid
            }
        };
        let mut attempt = 1;
        loop {
            let join = ModuleJoin {
                context: self.context,
                options: self.options,
                access: self.access,
                network: self.network.as_mut(),
                module: self.module,
                steps: &mut self.steps,
                mac: &mut self.mac,
            };
            let work = join.run(stop, lan, &ssid, networks.take());
            let ui = &self.context.ui;
            let failed = match ui.waiting("waiting for the module", work).await {
                Ok(joined) => return Ok((joined, ssid)),
                Err(failed) => failed,
            };
            let again = failed.is_wrong_key && self.options.has_typed_key;
            if !again || attempt >= MAX_KEY_ENTRIES {
                return Err(failed.failure);
            }
            ui.warn(&failed.failure);
            self.options.type_key(ui).await?;
            attempt += 1;
            lan = self.return_to_module().await?;
        }
    }

    /// Gets back to the module, which has restarted with its former settings.
    async fn return_to_module(&mut self) -> Result<Lan, Failure> {
        match (&mut self.network, &mut *self.access) {
            (Some(network), WifiAccess::NetworkManager(manager)) => {
                network.rejoin(manager, &self.steps).await?;
            }
            _ if self.module == ACCESS_POINT_ADDRESS => {
                wait_for_manual_rejoin(&self.context.ui, self.module).await?;
            }
            _ => {}
        }
        module::open_lan(self.context, self.module).await
    }

    /// Confirms that the plug is on the home network.
    async fn confirm(&mut self, joined: &JoinOutcome, ssid: &Ssid) -> Result<(), Failure> {
        self.steps
            .progress(format_args!("looking for the plug on '{ssid}'"));
        if matches!(self.access, WifiAccess::Manual) && self.module == ACCESS_POINT_ADDRESS {
            self.steps.progress(hints::join_home(ssid));
        }
        let search = ArrivalSearch {
            context: self.context,
            mac: joined.mac,
            ssid,
            module: self.module,
            to: self.addresses(joined),
        };
        let found = search.find(self.options.wait, &mut self.steps).await;
        let plug = found.map_err(|failure| match failure.kind() {
            Kind::NoAnswer => failure.hint(not_seen_hint(joined)),
            _ => failure,
        })?;
        self.address = Some(plug.address);
        remember(self.context, self.options, &plug)
    }

    /// Returns the addresses where the plug may be, besides those that a broadcast reaches.
    fn addresses(&self, joined: &JoinOutcome) -> Vec<Ipv4Addr> {
        let lease = joined.lease.map(|lease| lease.address);
        let mut addresses = self.options.to.clone();
        addresses.extend(lease.filter(|address| !address.is_unspecified()));
        // The address on the plug's own network leads nowhere from home; one on any other network may be kept.
        if matches!(self.access, WifiAccess::Manual) {
            addresses.push(self.module);
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

/// Writes a plug that was set up, and its new name, if any, into the inventory.
pub(super) fn remember(
    context: &Context,
    options: &SetupOptions,
    plug: &Plug,
) -> Result<(), Failure> {
    context.change_inventory(|inventory| {
        inventory.remember(std::slice::from_ref(plug));
        match &options.name {
            Some(name) => inventory
                .rename(plug.mac, Some(name))
                .map(drop)
                .map_err(|taken| Failure::usage(taken.to_string())),
            None => Ok(()),
        }
    })
}

/// Returns the hint for a plug that was not seen.
fn not_seen_hint(joined: &JoinOutcome) -> String {
    match joined.path {
        // The key has been proven, so this computer looks in the wrong place.
        JoinPath::Verified => format!(
            "the plug has proven the key, so it is on the network: look for it from a computer there with `mains discover`, or \
             pass its address with `--to`; {BUTTON}"
        ),
        JoinPath::Direct => BUTTON.to_owned(),
    }
}
