//! The forms of `<PLUG>` on the command line, and their meanings.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hiflying::Mac;
use plugs::{Plug, Switched};

use crate::inventory::{Inventory, folded};

/// A plug as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    text: String,
    meaning: Meaning,
    /// The name of a plug that stands for a group, or for all.
    name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Address(Ipv4Addr),
    /// A name, MAC or serial number. Twelve digits are both of the latter until something answers to one of them.
    Known {
        mac: Option<Mac>,
        serial: bool,
    },
}

/// The outcome of switching a plug.
#[derive(Debug)]
pub struct SwitchedPlug {
    /// The plug.
    pub plug: Plug,
    /// The outcome.
    pub switched: Switched,
}

/// Reads a `<PLUG>`; what cannot be one is told here, before anything is tried.
pub fn parse(text: &str) -> Result<Target, String> {
    let target = |meaning| {
        Ok(Target {
            text: text.to_owned(),
            meaning,
            name: None,
        })
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("a plug is named by its name, MAC, serial number or IPv4 address".to_owned());
    }
    match trimmed.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => return target(Meaning::Address(device_address(address)?)),
        Ok(IpAddr::V6(_)) => {
            return Err("these plugs have no IPv6; give the IPv4 address, name or MAC".to_owned());
        }
        Err(_) => {}
    }
    if trimmed.parse::<SocketAddr>().is_ok() {
        return Err("give the address without a port: plugs have theirs fixed".to_owned());
    }
    if looks_like_address(trimmed) {
        return Err("not an IPv4 address: four numbers from 0 to 255".to_owned());
    }
    let serial = trimmed.bytes().all(|byte| byte.is_ascii_digit());
    target(Meaning::Known {
        mac: trimmed.parse().ok(),
        serial,
    })
}

/// Refuses what no single device can have.
pub fn device_address(address: Ipv4Addr) -> Result<Ipv4Addr, String> {
    let [first, ..] = address.octets();
    if address.is_unspecified() || first == 0 {
        Err("not the address of a device".to_owned())
    } else if address.is_broadcast() || address == Ipv4Addr::new(127, 255, 255, 255) {
        Err(
            "a broadcast address, not that of one plug; `mains discover` finds all of them"
                .to_owned(),
        )
    } else if address.is_multicast() || first >= 240 {
        Err("not an address that a plug can have".to_owned())
    } else {
        Ok(address)
    }
}

/// Four numbers between dots that are no address: a typing error, and never a name that anybody meant.
fn looks_like_address(text: &str) -> bool {
    text.split('.').count() == 4
        && text
            .bytes()
            .all(|byte| byte == b'.' || byte.is_ascii_digit())
}

impl Target {
    /// Returns the target for a plug that nobody named on the command line.
    pub(crate) fn of_plug(mac: Mac, name: Option<&str>) -> Self {
        Self {
            text: mac.to_string(),
            meaning: Meaning::Known {
                mac: Some(mac),
                serial: false,
            },
            name: name.map(str::to_owned),
        }
    }

    /// Returns what the user wrote; for a plug of a group or of all, its MAC.
    pub fn as_given(&self) -> &str {
        &self.text
    }

