//! One plug from its own network to the user's.

use std::net::Ipv4Addr;

use hiflying::join::{JoinOutcome, JoinPath};
use hiflying::wscan::ScannedNetwork;
use hiflying::{ACCESS_POINT_ADDRESS, Mac, Ssid};
use plugs::Plug;

use super::guard::{Guard, Stop};
use super::joining;
use super::module;
use super::prompts;
use super::proof::Search;
use super::report::Report;
use super::steps::Steps;
use super::way::{PlugNetwork, Way};
use super::wish::Wish;
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::{InventoryFile, Save};

/// The way back to a plug that is on no network any more.
const BUTTON: &str = "if it does not turn up, the key or the name was wrong, or the network is out of its reach (it needs \
    2.4 GHz): hold the button on the plug until its light changes, so that it opens its own network again, and repeat the setup";

/// What is to be done with one plug, and how far it has come.
pub(super) struct Job<'a> {
    pub(super) context: &'a Context,
    pub(super) wish: &'a mut Wish,
    pub(super) way: &'a mut Way,
    /// The plug's own network, where this computer has to join it.
    pub(super) network: Option<PlugNetwork>,
    /// Where the module answers.
    pub(super) module: Ipv4Addr,
    /// What the module sees, where it has been asked.
    pub(super) networks: Option<Vec<ScannedNetwork>>,
    pub(super) steps: Steps<'a>,
    pub(super) mac: Option<Mac>,
    /// What the plug is called before its MAC is known.
    pub(super) given: Option<String>,
    address: Option<Ipv4Addr>,
    /// Whether putting the computer's Wi-Fi back has failed, and why.
    stranded: Option<Failure>,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        context: &'a Context,
        wish: &'a mut Wish,
        way: &'a mut Way,
        network: Option<PlugNetwork>,
        module: Ipv4Addr,
        prefix: String,
    ) -> Self {
        Self {
            context,
            wish,
            way,
            network,
            module,
            networks: None,
            steps: Steps::new(&context.ui, prefix),
            mac: None,
            given: None,
            address: None,
            stranded: None,
        }
    }

    /// Does all of it, and puts this computer's Wi-Fi back however it ends.
    pub(super) async fn run(mut self, guard: &mut Guard) -> Report {
        let context = self.context;
        let stop = guard.stop();
        let outcome = guard.run(context, self.work(&stop)).await;
        if self.stranded.is_none() && guard.finish(self.go_home()).await.is_none() {
            self.stranded = Some(
                Failure::failed("this computer's Wi-Fi has not been put back")
                    .hint("`mains setup --undo` puts it back"),
            );
        }
        let failure = match (outcome, self.stranded) {
            (Ok(()), stranded) => stranded,
            (Err(failure), None) => Some(failure),
            (Err(failure), Some(stranded)) => {
                context.ui.warn(stranded);
                Some(failure)
            }
        };
        Report {
            given: self.given,
            mac: self.mac,
            ssid: self.wish.ssid.clone(),
            confirmed: self.address.is_some(),
            address: self.address,
            failure,
            steps: self.steps.into_list(),
        }
    }

    async fn go_home(&mut self) {
        if let Err(failure) = self.way.home(&mut self.steps).await {
            self.stranded = Some(failure);
        }
    }

    async fn work(&mut self, stop: &Stop) -> Result<(), Failure> {
        self.go_to_plug().await?;
        let lan = module::reach(self.context, self.module).await?;
        if self.wish.ssid.is_none() {
            self.steps.doing("the plug looks for networks");
            let networks = module::networks(&lan, self.module).await?;
            prompts::home_network(&self.context.ui, self.wish, &networks).await?;
            self.networks = Some(networks).filter(|networks| !networks.is_empty());
        }
        let ssid = self
            .wish
            .ssid
            .clone()
            .ok_or_else(|| Failure::usage("the name of your Wi-Fi network is missing"))?;
        let joined = joining::run(self, stop, lan, &ssid).await?;
        self.go_home().await;
        self.prove(&joined, &ssid).await
    }

    /// Puts this computer on the plug's network, where that is not the user's affair.
    async fn go_to_plug(&mut self) -> Result<(), Failure> {
        if let (Some(network), Way::NetworkManager(manager)) = (&mut self.network, &mut *self.way) {
            network
                .join(&self.context.ui, manager, &mut self.steps)
                .await?;
        }
        Ok(())
    }

    /// Looks for the plug on the home network.
    async fn prove(&mut self, joined: &JoinOutcome, ssid: &Ssid) -> Result<(), Failure> {
        self.steps.doing(format_args!("looking for it on '{ssid}'"));
        if matches!(self.way, Way::Manual) && self.module == ACCESS_POINT_ADDRESS {
            self.steps.doing(format_args!(
                "join '{ssid}' with this computer again, if it does not do so by itself"
            ));
        }
        let search = Search {
            context: self.context,
            mac: joined.mac,
            ssid,
            module: self.module,
            to: self.places(joined),
        };
        let plug = match search.run(self.wish.wait).await {
            Ok(plug) => plug,
            Err(failure) => {
                self.steps.missed("seen", failure.to_string());
                return Err(match failure.kind() {
                    Kind::NoAnswer => failure.hint(way_back(joined)),
                    _ => failure,
                });
            }
        };
        self.address = Some(plug.address);
        self.steps
            .done("seen", format!("{} answers at {}", plug.mac, plug.address));
        self.remember(&plug).await
    }

    /// Where the plug may be, beside wherever a broadcast reaches.
    fn places(&self, joined: &JoinOutcome) -> Vec<Ipv4Addr> {
        let lease = joined.lease.map(|lease| lease.address);
        let mut places = self.wish.to.clone();
        places.extend(lease.filter(|address| !address.is_unspecified()));
        // On the plug's own network its address leads nowhere from home; on any other it may well be kept.
        if matches!(self.way, Way::Manual) {
            places.push(self.module);
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Writes the plug, and its name where one was given, into the inventory.
    async fn remember(&mut self, plug: &Plug) -> Result<(), Failure> {
        let store = InventoryFile::new(self.context.state_directory()?);
        let ((), warning) = store.update(|inventory| {
            inventory.remember(plug);
            if let Some(name) = &self.wish.name {
                inventory
                    .rename(plug.mac, Some(name))
                    .map_err(|taken| Failure::usage(taken.to_string()))?;
            }
            Ok(((), Save::Durably))
        })?;
        if let Some(warning) = warning {
            self.context.ui.warn(warning);
        }
        Ok(())
    }
}

/// What to do when the plug does not turn up.
fn way_back(joined: &JoinOutcome) -> String {
    match joined.path {
        // The key has been proven: it is there, and this computer looks in the wrong place.
        JoinPath::Verified => format!(
            "the plug has proven the key, so it is there: look for it from a computer on that network with `mains discover`, or \
             name its address with `--to`; {BUTTON}"
        ),
        JoinPath::Direct => BUTTON.to_owned(),
    }
}
