//! Adoption, settings, removal and replacement of plugs. Changes are saved before the caller gets a result.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api::{
    Collection, ErrorKind, Event, FoundPlug, LogEntry, LogKind, Name, PlugSettings, PlugView,
    RequestError,
};
use futures_util::StreamExt;
use hiflying::Mac;
use plugs::net::{DiscoverEvent, DiscoverOptions};
use plugs::{Capability, Plug};

use super::Registry;
use super::state::{RegistryState, now};
use crate::sites;
use crate::store::{EnergyState, PlugRecord, StoredDocument};

/// Maximum number of adopted plugs.
const MAX_PLUGS: usize = 10_000;
/// Maximum time for reading the name that a plug stores.
const LABEL_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time for a device at an address to report its identity.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum duration of a search.
const MAX_SEARCH: Duration = Duration::from_secs(60);

impl Registry {
    /// Adopts the plug at an address. The second value is `true` if it is new; a known one is only looked up.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `usage` for an address that no plug can have, `no_answer`, `refused` when the device there is not a plug,
    /// `conflict` when there are too many, `unavailable`.
    pub async fn adopt(&self, address: Ipv4Addr) -> Result<(Arc<PlugView>, bool), RequestError> {
        if address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
            let message = format!("{address} is not the address of a plug");
            return Err(RequestError::usage(message).at("address"));
        }
        let heard = self.0.lan.presence(address, PRESENCE_TIMEOUT).await;
        let plug = heard.map_err(|error| RequestError::from(&error))?;
        if let Some(entry) = self.0.entry(plug.mac) {
            entry.sighted(now(), &plug, self.0.timing());
            return Ok((entry.view(), false));
        }
        let plug = self.0.lan.labelled(plug, LABEL_TIMEOUT).await;
        self.0.take_in(plug).await
    }

    /// Edits the settings of a plug. Also returns the new revision.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `usage` or `conflict` at the field, stale when `if_match` is not the revision,
    /// `unavailable` when it cannot be saved; then nothing has changed.
    pub async fn change(
        &self,
        mac: Mac,
        if_match: Option<u64>,
        edit: impl FnOnce(&PlugSettings) -> Result<PlugSettings, RequestError>,
    ) -> Result<(Arc<PlugView>, u64), RequestError> {
        let inner = &self.0;
        let _editing = inner.editing.lock().await;
        let entry = inner.known(mac)?;
        let mut record = entry.record();
        fresh(mac, record.revision, if_match)?;
        let before = PlugSettings {
            name: record.name.clone(),
            room: record.room.clone(),
            metering: record.metering,
            power_on: record.power_on,
            often_unplugged: record.often_unplugged,
        };
        let after = edit(&before)?;
        if let Some(name) = after.name.as_ref().filter(|_| after.name != before.name) {
            inner.check_plug_name(name, mac)?;
        }
        if let Some(room) = after.room.as_ref().filter(|_| after.room != before.room) {
            Name::check_new(room).map_err(|error| error.at("room"))?;
        }
        if after.metering != before.metering && !entry.has_meter {
            return Err(no_meter(mac).at("metering"));
        }
        if after != before {
            record.name = after.name;
            record.room = after.room;
            record.metering = after.metering;
            record.power_on = after.power_on;
            record.often_unplugged = after.often_unplugged;
            record.revision += 1;
            inner.save(&record).await?;
            entry.edit(&record);
        }
        Ok((entry.view(), record.revision))
    }

    /// Forgets a plug; with `purge` its history, too, also if the plug was forgotten before. It is not adopted again automatically.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, stale, `unavailable`; then nothing has changed.
    pub async fn remove(
        &self,
        mac: Mac,
        if_match: Option<u64>,
        purge: bool,
    ) -> Result<(), RequestError> {
        let inner = &self.0;
        let _editing = inner.editing.lock().await;
        match inner.known(mac) {
            Ok(entry) => fresh(mac, entry.revision(), if_match)?,
            Err(_) if purge => {}
            Err(unknown) => return Err(unknown),
        }
        let name = inner.entry(mac).and_then(|entry| entry.name());
        let deleted = inner.store.delete_plug(mac, purge).await;
        deleted.map_err(|error| RequestError::from(&error))?;
        inner.offers.lock().dismiss(mac);
        inner.drop_entry(mac, !purge);
        tracing::info!(plug = %mac, purge, "forgotten");
        let name = name.unwrap_or_else(|| mac.to_string());
        let history = if purge { ", with its history" } else { "" };
        inner.log_plug(mac, &format!("{name} was removed{history}"));
        Ok(())
    }

    /// Replaces `old` by `new`, which takes over its name, its settings, its history and its lifetime total. `new` must be adopted,
    /// or heard recently. Writes `documents`, those that named `old`, in the same transaction.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `usage` when they are the same, `conflict` when a document needs a meter that `new` has not,
    /// `conflict` or `unavailable` from the store; then nothing has changed.
    pub async fn replace(
        &self,
        old: Mac,
        new: Mac,
        documents: &[(Collection, StoredDocument)],
        needs_meter: bool,
    ) -> Result<Arc<PlugView>, RequestError> {
        let inner = &self.0;
        let _editing = inner.editing.lock().await;
        let old_entry = inner.known(old)?;
        if old == new {
            return Err(RequestError::usage("a plug cannot replace itself").at("by"));
        }
        let adopted = inner.entry(new).map(|entry| entry.record());
        let offered = || inner.offers.lock().one(new).map(record_of);
        let successor = adopted.or_else(offered).ok_or_else(|| {
            RequestError::not_found(format!("plug {new} was not found on the network"))
                .hint("plug it in, and search for it first")
                .at("by")
        })?;
        if needs_meter
            && !inner
                .lan
                .families()
                .can(successor.family, Capability::Meter)
        {
            return Err(no_meter(new)
                .hint("a rule needs one; change or delete it first")
                .at("by"));
        }
        let before = old_entry.record();
        let record = PlugRecord {
            name: before.name,
            room: before.room.or(successor.room),
            metering: before.metering.or(successor.metering),
            power_on: before.power_on.or(successor.power_on),
            often_unplugged: before.often_unplugged || successor.often_unplugged,
            adopted: before.adopted,
            revision: successor.revision + 1,
            ..successor
        };
        let replaced = inner.store.replace_plug(old, &record, documents).await;
        replaced.map_err(|error| RequestError::from(&error))?;
        let energy = old_entry.energy().map(|energy| EnergyState {
            counter_wh: None,
            ..energy
        });
        inner.drop_entry(old, false);
        inner.drop_entry(new, false);
        inner.offers.lock().dismiss(old);
        tracing::info!(%old, %new, "replaced; history goes on");
        inner.log_plug(new, &format!("{} replaces the plug {old}", record.title()));
        Ok(inner.insert(record, energy))
    }

    /// Searches the network for `wait`, at most a minute, for all devices that reply: adopted plugs, other plugs, and modules that
    /// are not plugs.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` when too many searches are running.
    pub async fn discover(&self, wait: Duration) -> Result<Vec<FoundPlug>, RequestError> {
        let inner = &self.0;
        let begin = plugs::now();
        let _searching = inner
            .searching
            .try_acquire()
            .map_err(|_| RequestError::unavailable("too many searches are under way already"))?;
        let options = DiscoverOptions {
            wait: Some(wait.min(MAX_SEARCH)),
            known: inner
                .entries()
                .iter()
                .map(|entry| entry.address())
                .collect(),
            ..DiscoverOptions::default()
        };
        let mut events = inner.lan.discover(options);
        let mut found: HashMap<Mac, Plug> = HashMap::new();
        while let Some(event) = events.next().await {
            match event {
                DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug) => {
                    found.insert(plug.mac, plug);
                }
                DiscoverEvent::Lost(_) => {}
                DiscoverEvent::Done(_) => break,
            }
        }
        // Answers to another program's questions come to our port, too, and are as good.
        for plug in self.offered() {
            if plug.seen >= begin {
                found.entry(plug.mac).or_insert(plug);
            }
        }
        let mut found: Vec<FoundPlug> = found.into_values().map(|plug| inner.found(plug)).collect();
        found.sort_by_key(|found| found.plug.mac);
        Ok(found)
    }

    /// Returns the plugs that were found recently and are not adopted, by MAC.
    pub fn offered(&self) -> Vec<Plug> {
        self.0.offers.lock().fresh(plugs::now())
    }
}

