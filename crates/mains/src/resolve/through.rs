//! One command's view of a hub: the plugs that it keeps, and what can be told to them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use api::client::Client;
use api::{FoundPlug, Group, GroupView, PlugView, duration};
use hiflying::Mac;
use plugs::{Capability, Minutes, Plug, Reading, RelayCommand, RelayState, Switched, families};
use serde_json::json;
use tokio::sync::OnceCell;

use super::target::SwitchedPlug;
use super::{Target, ambiguous, not_kept, unknown_name};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::{Inventory, PlugName, folded};

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
    /// The results of a search, made for a plug that the hub does not keep, or for the present state.
    found: OnceCell<Vec<FoundPlug>>,
    /// The hub's groups.
    groups: OnceCell<Vec<GroupView>>,
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
            groups: OnceCell::new(),
        })
    }

    /// Returns the client of the hub.
    pub(crate) fn client(&self) -> &Client {
        &self.hub
    }

    /// Returns every plug with this ability that the hub keeps.
    pub(super) async fn all(&self, ability: Capability) -> Result<Vec<Target>, Failure> {
        let families = families::all();
        let plugs = self.views.iter().map(|view| &view.plug);
        let able = plugs.filter(|plug| families.can(plug.family, ability));
        Ok(able
            .map(|plug| Target::of_plug(plug.mac, plug.name.as_deref()))
            .collect())
    }

    /// Returns these plugs, each once; a group stands for its plugs.
    pub(super) async fn each_once(&self, given: &[Target]) -> Result<Vec<Target>, Failure> {
        let mut targets: Vec<Target> = Vec::new();
        let mut macs = HashSet::new();
        for target in given {
            // A target that could be several plugs fails when its turn comes.
            match self.identify(target).unwrap_or(None) {
                Some(mac) if !macs.insert(mac) => {}
                Some(_) => targets.push(target.clone()),
                None => match self.group(target).await? {
                    Some(group) => {
                        let members = group.document.plugs.iter().filter(|mac| macs.insert(**mac));
                        targets.extend(
                            members.map(|mac| Target::of_plug(*mac, self.inventory.name_of(*mac))),
                        );
                    }
                    None if targets.iter().any(|other| other.is_same(target)) => {}
                    None => targets.push(target.clone()),
                },
            }
        }
        Ok(targets)
    }

    async fn group(&self, target: &Target) -> Result<Option<&GroupView>, Failure> {
        if target.address().is_some() {
            return Ok(None);
        }
        let load = || async { Ok::<_, Failure>(self.hub.documents::<Group>().await?) };
        let groups = self.groups.get_or_try_init(load).await?;
        let wanted = folded(target.as_given().trim());
        Ok(groups.iter().find(|group| {
            folded(&group.document.name) == wanted || group.id.as_str() == target.as_given()
        }))
    }

    /// Returns a plug that the hub keeps; nobody is asked.
    pub(crate) fn kept_plug(&self, target: &Target) -> Result<&PlugView, Failure> {
        match self.identify(target)? {
            Some(mac) => self
                .view(mac)
                .ok_or_else(|| not_kept(self.hub.url(), target.as_given())),
            None if target.address().is_none() && !target.can_be_scanned_for() => {
                Err(unknown_name(target, &self.inventory))
            }
            None => Err(not_kept(self.hub.url(), target.as_given())),
        }
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
        let known = self.identify(target)?;
        if let Some(view) = known.and_then(|mac| self.view(mac)) {
            return Ok(view.plug.clone());
        }
        if known.is_none() && target.address().is_none() && !target.can_be_scanned_for() {
            return Err(unknown_name(target, &self.inventory));
        }
        let found = self.found.get_or_try_init(|| self.search()).await?;
        let is_it = |plug: &Plug| known == Some(plug.mac) || target.is(plug);
        let mut matches = found.iter().filter(|found| is_it(&found.plug));
        match (matches.next(), matches.next()) {
            (Some(one), None) => Ok(one.plug.clone()),
            (Some(one), Some(other)) => Err(ambiguous(target, &[one.plug.mac, other.plug.mac])),
            (None, _) => Err(self.nowhere(target)),
        }
    }

    /// Returns the plug that a target means, as far as that is known without asking: a plug of the hub, or one that has its name
    /// on this computer.
    fn identify(&self, target: &Target) -> Result<Option<Mac>, Failure> {
        if let Some(address) = target.address() {
            let mut views = self.views.iter();
            let view = views.find(|view| view.plug.address == address);
            return Ok(view.map(|view| view.plug.mac));
        }
        let mut macs = target.remembered(&self.inventory);
        if macs.is_empty() {
            macs = target.remembered(&self.context.inventory()?);
        }
        match macs.as_slice() {
            [] => Ok(None),
            [mac] => Ok(Some(*mac)),
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
        let url = self.hub.url();
        Failure::new(kind, message).hint(format!(
            "the hub at {url} has looked for it; `mains discover` shows the plugs that answer"
        ))
    }

    fn view(&self, mac: Mac) -> Option<&PlugView> {
        self.views.iter().find(|view| view.plug.mac == mac)
    }

    /// Finds a plug that the hub keeps. A serial number or address that it does not know is looked for, to tell whether it could.
    async fn adopted(&self, target: &Target) -> Result<Plug, Failure> {
        let known = self.identify(target)?;
        if let Some(view) = known.and_then(|mac| self.view(mac)) {
            return Ok(view.plug.clone());
        }
        let plug = self.locate(target).await?;
        match self.view(plug.mac) {
            Some(view) => Ok(view.plug.clone()),
            None => Err(not_kept(self.hub.url(), target.as_given())),
        }
    }

    /// Returns the presence and relay state of a plug, for which the hub asks all plugs now.
    pub(super) async fn presence(&self, target: &Target) -> Result<Plug, Failure> {
        let plug = self.locate(target).await?;
        let found = self.found.get_or_try_init(|| self.search()).await?;
        match found.iter().find(|found| found.plug.mac == plug.mac) {
            Some(found) => Ok(found.plug.clone()),
            None => Err(silent(&plug)),
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
            confirmed: reply.confirmed,
            elapsed: begin.elapsed(),
        };
        Ok(SwitchedPlug { plug, switched })
    }

    /// Gives a plug that the hub keeps a name there, or takes it away.
    pub(crate) async fn rename(
        &self,
        plug: &Plug,
        name: Option<&PlugName>,
    ) -> Result<Plug, Failure> {
        let view = self.view(plug.mac);
        let view = view.ok_or_else(|| not_kept(self.hub.url(), &plug.address.to_string()))?;
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

fn silent(plug: &Plug) -> Failure {
    let ago = plugs::now().duration_since(plug.seen).as_secs().max(0);
    let ago = duration::show(Duration::from_secs(ago.unsigned_abs()));
    let message = format!(
        "nothing answers at {}; the hub last heard the plug {ago} ago",
        plug.address
    );
    Failure::new(Kind::NoAnswer, message).hint("is it plugged in and on the network?")
}
