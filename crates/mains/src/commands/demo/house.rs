//! The home of the demo: its plugs, and what its owner has set up.

use std::sync::Arc;

use ::hub::Repository;
use ::hub::config::Place;
use ::hub::schedule::{Clock, next_due};
use ::hub::store::Store;
use api::{Document, Group, Rule, Schedule, Stored, SwitchTarget, Tariff};
use emulator::{HomeNetwork, Load, PlugConfig};
use hiflying::Mac;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::network::DemoNetwork;
use super::past_events::{ActedRules, DemoEvents, FRIDGE_LIMIT, HEATER_LIMIT};
use super::twins::{fresh, plug};
use crate::error::Failure;

/// Time for which the plug that comes and goes is there, and then gone.
const COMES_AND_GOES: &str = "comes-and-goes=4m";
/// Last byte of the address of the plug that nobody has adopted.
const SPARE: u8 = 8;
/// Last byte of the address of the plug that is in its box.
const BOXED: u8 = 9;
/// Latitude at which the sun rises and sets for the home.
const LATITUDE: f64 = 52.5;

/// A plug of the home.
#[derive(Debug)]
pub(super) struct HousePlug {
    pub(super) name: &'static str,
    pub(super) room: &'static str,
    pub(super) config: PlugConfig,
}

/// The home.
#[derive(Debug)]
pub(super) struct DemoHouse {
    pub(super) plugs: Vec<HousePlug>,
    /// Plugs that the hub has not adopted.
    pub(super) others: Vec<PlugConfig>,
    pub(super) clock: Clock,
}

impl DemoHouse {
    /// Returns the home as it was thirty days ago.
    pub(super) fn new(network: &DemoNetwork, home: &HomeNetwork) -> Result<Self, Failure> {
        let loads = [
            ("Fridge", "Kitchen", Load::Fridge, true),
            ("Kettle", "Kitchen", Load::Kettle, true),
            ("TV", "Living room", Load::Tv, true),
            ("Floor lamp", "Living room", Load::Constant(42.0), false),
            ("Heater", "Bathroom", Load::Heater, false),
            ("Washing machine", "Laundry", Load::Washing, true),
            ("String lights", "Balcony", Load::Constant(18.0), false),
        ];
        let plugs = (1..)
            .zip(loads)
            .map(|(last, (name, room, load, on))| HousePlug {
                name,
                room,
                config: plug(network, home, last, load, on),
            });
        let mut plugs: Vec<HousePlug> = plugs.collect();
        if let Some(plug) = plugs.last_mut() {
            plug.config.faults = vec![COMES_AND_GOES.parse().map_err(|error| {
                Failure::failed("cannot make the demo's plugs").caused_by(&error)
            })?];
        }
        let timezone = TimeZone::system();
        Ok(Self {
            plugs,
            others: vec![
                plug(network, home, SPARE, Load::Constant(60.0), false),
                fresh(network, home, BOXED),
            ],
            clock: Clock {
                place: Some(place(&timezone)),
                timezone,
            },
        })
    }

    fn mac(&self, name: &str) -> Mac {
        let plug = self.plugs.iter().find(|plug| plug.name == name);
        plug.expect("the table above has this name").config.mac
    }

    /// Writes group, schedules, rules and tariff into the store, and returns what has happened by them since `begin`.
    pub(super) async fn furnish(
        &self,
        store: &Arc<dyn Store>,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<DemoEvents, Failure> {
        let [fridge, tv, lamp, heater, lights] =
            ["Fridge", "TV", "Floor lamp", "Heater", "String lights"].map(|name| self.mac(name));
        let group = json!({"name": "Evening lights", "plugs": [lamp, lights]});
        let group = create::<Group>(store, [group]).await?.swap_remove(0);
        let weekdays = json!(["mon", "tue", "wed", "thu", "fri"]);
        let schedules = [
            json!({"name": "Dusk", "targets": [group.id], "action": "on", "when": {"sun": "sunset", "offset": "-15m"}}),
            json!({"name": "Good night", "targets": [group.id], "action": "off", "when": {"at": "23:15"}}),
            json!({"name": "Warm bathroom", "targets": [heater], "action": "on", "when": {"at": "06:30", "days": weekdays}}),
            json!({"name": "Bathroom is empty", "targets": [heater], "action": "off", "when": {"at": "07:45", "days": weekdays}}),
        ];
        let schedules = create::<Schedule>(store, schedules).await?;
        let rules = [
            json!({"name": "Fridge stays on", "plug": fridge, "kind": "keep_on", "after": FRIDGE_LIMIT}),
            json!({"name": "Heater too strong", "plug": heater, "kind": "over_power", "above_w": 2000.0, "for": "30s"}),
            json!({"name": "Heater forgotten", "plug": heater, "kind": "auto_off", "after": HEATER_LIMIT}),
            json!({"name": "TV in standby", "enabled": false, "plug": tv, "kind": "standby_kill", "below_w": 5.0,
                   "for": "30m", "restore_at": "18:00"}),
        ];
        let rules = create::<Rule>(store, rules).await?;
        let tariff = json!({"name": "Household", "currency": "EUR", "kind": "day_night", "day": 0.34, "night": 0.27,
            "day_begins": "06:00", "night_begins": "22:00", "standing_charge": {"price": 9.9, "per": "month"}});
        create::<Tariff>(store, [tariff]).await?;
        let timezone = &self.clock.timezone;
        let mut events = DemoEvents::default();
        for schedule in &schedules {
            let firings = self.firings(schedule, begin, end)?;
            let plugs = |target: &SwitchTarget| match target {
                SwitchTarget::Plug(mac) => vec![*mac],
                SwitchTarget::Group(_) => group.body.plugs.clone(),
            };
            events
                .scheduled(store, timezone, schedule, plugs, firings)
                .await?;
        }
        if let [stays_on, _, forgotten, _] = rules.as_slice() {
            let acted = ActedRules {
                heater: (forgotten, heater),
                fridge: (stays_on, fridge),
            };
            events.ruled(store, timezone, acted, begin, end).await?;
        }
        events.moves.sort_by_key(|moved| moved.at);
        Ok(events)
    }

    /// Returns the times at which a schedule has fired.
    fn firings(
        &self,
        schedule: &Stored<Schedule>,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Timestamp>, Failure> {
        let (mut firings, mut after) = (Vec::new(), begin);
        while let Some(at) = next_due(&schedule.body, &self.clock, after, &schedule.id)?
            && at < end
        {
            firings.push(at);
            after = at;
        }
        Ok(firings)
    }
}

/// Returns a place where the sun stands highest at noon of this time zone.
pub(super) fn place(timezone: &TimeZone) -> Place {
    let offset = timezone.to_offset(plugs::now()).seconds();
    Place {
        latitude: LATITUDE,
        longitude: (f64::from(offset) / 240.0).clamp(-180.0, 180.0),
    }
}

/// Writes documents as people would.
async fn create<T: Document>(
    store: &Arc<dyn Store>,
    documents: impl IntoIterator<Item = Value>,
) -> Result<Vec<Stored<T>>, Failure> {
    let repository = Repository::<T>::load(store.clone())
        .await
        .map_err(|error| Failure::failed("cannot furnish the demo's home").caused_by(&error))?;
    let mut created = Vec::new();
    for document in documents {
        let document = serde_json::from_value(document)
            .map_err(|error| Failure::failed("cannot furnish the demo's home").caused_by(&error))?;
        created.push(repository.create(document).await?);
    }
    Ok(created)
}
