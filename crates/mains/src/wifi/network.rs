//! A Wi-Fi network as this computer's adapter sees it, and the plug that its name belongs to.

use super::bus::number;

/// Kind of plug that opens a network of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// Maginon SP-2 / Reco4life: `Reco` and the nine digits of the serial.
    Reco,
    /// Orvibo S20: `WiWo-S20`, always open.
    Orvibo,
}

impl Opener {
    /// Finds the plug by the name of its network.
    pub fn of(ssid: &[u8]) -> Option<Self> {
        if ssid == b"WiWo-S20" {
            return Some(Self::Orvibo);
        }
        let digits = ssid.strip_prefix(b"Reco")?;
        (digits.len() == 9 && digits.iter().all(u8::is_ascii_digit)).then_some(Self::Reco)
    }

    /// Returns its name in a list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reco => "Maginon SP-2 / Reco4life",
            Self::Orvibo => "Orvibo S20",
        }
    }
}

/// Protection of a network, as far as joining it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// No key.
    Open,
    /// A shared key, WPA or WPA2.
    Psk,
    /// A shared key, WPA3 only.
    Sae,
    /// Something a plug never has: WEP, enterprise.
    Other,
}

impl Protection {
    pub(super) fn from_flags(flags: u32, wpa: u32, rsn: u32) -> Self {
        let security = wpa | rsn;
        if security & number::AP_KEY_PSK != 0 {
            Self::Psk
        } else if security & number::AP_KEY_SAE != 0 {
            Self::Sae
        } else if security != 0 || flags & number::AP_PRIVACY != 0 {
            Self::Other
        } else {
            Self::Open
        }
    }
}

/// A network in reach of the adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name, 1 to 32 bytes.
    pub ssid: Vec<u8>,
    /// 0 to 100.
    pub strength: u8,
    /// Its protection.
    pub protection: Protection,
    /// NetworkManager's object for the access point.
    pub(super) path: zbus::OwnedObjectPath,
}

impl Seen {
    /// Returns its name as text.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.ssid).into_owned()
    }

    /// Returns the plug that opened it.
    pub fn opener(&self) -> Option<Opener> {
        Opener::of(&self.ssid)
    }
}

/// Keeps the strongest access point of each name, strongest first.
pub(super) fn strongest(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.sort_by(|a, b| {
        b.strength
            .cmp(&a.strength)
            .then_with(|| a.ssid.cmp(&b.ssid))
    });
    let mut names = std::collections::HashSet::new();
    seen.retain(|network| names.insert(network.ssid.clone()));
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugs_are_known_by_the_name_of_their_network() {
        for (ssid, opener) in [
            ("Reco900000621", Some(Opener::Reco)),
            ("Reco040001212", Some(Opener::Reco)),
            ("WiWo-S20", Some(Opener::Orvibo)),
            ("Reco90000062", None),
            ("Reco9000006211", None),
            ("Reco90000062x", None),
            ("reco900000621", None),
            ("xReco900000621", None),
            ("", None),
        ] {
            assert_eq!(Opener::of(ssid.as_bytes()), opener, "{ssid}");
        }
    }

    #[test]
    fn protection_follows_the_flags() {
        assert_eq!(Protection::from_flags(0, 0, 0), Protection::Open);
        assert_eq!(Protection::from_flags(1, 0, 0x188), Protection::Psk);
        assert_eq!(Protection::from_flags(1, 0x144, 0), Protection::Psk);
        assert_eq!(Protection::from_flags(1, 0, 0x588), Protection::Psk);
        assert_eq!(Protection::from_flags(1, 0, 0x488), Protection::Sae);
        assert_eq!(Protection::from_flags(1, 0, 0), Protection::Other);
        assert_eq!(Protection::from_flags(1, 0, 0x288), Protection::Other);
    }

    #[test]
    fn the_strongest_of_each_name_stays() {
        let seen = |ssid: &str, strength| Seen {
            ssid: ssid.into(),
            strength,
            protection: Protection::Open,
            path: zbus::ObjectPath::from_static_str_unchecked("/").into(),
        };
        let kept = strongest(vec![seen("a", 10), seen("b", 40), seen("a", 70)]);
        assert_eq!(
            kept.iter()
                .map(|n| (n.name(), n.strength))
                .collect::<Vec<_>>(),
            [("a".to_owned(), 70), ("b".to_owned(), 40)]
        );
    }
}
