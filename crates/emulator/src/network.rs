//! The Wi-Fi networks around a twin: the home networks that it can join, and a few neighbours that it only sees.

use std::str::FromStr;

use hiflying::Mac;
use hiflying::wifi::{Ssid, SsidError, WifiKey};

use crate::wskey::KeySetting;

/// A network that a twin can join, written `SSID:KEY`.
///
/// The first colon separates, `\:` is a colon in the SSID, and an empty key is an open network.
///
/// ```
/// use emulator::HomeNetwork;
///
/// let network: HomeNetwork = r"caf\:e:tea for two".parse()?;
/// assert_eq!(network.ssid().to_string(), "caf:e");
/// # Ok::<(), emulator::HomeNetworkError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeNetwork {
    ssid: Ssid,
    key: Option<WifiKey>,
}

/// Text that does not describe a network. Says nothing of the key but what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HomeNetworkError {
    /// There is no colon.
    #[error(
        "a home network is written SSID:KEY (`\\:` is a colon in the SSID, an empty key is an open network)"
    )]
    Form,
    /// The part before the colon cannot be an SSID.
    #[error("home network: {0}")]
    Ssid(#[from] SsidError),
    /// The part after the colon cannot be a key.
    #[error(
        "home network {ssid}: invalid key of {length} bytes; WPA takes 8 to 63, WEP 5 or 13 characters, or 10 or 26 hex digits"
    )]
    Key {
        /// Name of the network.
        ssid: Ssid,
        /// Length of the key.
        length: usize,
    },
}

/// The protection of the home networks that have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NetworkSecurity {
    Wep,
    Wpa,
    #[default]
    Wpa2,
    Mixed,
}

/// A network as the module's scan lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VisibleNetwork {
    pub(crate) ssid: Vec<u8>,
    pub(crate) signal: u8,
    channel: u8,
    bssid: Mac,
    security: &'static str,
}

impl VisibleNetwork {
    fn new(ssid: &[u8], security: &'static str, signal: u8) -> Self {
        Self {
            ssid: ssid.to_vec(),
            signal,
            channel: 1 + (hash(ssid) % 13) as u8,
            bssid: bssid(ssid),
            security,
        }
    }

    /// Returns the row of `AT+WSCAN`, without its line end.
    pub(crate) fn row(&self) -> Vec<u8> {
        let mut row = format!("{},", self.channel).into_bytes();
        row.extend_from_slice(&self.ssid);
        let rest = format!(",{},{},{}", self.bssid, self.security, self.signal);
        row.extend_from_slice(rest.as_bytes());
        row
    }
}

impl FromStr for HomeNetwork {
    type Err = HomeNetworkError;

    fn from_str(text: &str) -> Result<Self, HomeNetworkError> {
        let (ssid, key) = split(text).ok_or(HomeNetworkError::Form)?;
        let key = (!key.is_empty()).then(|| WifiKey::new(key));
        Self::new(Ssid::new(ssid)?, key)
    }
}

/// Splits at the first colon that no backslash protects.
fn split(text: &str) -> Option<(String, &str)> {
    let mut ssid = String::new();
    let mut rest = text;
    loop {
        let (head, tail) = rest.split_once(':')?;
        rest = tail;
        match head.strip_suffix('\\') {
            Some(head) => {
                ssid.push_str(head);
                ssid.push(':');
            }
            None => {
                ssid.push_str(head);
                return Some((ssid, rest));
            }
        }
    }
}

impl HomeNetwork {
    /// Makes a network with a key, or an open one.
    fn new(ssid: Ssid, key: Option<WifiKey>) -> Result<Self, HomeNetworkError> {
        let network = Self { ssid, key };
        if network.key_setting(NetworkSecurity::Wpa2).is_valid() {
            return Ok(network);
        }
        Err(HomeNetworkError::Key {
            length: network.key.map_or(0, |key| key.as_bytes().len()),
            ssid: network.ssid,
        })
    }

    /// Returns its name.
    #[must_use]
    pub fn ssid(&self) -> &Ssid {
        &self.ssid
    }

    /// Returns the access point's MAC, derived from the name.
    pub(crate) fn bssid(&self) -> Mac {
        bssid(self.ssid.as_bytes())
    }

