//! The hub as topics: turns its plugs, groups and tariffs into messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{Event, Group, Id, MeterEvent, PlugView, SwitchTarget, Tariff};
use hiflying::Mac;
use hub::Hub;
use jiff::Timestamp;
use plugs::{Capability, RelayState};
use serde_json::json;

use crate::home::{Home, HomeGroup, HomeHub, HomePlug, HomeTariff};
use crate::outbox::MqttOutbox;
use crate::topic::Topics;

/// Payload of an availability topic.
pub(crate) const ONLINE: &str = "online";
/// Payload of an availability topic.
pub(crate) const OFFLINE: &str = "offline";

/// The firmware of plugs that have reported it.
pub(crate) type Firmware = BTreeMap<Mac, String>;

/// The state of the hub as it was last turned into messages.
#[derive(Debug)]
pub(crate) struct Mirror {
    hub: Hub,
    topics: Topics,
    plugs: BTreeMap<Mac, Arc<PlugView>>,
    groups: BTreeMap<Id, Group>,
    tariffs: BTreeMap<Id, Tariff>,
    home: Home,
}

impl Mirror {
    /// Reads the state of the hub.
    pub(crate) fn new(hub: Hub, topics: Topics, home: HomeHub) -> Self {
        let views = hub.registry().views();
        let groups = hub.groups().all().into_iter();
        let tariffs = hub.tariffs().all().into_iter();
        Self {
            plugs: views
                .into_iter()
                .map(|view| (view.plug.mac, view))
                .collect(),
            groups: groups.map(|group| (group.id, group.body)).collect(),
            tariffs: tariffs.map(|tariff| (tariff.id, tariff.body)).collect(),
            home: Home {
                hub: home,
                plugs: BTreeMap::new(),
                groups: BTreeMap::new(),
                tariffs: BTreeMap::new(),
            },
            hub,
            topics,
        }
    }

    /// Returns the facts that discovery announces.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Returns all state topics, also those whose payload is not known yet.
    pub(crate) fn state_topics(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::from([self.topics.bridge_state()]);
        all.extend(self.plugs.keys().flat_map(|plug| self.topics_of(*plug)));
        for id in self.groups.keys() {
            let target = SwitchTarget::Group(id.clone());
            all.extend([
                self.topics.availability(&target),
                self.topics.relay(&target),
            ]);
        }
        all.extend(self.tariffs.keys().map(|id| self.topics.price(id)));
        all
    }

    fn topics_of(&self, plug: Mac) -> Vec<String> {
        let target = SwitchTarget::Plug(plug);
        let mut all = vec![
            self.topics.availability(&target),
            self.topics.relay(&target),
            self.topics.info(plug),
        ];
        if self.hub.registry().can(plug, Capability::Meter) {
            all.push(self.topics.meter(plug));
        }
        all
    }

    /// Turns everything into messages.
    pub(crate) fn write_all(&self, firmware: &Firmware, outbox: &mut MqttOutbox) {
        for view in self.plugs.values() {
            self.write_plug(view, firmware, outbox);
            if let Some(reading) = &view.reading {
                let reading = Arc::new(reading.clone());
                let energy_total_wh = view.energy_total_wh;
                self.write_reading(
                    &MeterEvent {
                        reading,
                        energy_total_wh,
                    },
                    outbox,
                );
            }
        }
        for (id, group) in &self.groups {
            self.write_group(id, group, outbox);
        }
        self.write_prices(outbox);
    }

    /// Turns the info of all plugs into messages: their times of the last report change without an event.
    pub(crate) fn refresh(&mut self, firmware: &Firmware, outbox: &mut MqttOutbox) {
        for view in self.hub.registry().views() {
            self.write_info(&view, firmware, outbox);
        }
        self.write_prices(outbox);
    }

    /// Applies an event of the hub. Returns true if topics are not wanted any more.
    pub(crate) fn apply(
        &mut self,
        event: &Event,
        firmware: &Firmware,
        outbox: &mut MqttOutbox,
    ) -> bool {
        match event {
            Event::Plug(view) | Event::Availability(view) => {
                self.plugs.insert(view.plug.mac, Arc::clone(view));
                self.write_plug(view, firmware, outbox);
                self.write_groups_of(view.plug.mac, outbox);
            }
            Event::Reading(event) => {
                // One that was removed meanwhile has no topics any more.
                if self.plugs.contains_key(&event.reading.plug) {
                    self.write_reading(event, outbox);
                }
            }
            Event::PlugRemoved(plug) => {
                self.plugs.remove(plug);
                self.write_groups_of(*plug, outbox);
                return true;
            }
            Event::Group(view) => {
                self.write_group(&view.id, &view.document, outbox);
                self.groups.insert(view.id.clone(), view.document.clone());
            }
            Event::Tariff(view) => {
                self.tariffs.insert(view.id.clone(), view.document.clone());
                self.write_prices(outbox);
            }
            Event::DocumentRemoved(_, id) => {
                let is_group = self.groups.remove(id).is_some();
                return self.tariffs.remove(id).is_some() || is_group;
            }
            Event::Schedule(_)
            | Event::Rule(_)
            | Event::Takeover(_)
            | Event::Problem(_)
            | Event::Log(_) => {}
        }
        false
    }

    /// Makes the topics of a command's target due again: the client that commanded may assume that it was carried out.
    pub(crate) fn repeat(&self, target: &SwitchTarget, outbox: &mut MqttOutbox) {
        outbox.repeat(&self.topics.relay(target));
        if let SwitchTarget::Group(id) = target
            && let Some(group) = self.groups.get(id)
        {
            for plug in &group.plugs {
                outbox.repeat(&self.topics.relay(&SwitchTarget::Plug(*plug)));
            }
        }
    }

