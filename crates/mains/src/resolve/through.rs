//! One command's view of a hub: the plugs that it keeps, and what can be told to them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use api::client::Client;
use api::{FoundPlug, PlugView};
use hiflying::Mac;
use plugs::{Minutes, Plug, Reading, RelayCommand, RelayState, Switched};
use serde_json::json;
use tokio::sync::OnceCell;

use super::target::SwitchedPlug;
use super::{Target, ambiguous, unknown_name};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::{Inventory, PlugName};

/// Time after which a hub that the user did not name is done without.
const UNNAMED_HUB_TIMEOUT: Duration = Duration::from_secs(2);

/// One command's view of a hub.
#[derive(Debug)]
pub struct Through<'a> {
    context: &'a Context,
    hub: Client,
    views: Vec<PlugView>,
    /// The hub's plugs by the names that they have there.
    inventory: Inventory,
    /// The results of a search, made for a plug that the hub does not keep.
    found: OnceCell<Vec<FoundPlug>>,
}

impl<'a> Through<'a> {
    /// Asks the hub that is to do it for its plugs. `None` when there is none, or when it is one that nobody named and it
    /// does not answer.
    pub(crate) async fn open(context: &'a Context) -> Result<Option<Self>, Failure> {
        let Some(hub) = context.hub()? else {
            return Ok(None);
        };
        match context.bounded(Self::of(context, hub)).await {
            Err(failure) if failure.kind() == Kind::Unavailable && !context.names_hub() => {
                context
                    .ui
                    .status(format_args!("{failure}; the plugs are spoken to from here"));
                Ok(None)
            }
            through => through.map(Some),
        }
    }

    /// Asks a hub for its plugs.
    pub(crate) async fn of(context: &'a Context, hub: Client) -> Result<Self, Failure> {
        let views = match context.names_hub() {
            true => hub.plugs().await?,
            false => {
                let timeout = context.budget(UNNAMED_HUB_TIMEOUT) / 2;
                hub.plugs_within(timeout).await?
            }
        };
        let inventory = Inventory::of(views.iter().map(|view| &view.plug));
        Ok(Self {
            context,
            hub,
            views,
            inventory,
            found: OnceCell::new(),
        })
    }

    /// Returns a plug that the hub keeps; nobody is asked.
    pub(crate) fn kept_plug(&self, target: &Target) -> Result<&PlugView, Failure> {
        if let Some(view) = self.kept(target)? {
            return Ok(view);
        }
        if target.address().is_none() && !target.can_be_scanned_for() {
            return Err(unknown_name(target, &self.inventory));
        }
        let (url, given) = (self.hub.url(), target.as_given());
        Err(Failure::new(
            Kind::NotFound,
            format!("no plug {given} on the hub at {url}"),
        )
        .hint("`mains hub plugs` shows those that it keeps"))
    }

    /// Finds a plug among the hub's own, or by its MAC one that was removed and has a history.
    pub(crate) fn recorded_plug(&self, target: &Target) -> Result<Mac, Failure> {
        match self.kept_plug(target) {
            Ok(view) => Ok(view.plug.mac),
            Err(failure) => target.as_given().parse().map_err(|_| failure),
        }
    }

    /// Finds a plug among the hub's own, else by a search of the hub.
    pub(crate) async fn locate(&self, target: &Target) -> Result<Plug, Failure> {
        if let Some(view) = self.kept(target)? {
            return Ok(view.plug.clone());
        }
        if target.address().is_none() && !target.can_be_scanned_for() {
            return Err(unknown_name(target, &self.inventory));
        }
        let found = self.found.get_or_try_init(|| self.search()).await?;
        let mut matches = found.iter().filter(|found| target.is(&found.plug));
        match (matches.next(), matches.next()) {
            (Some(one), None) => Ok(one.plug.clone()),
            (Some(one), Some(other)) => Err(ambiguous(target, &[one.plug.mac, other.plug.mac])),
            (None, _) => Err(self.nowhere(target)),
        }
    }

    /// A plug that the hub keeps. A name that only this computer has given leads to it as well.
    fn kept(&self, target: &Target) -> Result<Option<&PlugView>, Failure> {
        if let Some(address) = target.address() {
            return Ok(self.views.iter().find(|view| view.plug.address == address));
        }
        let mut macs = target.remembered(&self.inventory);
        if macs.is_empty() {
            macs = target.remembered(&self.context.inventory()?);
        }
        match macs.as_slice() {
            [] => Ok(None),
            [mac] => Ok(self.views.iter().find(|view| view.plug.mac == *mac)),
            several => Err(ambiguous(target, several)),
        }
    }