    /// Returns the setting of a module that is on this network.
    pub(crate) fn key_setting(&self, security: NetworkSecurity) -> KeySetting {
        let Some(key) = self.key.as_ref().map(WifiKey::as_bytes) else {
            return KeySetting::new("OPEN", "NONE", b"");
        };
        match self.protection(security) {
            NetworkSecurity::Wep if matches!(key.len(), 10 | 26) => {
                KeySetting::new("SHARED", "WEP-H", key)
            }
            NetworkSecurity::Wep => KeySetting::new("SHARED", "WEP-A", key),
            NetworkSecurity::Wpa => KeySetting::new("WPAPSK", "TKIP", key),
            NetworkSecurity::Wpa2 | NetworkSecurity::Mixed => {
                KeySetting::new("WPA2PSK", "AES", key)
            }
        }
    }

    /// Tells whether the access point lets a station with these settings in.
    pub(crate) fn admits(&self, given: &KeySetting, security: NetworkSecurity) -> bool {
        let Some(key) = &self.key else {
            return given.cipher == "NONE" && given.key.is_empty();
        };
        given.key.as_slice() == key.as_bytes()
            && match (self.protection(security), given.auth) {
                (NetworkSecurity::Wep, "OPEN" | "SHARED") => given.cipher.starts_with("WEP"),
                (NetworkSecurity::Wpa, "WPAPSK") => given.cipher != "AES",
                (NetworkSecurity::Wpa2, "WPA2PSK") => given.cipher != "TKIP",
                (NetworkSecurity::Mixed, "WPAPSK" | "WPA2PSK") => true,
                _ => false,
            }
    }

    /// A key shorter than any WPA key can only be a WEP key.
    fn protection(&self, security: NetworkSecurity) -> NetworkSecurity {
        match &self.key {
            Some(key) if key.as_bytes().len() < 8 => NetworkSecurity::Wep,
            _ => security,
        }
    }

    /// Returns the network as a scan lists it; without a given strength of its signal, one that depends on its name.
    pub(crate) fn seen(&self, security: NetworkSecurity, signal: Option<u8>) -> VisibleNetwork {
        let word = match (&self.key, self.protection(security)) {
            (None, _) => "OPEN/NONE",
            (Some(_), NetworkSecurity::Wep) => "SHARED/WEP",
            (Some(_), NetworkSecurity::Wpa) => "WPAPSK/TKIP",
            (Some(_), NetworkSecurity::Wpa2) => "WPA2PSK/AES",
            (Some(_), NetworkSecurity::Mixed) => "WPAPSKWPA2PSK/TKIPAES",
        };
        let ssid = self.ssid.as_bytes();
        let signal = signal.unwrap_or(60 + (hash(ssid) % 35) as u8);
        VisibleNetwork::new(ssid, word, signal)
    }
}

/// Returns the networks of the neighbours: a mixed one, an open one, and one that hides its name.
pub(crate) fn neighbours() -> [VisibleNetwork; 3] {
    [
        VisibleNetwork::new(b"TP-LINK_qiandan", "WPAPSKWPA2PSK/AES", 41),
        VisibleNetwork::new(b"Cafe, free", "OPEN/NONE", 27),
        VisibleNetwork::new(b"", "WPA2PSK/AES", 18),
    ]
}

fn bssid(ssid: &[u8]) -> Mac {
    let [.., d, e, f] = hash(ssid).to_be_bytes();
    Mac::new([0x3C, 0xE5, 0xA6, d, e, f])
}