    /// Returns the target as people read it.
    pub(crate) fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.text)
    }

    /// Returns the key by which plugs are listed: those with a name first, by name.
    pub(super) fn order(&self) -> (bool, String) {
        let name = self.name.as_deref().map(folded);
        (name.is_none(), name.unwrap_or_else(|| self.text.clone()))
    }

    /// Returns the address, when that is what was given.
    pub fn address(&self) -> Option<Ipv4Addr> {
        match self.meaning {
            Meaning::Address(address) => Some(address),
            Meaning::Known { .. } => None,
        }
    }

    /// Tells whether a scan could find it without the inventory: a network knows MACs and serials, but no names.
    pub fn can_be_scanned_for(&self) -> bool {
        matches!(self.meaning, Meaning::Known { mac, serial } if mac.is_some() || serial)
    }

    /// Tells whether another target is the same text or address.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self.address(), other.address()) {
            (None, None) => folded(self.text.trim()) == folded(other.text.trim()),
            (one, other) => one == other,
        }
    }

    /// Tells whether it can be a serial number, which more than one plug could have.
    pub fn may_be_serial(&self) -> bool {
        matches!(self.meaning, Meaning::Known { serial: true, .. })
    }

    /// Tells whether a plug that answered is the one. A name never is: it must have become a MAC before.
    pub fn is(&self, plug: &Plug) -> bool {
        match self.meaning {
            Meaning::Address(address) => plug.address == address,
            Meaning::Known { mac, serial } => {
                mac == Some(plug.mac)
                    || (serial && plug.serial.as_deref() == Some(self.text.trim()))
            }
        }
    }

    /// Returns the MACs of the remembered plugs that it can mean; a name before a MAC before a serial number.
    pub fn remembered(&self, inventory: &Inventory) -> Vec<Mac> {
        let Meaning::Known { mac, serial } = self.meaning else {
            return Vec::new();
        };
        let text = self.text.trim();
        if let Some(entry) = inventory.by_name(text).or_else(|| inventory.by_mac(mac?)) {
            return vec![entry.mac];
        }
        if !serial {
            return Vec::new();
        }
        inventory.by_serial(text).map(|entry| entry.mac).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::PlugName;
    use crate::inventory::tests::plug;

    #[test]
    fn tells_addresses_from_the_rest() {
        assert_eq!(
            parse("192.168.1.7").unwrap().address(),
            Some(Ipv4Addr::new(192, 168, 1, 7))
        );
        for text in [
            "kitchen",
            "AC:CF:23:12:34:56",
            "accf.2312.3456",
            "900000621",
            "1.2.3",
            "v1.2.3.4",
            "::x",
        ] {
            assert_eq!(parse(text).unwrap().address(), None, "{text}");
        }
        for text in [
            "",
            " ",
            "::1",
            "fe80::1",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "127.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "256.1.1.1",
            "1.2.3.",
            "192.168.1.7:8899",
            "[::1]:80",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn twelve_digits_are_a_mac_or_a_serial() {
        let target = parse("112233445566").unwrap();
        assert!(target.can_be_scanned_for());
        let by_mac = Plug {
            mac: "11:22:33:44:55:66".parse().unwrap(),
            ..plug(1, [127, 0, 0, 2], 0)
        };
        let by_serial = Plug {
            serial: Some("112233445566".into()),
            ..plug(1, [127, 0, 0, 2], 0)
        };
        assert!(target.is(&by_mac) && target.is(&by_serial));
        assert!(!target.is(&plug(1, [127, 0, 0, 2], 0)));
    }

    #[test]
    fn a_name_cannot_be_scanned_for() {
        assert!(!parse("kitchen").unwrap().can_be_scanned_for());
        assert!(
            parse("ac-cf-23-00-00-01")
                .unwrap()
                .is(&plug(1, [127, 0, 0, 2], 0))
        );
        assert!(parse("900000001").unwrap().is(&plug(1, [127, 0, 0, 2], 0)));
    }

    #[test]
    fn remembers_by_name_mac_and_serial() {
        let mut inventory = Inventory::default();
        let (one, two) = (plug(1, [127, 0, 0, 2], 0), plug(2, [127, 0, 0, 3], 0));
        inventory.remember(std::slice::from_ref(&one));
        inventory.remember(&[Plug {
            serial: one.serial.clone(),
            ..two.clone()
        }]);
        inventory
            .rename(one.mac, Some(&"Kitchen".parse().unwrap()))
            .unwrap();
        let macs = |text| parse(text).unwrap().remembered(&inventory);
        assert_eq!(macs("kitchen"), [one.mac]);
        assert_eq!(macs("accf23000002"), [two.mac]);
        assert_eq!(macs("900000001"), [one.mac, two.mac]);
        assert_eq!(macs("900000009"), []);
        assert_eq!(macs("127.0.0.2"), []);
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_is_one_of_them(text in "\\PC*|[0-9a-fA-F:. -]{0,20}") {
            let Ok(target) = parse(&text) else { return Ok(()) };
            proptest::prop_assert_eq!(target.as_given(), text);
            if let Some(address) = target.address() {
                proptest::prop_assert!(!address.is_multicast() && !address.is_broadcast());
            }
        }

        #[test]
        fn what_can_be_a_name_is_not_taken_for_something_else(text in "\\PC{1,64}|[0-9a-fA-F:. -]{1,20}") {
            let Ok(name) = text.parse::<PlugName>() else { return Ok(()) };
            let target = parse(name.as_str()).unwrap();
            proptest::prop_assert!(target.address().is_none() && !target.can_be_scanned_for());
        }
    }
}