    async fn search(&self) -> Result<Vec<FoundPlug>, Failure> {
        Ok(self.hub.discover(None).await?)
    }

    fn nowhere(&self, target: &Target) -> Failure {
        let (kind, message) = match target.address() {
            Some(address) => (Kind::NoAnswer, format!("nothing answers at {address}")),
            None => (
                Kind::NotFound,
                format!("no plug {} answers on the hub's network", target.as_given()),
            ),
        };
        Failure::new(kind, message).hint(format!(
            "the hub at {} has looked for it; `mains discover` shows the plugs that answer, `--hub none` looks from here",
            self.hub.url()
        ))
    }

    /// Finds a plug that the hub keeps.
    async fn adopted(&self, target: &Target) -> Result<Plug, Failure> {
        let plug = self.locate(target).await?;
        match self.view(&plug) {
            Some(view) => Ok(view.plug.clone()),
            None => Err(self.offered(plug.address)),
        }
    }

    fn view(&self, plug: &Plug) -> Option<&PlugView> {
        self.views.iter().find(|view| view.plug.mac == plug.mac)
    }

    fn offered(&self, address: Ipv4Addr) -> Failure {
        let message = format!(
            "the hub at {} does not keep the plug at {address}",
            self.hub.url()
        );
        Failure::new(Kind::NotFound, message).hint(format!(
            "`mains hub adopt {address}` lets it; `--hub none` speaks to the plug from here"
        ))
    }

    /// Returns a plug as the hub last heard it; it asks all of them every few seconds.
    pub(super) async fn presence(&self, target: &Target) -> Result<Plug, Failure> {
        let plug = self.locate(target).await?;
        match self.view(&plug) {
            Some(view) => answers(view).map(|()| view.plug.clone()),
            None => Ok(plug),
        }
    }

    pub(super) async fn switch(
        &self,
        target: &Target,
        action: RelayCommand,
    ) -> Result<SwitchedPlug, Failure> {
        let begin = Instant::now();
        let plug = self.adopted(target).await?;
        let reply = self.hub.switch(plug.mac, action).await?;
        let switched = Switched {
            relay: reply.relay,
            confirmed: reply.error.is_none(),
            elapsed: begin.elapsed(),
        };
        Ok(SwitchedPlug {
            plug,
            switched,
            failure: reply.error.map(Failure::from),
        })
    }

    /// Gives a plug that the hub keeps a name there, or takes it away.
    pub(crate) async fn rename(
        &self,
        plug: &Plug,
        name: Option<&PlugName>,
    ) -> Result<Plug, Failure> {
        let view = self.view(plug).ok_or_else(|| self.offered(plug.address))?;
        let patch = json!({"name": name.map(PlugName::as_str)});
        let view = self.hub.patch_plug(view.plug.mac, &patch).await?;
        Ok(view.plug)
    }

    pub(super) async fn meter(&self, target: &Target) -> Result<Reading, Failure> {
        let plug = self.adopted(target).await?;
        Ok(self.hub.meter(plug.mac).await?)
    }

    pub(super) async fn delay(
        &self,
        target: &Target,
        state: RelayState,
        minutes: Minutes,
    ) -> Result<Plug, Failure> {
        let plug = self.adopted(target).await?;
        self.hub.delay(plug.mac, state, minutes).await?;
        Ok(plug)
    }

    pub(super) async fn version(&self, target: &Target) -> Result<(Plug, String), Failure> {
        let plug = self.adopted(target).await?;
        let version = self.hub.version(plug.mac).await?;
        Ok((plug, version))
    }

    /// Remembers the plugs' addresses, for the day when the hub does not run.
    pub(super) fn remember(&self) {
        let plugs: Vec<Plug> = self.views.iter().map(|view| view.plug.clone()).collect();
        if let Ok(known) = self.context.inventory() {
            self.context.remember(&known, &plugs);
        }
    }
}

fn answers(view: &PlugView) -> Result<(), Failure> {
    if view.available {
        return Ok(());
    }
    let (address, seen) = (view.plug.address, view.plug.seen);
    let message = format!("nothing answers at {address}; the hub last heard the plug at {seen:.0}");
    Err(Failure::new(Kind::NoAnswer, message).hint("is it plugged in and on the network?"))
}