/// FNV-1a: the same on every run and machine, unlike the hasher of the standard library.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hiflying::wifi::ScanSecurity;
    use proptest::prelude::*;

    fn home(text: &str) -> HomeNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn ssid_and_key_are_split_at_the_first_bare_colon() {
        for (text, ssid, key) in [
            ("Home:secret-key", "Home", "secret-key"),
            ("Home:secret:key", "Home", "secret:key"),
            (r"a\:b\:c:12345678", "a:b:c", "12345678"),
            (
                "with space, comma = all:pass word,=",
                "with space, comma = all",
                "pass word,=",
            ),
            (r"back\slash:12345678", r"back\slash", "12345678"),
        ] {
            let network = home(text);
            assert_eq!(network.ssid.as_bytes(), ssid.as_bytes(), "{text}");
            assert_eq!(network.key.unwrap().as_bytes(), key.as_bytes(), "{text}");
        }
        assert_eq!(home("Cafe:").key, None);
    }

    #[test]
    fn what_is_no_network_is_refused_without_showing_the_key() {
        assert_eq!("Home".parse::<HomeNetwork>(), Err(HomeNetworkError::Form));
        assert_eq!(
            r"Home\:12345678".parse::<HomeNetwork>(),
            Err(HomeNetworkError::Form)
        );
        assert!(matches!(
            ":12345678".parse::<HomeNetwork>(),
            Err(HomeNetworkError::Ssid(_))
        ));
        let error = "Home:secret7".parse::<HomeNetwork>().unwrap_err();
        assert!(
            !error.to_string().contains("secret7") && !format!("{error:?}").contains("secret7")
        );
        assert!(!format!("{:?}", home("Home:secret-key")).contains("secret-key"));
    }

    #[test]
    fn only_the_right_key_in_the_right_dress_gets_in() {
        let admits = |network: &str, security, credentials: &str| {
            home(network).admits(
                &KeySetting::parse(credentials.as_bytes()).unwrap(),
                security,
            )
        };
        for (network, security, credentials, expected) in [
            (
                "Home:secret-key",
                NetworkSecurity::Wpa2,
                "WPA2PSK,AES,secret-key",
                true,
            ),
            (
                "Home:secret-key",
                NetworkSecurity::Wpa2,
                "WPA2PSK,TKIPAES,secret-key",
                true,
            ),
            (
                "Home:secret-key",
                NetworkSecurity::Wpa2,
                "WPA2PSK,AES,secret-kez",
                false,
            ),
            (
                "Home:secret-key",
                NetworkSecurity::Wpa2,
                "WPAPSK,AES,secret-key",
                false,
            ),
            ("Home:secret-key", NetworkSecurity::Wpa2, "OPEN,NONE", false),
            (
                "Home:secret-key",
                NetworkSecurity::Wpa,
                "WPAPSK,TKIP,secret-key",
                true,
            ),
            (
                "Home:secret-key",
                NetworkSecurity::Wpa,
                "WPA2PSK,AES,secret-key",
                false,
            ),
            (
                "Home:secret-key",
                NetworkSecurity::Mixed,
                "WPAPSK,TKIP,secret-key",
                true,
            ),
            (
                "Home:0123456789",
                NetworkSecurity::Wep,
                "SHARED,WEP-H,0123456789",
                true,
            ),
            (
                "Home:abcde",
                NetworkSecurity::Wpa2,
                "OPEN,WEP-A,abcde",
                true,
            ),
            (
                "Home:abcde",
                NetworkSecurity::Wpa2,
                "SHARED,WEP-A,abcdf",
                false,
            ),
            ("Cafe:", NetworkSecurity::Wpa2, "OPEN,NONE", true),
            ("Cafe:", NetworkSecurity::Wpa2, "OPEN,NONE,", true),
            (
                "Cafe:",
                NetworkSecurity::Wpa2,
                "WPA2PSK,AES,secret-key",
                false,
            ),
        ] {
            assert_eq!(
                admits(network, security, credentials),
                expected,
                "{network} {credentials}"
            );
        }
    }

    #[test]
    fn a_network_admits_what_its_own_scan_row_suggests() {
        for security in [
            NetworkSecurity::Wep,
            NetworkSecurity::Wpa,
            NetworkSecurity::Wpa2,
            NetworkSecurity::Mixed,
        ] {
            for text in [
                "Home:abcdefghijklm",
                "Home:abcde",
                "Home:0123456789",
                "Cafe:",
            ] {
                let network = home(text);
                // The client's reading of the twin's row leads to a setting that the twin admits.
                let scanned = ScanSecurity::parse(network.seen(security, None).security).unwrap();
                let admitted = scanned
                    .credentials_for(network.key.as_ref())
                    .iter()
                    .filter_map(|it| KeySetting::parse(&it.emit()))
                    .any(|it| network.admits(&it, security));
                assert!(admitted, "{text} {security:?} {scanned}");
                assert!(
                    network.admits(&network.key_setting(security), security),
                    "{text} {security:?}"
                );
            }
        }
    }

    #[test]
    fn rows_are_those_of_a_captured_list() {
        let network = VisibleNetwork {
            ssid: b"ZJSW_GUEST".to_vec(),
            signal: 76,
            channel: 1,
            bssid: "3C:E5:A6:61:B4:40".parse().unwrap(),
            security: "WPA2PSK/AES",
        };
        let row: &[u8] = b"1,ZJSW_GUEST,3C:E5:A6:61:B4:40,WPA2PSK/AES,76";
        assert_eq!(network.row(), row);
        let rows = neighbours().map(|it| it.row()).join(&b"\n\r"[..]);
        let names = hiflying::wscan::parse(&rows)
            .into_iter()
            .map(|it| it.ssid)
            .collect::<Vec<_>>();
        assert_eq!(
            names,
            neighbours().map(|it| it.ssid),
            "as the client reads them"
        );
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = text.parse::<HomeNetwork>();
        }
    }
}