    /// Returns true if the facts of the home have changed since the last call. The firmware of a plug becomes a message, too.
    pub(crate) fn update_home(&mut self, firmware: &Firmware, outbox: &mut MqttOutbox) -> bool {
        let registry = self.hub.registry();
        let plugs = self.plugs.values().map(|view| {
            let (plug, mac) = (&view.plug, view.plug.mac);
            let facts = HomePlug {
                family: plug.family,
                name: plug.name.clone(),
                room: view.room.clone(),
                model: plug.model.clone(),
                serial: plug.serial.clone(),
                firmware: firmware.get(&mac).cloned(),
                has_meter: registry.can(mac, Capability::Meter),
                has_timer: registry.can(mac, Capability::Timer),
            };
            (mac, facts)
        });
        let group = |(id, group): (&Id, &Group)| {
            let name = group.name.to_string();
            (id.clone(), HomeGroup { name })
        };
        let tariffs = self
            .tariffs
            .iter()
            .filter(|(_, tariff)| self.is_valid(tariff));
        let tariff = |(id, tariff): (&Id, &Tariff)| {
            let facts = HomeTariff {
                name: tariff.name.to_string(),
                currency: tariff.currency.clone(),
            };
            (id.clone(), facts)
        };
        let home = Home {
            hub: self.home.hub.clone(),
            plugs: plugs.collect(),
            groups: self.groups.iter().map(group).collect(),
            tariffs: tariffs.map(tariff).collect(),
        };
        let has_changed = home != self.home;
        for (mac, view) in &self.plugs {
            let known = self.home.plugs.get(mac);
            if known.and_then(|facts| facts.firmware.as_ref()) != firmware.get(mac) {
                self.write_info(view, firmware, outbox);
            }
        }
        self.home = home;
        has_changed
    }

    fn write_plug(&self, view: &PlugView, firmware: &Firmware, outbox: &mut MqttOutbox) {
        let target = SwitchTarget::Plug(view.plug.mac);
        // First, so that a client never takes an old position for a new one.
        if let Some(relay) = view.plug.relay {
            outbox.set(&self.topics.relay(&target), relay_payload(relay));
        }
        outbox.set(
            &self.topics.availability(&target),
            availability(view.available),
        );
        self.write_info(view, firmware, outbox);
    }

    fn write_info(&self, view: &PlugView, firmware: &Firmware, outbox: &mut MqttOutbox) {
        let plug = &view.plug;
        let moved = self.hub.registry().moved(plug.mac);
        let info = json!({
            "address": plug.address,
            "firmware": firmware.get(&plug.mac),
            "seen": to_second(plug.seen),
            "relay_operations": moved.map_or(0, |moved| moved.count),
        });
        outbox.set(&self.topics.info(plug.mac), info.to_string());
    }

    fn write_reading(&self, event: &MeterEvent, outbox: &mut MqttOutbox) {
        let payload = serde_json::to_string(event).expect("a reading is a tree with text keys");
        outbox.set(&self.topics.meter(event.reading.plug), payload);
    }

    fn write_groups_of(&self, plug: Mac, outbox: &mut MqttOutbox) {
        for (id, group) in &self.groups {
            if group.plugs.contains(&plug) {
                self.write_group(id, group, outbox);
            }
        }
    }

    fn write_group(&self, id: &Id, group: &Group, outbox: &mut MqttOutbox) {
        let target = SwitchTarget::Group(id.clone());
        let members = || group.plugs.iter().filter_map(|plug| self.plugs.get(plug));
        let is_on = members().any(|view| view.plug.relay == Some(RelayState::On));
        let is_known = members().any(|view| view.plug.relay.is_some());
        if is_known {
            let relay = if is_on {
                RelayState::On
            } else {
                RelayState::Off
            };
            outbox.set(&self.topics.relay(&target), relay_payload(relay));
        }
        let is_available = members().any(|view| view.available);
        outbox.set(
            &self.topics.availability(&target),
            availability(is_available),
        );
    }

    fn write_prices(&self, outbox: &mut MqttOutbox) {
        let now = plugs::now();
        let local = self.hub.clock().timezone.to_datetime(now);
        for (id, tariff) in &self.tariffs {
            let price = tariff.price(now, local).filter(|_| self.is_valid(tariff));
            let payload = price.map_or_else(|| "None".to_owned(), |price| price.to_string());
            outbox.set(&self.topics.price(id), payload);
        }
    }

    /// Returns true if a tariff is valid today, and no later one for the same plugs has replaced it.
    fn is_valid(&self, tariff: &Tariff) -> bool {
        let today = self.hub.clock().timezone.to_datetime(plugs::now()).date();
        let has_begun = |it: &Tariff| it.valid_from.is_none_or(|day| day.get() <= today);
        let replaces = |other: &Tariff| {
            has_begun(other) && other.plugs == tariff.plugs && other.valid_from > tariff.valid_from
        };
        has_begun(tariff) && !self.tariffs.values().any(replaces)
    }
}

/// Returns a time without its fraction of a second, as the plug of the API has it.
fn to_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn relay_payload(relay: RelayState) -> &'static str {
    match relay {
        RelayState::On => "ON",
        RelayState::Off => "OFF",
    }
}

fn availability(is_available: bool) -> &'static str {
    if is_available { ONLINE } else { OFFLINE }
}