impl RegistryState {
    /// Adopts a plug that was just heard.
    pub(super) async fn take_in(
        self: &Arc<Self>,
        plug: Plug,
    ) -> Result<(Arc<PlugView>, bool), RequestError> {
        let _editing = self.editing.lock().await;
        if let Some(entry) = self.entry(plug.mac) {
            return Ok((entry.view(), false));
        }
        if !self.lan.families().can(plug.family, Capability::Switch) {
            let message = format!(
                "what is at {} is a Wi-Fi module, and no plug that can be switched",
                plug.address
            );
            return Err(RequestError::new(ErrorKind::Refused, message));
        }
        if let Some(site) = self.foreign.lock().owner(plug.mac) {
            let site = sites::title(site);
            let message = format!("plug {} belongs to {site}", plug.mac);
            return Err(RequestError::conflict(message)
                .hint("remove it there first, or leave it to the hub of that site"));
        }
        if self.entries().len() >= MAX_PLUGS {
            let message = format!("a hub keeps at most {MAX_PLUGS} plugs");
            return Err(RequestError::conflict(message).hint("forget one that is no longer there"));
        }
        let mut record = record_of(&plug);
        let name = self.names.get(&plug.mac).cloned();
        record.name = name.filter(|name| self.check_plug_name(name, plug.mac).is_ok());
        self.save(&record).await?;
        let energy = self.past_energy.lock().remove(&plug.mac);
        tracing::info!(plug = %plug.mac, address = %plug.address, name = record.name, "adopted");
        self.log_plug(plug.mac, &format!("{} was added", record.title()));
        let view = self.insert(record, energy);
        if let Some(entry) = self.entry(plug.mac) {
            entry.sighted(now(), &plug, self.timing());
            return Ok((entry.view(), true));
        }
        Ok((view, true))
    }

