//! The Wi-Fi networks around a twin: the home networks that it can join, and a few neighbours that it only sees.

use std::str::FromStr;

use hiflying::Mac;
use hiflying::wifi::{
    Auth, Cipher, Credentials, ScanSecurity, Ssid, SsidError, WifiKey, WifiKeyError,
};
use hiflying::wscan::Network;

use crate::reco::behaviour::NetworkSecurity;

/// A network that a twin can join, written `SSID:KEY`.
///
/// The first colon separates, `\:` is a colon in the SSID, and an empty key is an open network.
///
/// ```
/// use emulator::HomeNetwork;
///
/// let network: HomeNetwork = r"caf\:e:tea for two".parse()?;
/// assert_eq!(network.ssid().to_string(), "caf:e");
/// assert!(!network.is_open());
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
    /// The part behind the colon cannot be a key.
    #[error("home network {ssid}: {error}")]
    Key {
        /// Of which network.
        ssid: Ssid,
        /// What is wrong with it.
        error: WifiKeyError,
    },
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
    /// A network with a key, or an open one.
    ///
    /// # Errors
    ///
    /// [`HomeNetworkError::Key`] when no network has such a key.
    pub fn new(ssid: Ssid, key: Option<WifiKey>) -> Result<Self, HomeNetworkError> {
        let network = Self { ssid, key };
        match network.credentials(NetworkSecurity::Wpa2).check() {
            Ok(()) => Ok(network),
            Err(error) => Err(HomeNetworkError::Key {
                ssid: network.ssid,
                error,
            }),
        }
    }

    /// Its name.
    #[must_use]
    pub fn ssid(&self) -> &Ssid {
        &self.ssid
    }

    /// Tells whether it has no key.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.key.is_none()
    }

    /// The access point's MAC, derived from the name.
    #[must_use]
    pub fn bssid(&self) -> Mac {
        bssid(self.ssid.as_bytes())
    }

    /// What a module that is on this network would have been given.
    pub(crate) fn credentials(&self, security: NetworkSecurity) -> Credentials {
        let Some(key) = &self.key else {
            return Credentials::open();
        };
        match self.protection(security) {
            NetworkSecurity::Wep => Credentials::wep(Auth::Shared, key.clone()),
            NetworkSecurity::Wpa => Credentials::wpa(key.clone()),
            NetworkSecurity::Wpa2 | NetworkSecurity::Mixed => Credentials::wpa2(key.clone()),
        }
    }

    /// Tells whether the access point lets a station with these credentials in.
    pub(crate) fn admits(&self, given: &Credentials, security: NetworkSecurity) -> bool {
        let Some(key) = &self.key else {
            return *given == Credentials::open();
        };
        given.key.as_ref() == Some(key)
            && match (self.protection(security), given.auth) {
                (NetworkSecurity::Wep, Auth::Open | Auth::Shared) => {
                    matches!(given.cipher, Cipher::WepA | Cipher::WepH)
                }
                (NetworkSecurity::Wpa, Auth::WpaPsk) => given.cipher != Cipher::Aes,
                (NetworkSecurity::Wpa2, Auth::Wpa2Psk) => given.cipher != Cipher::Tkip,
                (NetworkSecurity::Mixed, Auth::WpaPsk | Auth::Wpa2Psk) => true,
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

    /// The row of `AT+WSCAN`.
    pub(crate) fn seen(&self, security: NetworkSecurity) -> ScannedNetwork {
        let word = match (&self.key, self.protection(security)) {
            (None, _) => "OPEN/NONE",
            (Some(_), NetworkSecurity::Wep) => "SHARED/WEP",
            (Some(_), NetworkSecurity::Wpa) => "WPAPSK/TKIP",
            (Some(_), NetworkSecurity::Wpa2) => "WPA2PSK/AES",
            (Some(_), NetworkSecurity::Mixed) => "WPAPSKWPA2PSK/TKIPAES",
        };
        network(
            self.ssid.as_bytes(),
            word,
            60 + (hash(self.ssid.as_bytes()) % 35) as u8,
        )
    }
}

/// What else is in the air: a mixed one, an open one, and one that hides its name.
pub(crate) fn neighbours() -> [ScannedNetwork; 3] {
    [
        network(b"TP-LINK_qiandan", "WPAPSKWPA2PSK/AES", 41),
        network(b"Cafe, free", "OPEN/NONE", 27),
        network(b"", "WPA2PSK/AES", 18),
    ]
}

fn network(ssid: &[u8], security: &str, signal: u8) -> ScannedNetwork {
    ScannedNetwork {
        channel: Some(1 + (hash(ssid) % 13) as u8),
        ssid: ssid.to_vec(),
        bssid: Some(bssid(ssid)),
        security: ScanSecurity::parse(security),
        signal: Some(signal),
    }
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
        assert!(home("Cafe:").is_open());
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
                &Credentials::parse(credentials.as_bytes()).unwrap(),
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
                let scanned = network.seen(security).security.unwrap();
                let suggestions = scanned.credentials_for(network.key.as_ref());
                let admitted = suggestions.iter().any(|it| network.admits(it, security));
                assert!(admitted, "{text} {security:?} {scanned}");
                assert!(
                    network.admits(&network.credentials(security), security),
                    "{text} {security:?}"
                );
            }
        }
    }

    #[test]
    fn neighbours_are_printed_as_rows() {
        let rows: Vec<u8> = neighbours()
            .iter()
            .flat_map(ScannedNetwork::emit_row)
            .collect();
        assert_eq!(hiflying::wscan::parse(&rows), neighbours());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = text.parse::<HomeNetwork>();
        }
    }
}
