//! The proof: the plug is seen on the home network under its MAC.
//!
//! A reply is not enough. Before its restart the plug still answers where it answered before, on its own access point
//! or on the network that it is about to leave. So an answer counts
//!
//! * from any other address: only the home network can have given it that one;
//! * from the address where it was set up, only when the plug itself says that it is a station now and linked to the
//!   home network. (The join has made sure that it restarted; what `AT+WMODE` says alone proves nothing, as it is told
//!   before it takes effect.) That is the case of a network which leads from here to both, such as the emulator's.
//!
//! Where a hub has the port to which plugs answer, it is asked whom it hears.
//!
//! Plugs are asked quickly at first and ever more slowly: a restart takes from one second to half a minute.

use std::net::Ipv4Addr;
use std::time::Duration;

use api::FoundPlug;
use futures_util::StreamExt as _;
use hiflying::net::Interface;
use hiflying::{Mac, Ssid};
use plugs::Plug;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::module::{self, Station};
use crate::context::Context;
use crate::error::{Failure, Kind};

/// The longest single look; a lossy network needs several seconds for one.
const ROUND: Duration = Duration::from_secs(3);
/// Between looks.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A plug that has been seen as a mere module gets this long to show what else it is.
const CLOSER_LOOK: Duration = Duration::from_secs(1);

/// Whom to look for, and where.
pub(super) struct Search<'a> {
    pub(super) context: &'a Context,
    pub(super) mac: Mac,
    pub(super) ssid: &'a Ssid,
    /// Where the plug was set up.
    pub(super) module: Ipv4Addr,
    /// Addresses to ask beside the local networks: its lease, and what the user gave.
    pub(super) to: Vec<Ipv4Addr>,
}

impl Search<'_> {
    /// Looks for the plug for as long as `wait`.
    pub(super) async fn run(&self, wait: Duration) -> Result<Plug, Failure> {
        let deadline = Instant::now() + wait;
        let mut networks = Networks::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(networks.trouble().unwrap_or_else(|| self.not_seen(wait)));
            }
            networks.refresh(self.context, self.module).await;
            if let Some(lan) = &networks.lan {
                let look = self.look(lan, left.min(ROUND));
                let plug = match networks.is_deaf() {
                    false => look.await,
                    // It hears what is asked here.
                    true => {
                        let (seen, told) = tokio::join!(look, self.told_by_hub());
                        seen.or(told)
                    }
                };
                if let Some(plug) = plug {
                    return Ok(plug);
                }
            }
            sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Looks once.
    async fn look(&self, lan: &Lan, wait: Duration) -> Option<Plug> {
        let mut events = lan.discover(DiscoverOptions {
            wait: Some(wait),
            to: self.to.clone(),
            ..DiscoverOptions::default()
        });
        while let Some(event) = events.next().await {
            let (DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug)) = event else {
                continue;
            };
            if plug.mac == self.mac && self.has_arrived(lan, &plug).await {
                return Some(self.closer(lan, plug).await);
            }
        }
        None
    }

    /// Asks the hub that hears the network in our place, if there is one. Where the plug was set up it could be as it was
    /// before; only an answer from elsewhere counts.
    async fn told_by_hub(&self) -> Option<Plug> {
        let hub = self.context.hub().ok()??;
        let search = hub.post("discover").json(&json!({"wait": "2s"}));
        let found: Vec<FoundPlug> = search.patience(2 * ROUND).answer().await.ok()?;
        found
            .into_iter()
            .map(|found| found.plug)
            .find(|plug| plug.mac == self.mac && plug.address != self.module)
    }

    async fn has_arrived(&self, lan: &Lan, plug: &Plug) -> bool {
        if plug.address != self.module {
            return true;
        }
        let station = module::station(lan, plug.address).await;
        tracing::debug!(address = %plug.address, ?station, "what the plug says of itself");
        matches!(station, Some(Station::On(ssid)) if ssid == *self.ssid)
    }

    /// The plug with all that can be known of it, if it is still the same.
    async fn closer(&self, lan: &Lan, plug: Plug) -> Plug {
        match lan.presence(plug.address, CLOSER_LOOK).await {
            Ok(closer) if closer.mac == plug.mac => closer,
            _ => plug,
        }
    }

    fn not_seen(&self, waited: Duration) -> Failure {
        Failure::new(
            Kind::NoAnswer,
            format!(
                "the plug {} was not seen on '{}' within {}",
                self.mac,
                self.ssid,
                api::duration::show(waited)
            ),
        )
    }
}

/// The local networks. They change meanwhile: the plug's own network goes away, and a user who has joined it by hand
/// goes home by hand.
#[derive(Default)]
struct Networks {
    interfaces: Vec<Interface>,
    lan: Option<Lan>,
    failure: Option<Failure>,
}

impl Networks {
    /// Opens the sockets anew where the interfaces have changed.
    async fn refresh(&mut self, context: &Context, module: Ipv4Addr) {
        match module::home_interfaces(context, module) {
            Ok(interfaces) if self.lan.is_some() && interfaces == self.interfaces => {}
            Ok(interfaces) => {
                // First closed, then opened: there can be only one socket on an address.
                self.lan = None;
                self.interfaces = interfaces;
                match Lan::open(&self.interfaces).await {
                    Ok(lan) => {
                        self.lan = Some(lan);
                        self.failure = None;
                    }
                    Err(error) => self.failure = Some(error.into()),
                }
            }
            Err(failure) => {
                self.lan = None;
                self.failure = Some(failure);
            }
        }
    }

    /// Whether somebody else has the port to which plugs answer: a hub, mostly.
    fn is_deaf(&self) -> bool {
        self.lan.as_ref().is_some_and(|lan| !lan.taken().is_empty())
    }

    /// What stood in the way of hearing the plug at all.
    fn trouble(&self) -> Option<Failure> {
        let taken = self.lan.as_ref().map(Lan::taken).unwrap_or_default();
        self.failure
            .clone()
            .or_else(|| Some(Failure::from(taken.first()?.as_ref())))
    }
}
