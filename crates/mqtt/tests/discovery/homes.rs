//! Homes to announce.

use api::SiteName;
use mqtt::discovery::{DiscoveryForm, DiscoverySettings};
use mqtt::home::{Home, HomeGroup, HomeHub, HomePlug, HomeTariff};
use mqtt::topic::Topics;
use plugs::FamilyId;

/// Names as people, or programs, give them. The last ones begin as names of entities do.
pub(crate) const ODD_NAMES: [&str; 18] = [
    "",
    " ",
    "kitchen",
    "Küche",
    "台所",
    "مطبخ",
    "🍳",
    "a/b",
    "+",
    "#",
    "a+b#c/",
    "{{ 1 + 1 }}",
    "\"quoted\" \\ 'names'",
    "Mains",
    "accf23000001",
    "Power",
    "p",
    "SWITCH OFF",
];

pub(crate) fn settings(form: DiscoveryForm) -> DiscoverySettings {
    DiscoverySettings {
        form,
        prefix: "homeassistant".parse().unwrap(),
        topics: Topics::default(),
    }
}

pub(crate) fn plug(name: Option<&str>) -> HomePlug {
    HomePlug {
        family: FamilyId::RECO,
        name: name.map(str::to_owned),
        room: None,
        model: Some("HF-LPB100".to_owned()),
        serial: Some("900000621".to_owned()),
        firmware: Some("4.02.08s".to_owned()),
        has_meter: true,
        has_timer: true,
    }
}

/// A plug with a meter in a room, one without meter and timer and name, a group and a tariff.
pub(crate) fn small() -> Home {
    let mut home = empty();
    let kettle = HomePlug {
        room: Some("Kitchen".to_owned()),
        ..plug(Some("Tea kettle"))
    };
    let bare = HomePlug {
        family: FamilyId::ORVIBO,
        model: None,
        serial: None,
        firmware: None,
        has_meter: false,
        has_timer: false,
        ..plug(None)
    };
    home.plugs.insert("accf23123456".parse().unwrap(), kettle);
    home.plugs.insert("accf23aabbcc".parse().unwrap(), bare);
    let name = "Lamps".to_owned();
    home.groups
        .insert("g-3f9a02c1".parse().unwrap(), HomeGroup { name });
    let tariff = HomeTariff {
        name: "Home".to_owned(),
        currency: "EUR".to_owned(),
    };
    home.tariffs.insert("t-00c0ffee".parse().unwrap(), tariff);
    home
}

/// The hub alone.
pub(crate) fn empty() -> Home {
    Home {
        hub: HomeHub {
            site: SiteName::default(),
            id: "0123456789ab".to_owned(),
            version: "0.1.0".to_owned(),
            url: "http://192.168.1.5:8480".to_owned(),
        },
        plugs: Default::default(),
        groups: Default::default(),
        tariffs: Default::default(),
    }
}

/// A plug, a group and a tariff with each of [`ODD_NAMES`].
pub(crate) fn odd() -> Home {
    let mut home = empty();
    for (number, name) in ODD_NAMES.into_iter().enumerate() {
        let mac = format!("accf23{number:06x}").parse().unwrap();
        let odd = HomePlug {
            room: Some(name.to_owned()),
            ..plug(Some(name))
        };
        home.plugs.insert(mac, odd);
        let id = format!("g-{number:08x}").parse().unwrap();
        let name = name.to_owned();
        home.groups.insert(id, HomeGroup { name: name.clone() });
        let id = format!("t-{number:08x}").parse().unwrap();
        let currency = "€".to_owned();
        home.tariffs.insert(id, HomeTariff { name, currency });
    }
    home
}