    fn log_plug(&self, plug: Mac, text: &str) {
        let entry = LogEntry::new(plugs::now(), LogKind::Plug, text);
        self.bus.log(entry.about(plug));
    }

    async fn save(&self, record: &PlugRecord) -> Result<(), RequestError> {
        let saved = self.store.save_plug(record).await;
        saved.map_err(|error| RequestError::from(&error))
    }

    /// Ends the plug's tasks, and publishes its removal.
    fn drop_entry(&self, mac: Mac, remember_energy: bool) {
        let Some(entry) = self.entries.write().remove(&mac) else {
            self.past_energy.lock().remove(&mac);
            return;
        };
        entry.cancel.cancel();
        if let Some(energy) = entry.energy().filter(|_| remember_energy) {
            self.past_energy.lock().insert(mac, energy);
        }
        self.bus.publish(Event::PlugRemoved(mac));
    }

    /// Checks the name of a plug; the plug `own` may have it already.
    fn check_plug_name(&self, name: &str, own: Mac) -> Result<(), RequestError> {
        Name::check_new(name)?;
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        if is_number || name.parse::<Mac>().is_ok() || name.parse::<Ipv4Addr>().is_ok() {
            let message = "a name cannot look like a MAC, a serial number or an address";
            return Err(RequestError::usage(message).at("name"));
        }
        let folded = name.to_lowercase();
        let other = self.entries().into_iter().find(|entry| {
            let taken = entry.name();
            entry.mac != own && taken.is_some_and(|taken| taken.to_lowercase() == folded)
        });
        match other {
            Some(other) => {
                let message = format!("plug {} is called '{name}' already", other.mac);
                Err(RequestError::conflict(message).at("name"))
            }
            None => Ok(()),
        }
    }

    fn found(&self, plug: Plug) -> FoundPlug {
        let entry = self.entry(plug.mac);
        let name = match &entry {
            Some(entry) => entry.name(),
            None => self.names.get(&plug.mac).cloned(),
        };
        FoundPlug {
            adopted: entry.is_some(),
            plug: Plug { name, ..plug },
        }
    }
}

/// Returns the error of metering a plug that has no meter.
pub(super) fn no_meter(mac: Mac) -> RequestError {
    RequestError::usage(format!("plug {mac} has no meter"))
}

fn fresh(mac: Mac, revision: u64, if_match: Option<u64>) -> Result<(), RequestError> {
    match if_match {
        Some(expected) if expected != revision => Err(RequestError::stale(format!(
            "plug {mac} has changed meanwhile"
        ))),
        _ => Ok(()),
    }
}

fn record_of(plug: &Plug) -> PlugRecord {
    PlugRecord {
        mac: plug.mac,
        family: plug.family,
        serial: plug.serial.clone(),
        address: plug.address,
        model: plug.model.clone(),
        name: None,
        room: None,
        metering: None,
        power_on: None,
        often_unplugged: false,
        relay: plug.relay,
        relay_since: None,
        adopted: plugs::now(),
        seen: plug.seen,
        revision: 1,
    }
}
