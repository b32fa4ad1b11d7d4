//! A Wi-Fi network as this computer's adapters see it, and the plug that its name belongs to.

use std::cmp::Reverse;

use hiflying::Mac;

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

/// An access point in reach of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name, 1 to 32 bytes.
    pub ssid: Vec<u8>,
    /// 0 to 100.
    pub strength: u8,
    /// Its protection.
    pub protection: Protection,
    /// Its address, if known.
    pub(super) bssid: Option<Mac>,
    /// Number of the adapter that sees it, in the order in which adapters are taken.
    pub(super) adapter: usize,
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

    /// Tells whether its protection is not that of the network that is looked for: an open one, where the plug's own has a
    /// key. Anybody can open one of this name.
    pub fn is_doubtful(&self, has_key: bool) -> bool {
        self.protection == Protection::Open && self.expects_key(has_key)
    }

    fn expects_key(&self, has_key: bool) -> bool {
        has_key || self.opener() == Some(Opener::Reco)
    }

    /// Tells whether this is the same access point as one that was seen before.
    pub(super) fn is_same(&self, before: &Self) -> bool {
        let is_other = |(one, other)| one != other;
        self.ssid == before.ssid
            && self.protection == before.protection
            && self.adapter == before.adapter
            && !self.bssid.zip(before.bssid).is_some_and(is_other)
    }

    /// The order in which access points of one name are taken: by protection, then those that the better adapter sees, then by
    /// strength.
    fn rank(&self, has_key: bool) -> (u8, Reverse<usize>, u8) {
        let fitness = match (self.protection, self.expects_key(has_key)) {
            (Protection::Psk | Protection::Sae, true) | (Protection::Open, false) => 2,
            (Protection::Psk | Protection::Sae, false) | (Protection::Open, true) => 1,
            (Protection::Other, _) => 0,
        };
        (fitness, Reverse(self.adapter), self.strength)
    }
}

/// Returns the access point that fits best.
pub(super) fn best(seen: impl IntoIterator<Item = Seen>, has_key: bool) -> Option<Seen> {
    seen.into_iter().max_by_key(|network| network.rank(has_key))
}

/// Keeps the access point of each name that fits best, strongest first.
pub(super) fn best_of_each(mut seen: Vec<Seen>, has_key: bool) -> Vec<Seen> {
    seen.sort_by_key(|network| Reverse(network.rank(has_key)));
    let mut names = std::collections::HashSet::new();
    seen.retain(|network| names.insert(network.ssid.clone()));
    seen.sort_by_key(|network| (Reverse(network.strength), network.ssid.clone()));
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

    fn seen(ssid: &str, protection: Protection, adapter: usize, strength: u8) -> Seen {
        Seen {
            ssid: ssid.into(),
            strength,
            protection,
            bssid: None,
            adapter,
            path: zbus::ObjectPath::from_static_str_unchecked("/").into(),
        }
    }

    #[test]
    fn the_best_of_each_name_stays() {
        use Protection::{Open, Other, Psk};
        let reco = "Reco900000621";
        let all = vec![
            seen("a", Open, 0, 10),
            seen(reco, Open, 0, 90),
            seen("a", Open, 0, 70),
            seen(reco, Psk, 0, 40),
            seen("b", Open, 0, 60),
            seen("b", Psk, 0, 20),
            seen("b", Other, 0, 99),
        ];
        let kept = |has_key| -> Vec<(String, Protection, u8)> {
            let kept = best_of_each(all.clone(), has_key).into_iter();
            kept.map(|it| (it.name(), it.protection, it.strength))
                .collect()
        };
        let (a, reco) = (("a".to_owned(), Open, 70), (reco.to_owned(), Psk, 40));
        assert_eq!(
            kept(false),
            [a.clone(), ("b".to_owned(), Open, 60), reco.clone()]
        );
        assert_eq!(kept(true), [a, reco, ("b".to_owned(), Psk, 20)]);
    }

    #[test]
    fn an_open_network_is_doubtful_where_a_key_is_expected() {
        use Protection::{Open, Psk};
        for (ssid, protection, has_key, doubtful) in [
            ("Reco900000621", Open, false, true),
            ("Reco900000621", Open, true, true),
            ("Reco900000621", Psk, false, false),
            ("WiWo-S20", Open, false, false),
            ("WiWo-S20", Open, true, true),
            ("my plug", Open, false, false),
            ("my plug", Open, true, true),
        ] {
            let network = seen(ssid, protection, 0, 50);
            assert_eq!(network.is_doubtful(has_key), doubtful, "{ssid} {has_key}");
        }
    }

    #[test]
    fn the_idle_adapter_is_taken_and_the_same_access_point_again() {
        let (idle, busy) = (
            seen("a", Protection::Psk, 0, 30),
            seen("a", Protection::Psk, 1, 80),
        );
        assert_eq!(best([busy.clone(), idle.clone()], true), Some(idle.clone()));
        assert!(!busy.is_same(&idle));
        let known = |last| Seen {
            bssid: Some(Mac::new([0xAC, 0xCF, 0x23, 0, 0, last])),
            ..idle.clone()
        };
        assert!(known(1).is_same(&known(1)) && known(1).is_same(&idle));
        assert!(!known(1).is_same(&known(2)));
        assert!(!seen("a", Protection::Open, 0, 30).is_same(&idle));
    }
}
