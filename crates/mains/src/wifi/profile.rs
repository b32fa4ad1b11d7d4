//! The temporary connection profile by which this computer joins a plug's access point.

use std::collections::HashMap;

use nix::unistd::{Uid, User};
use zbus::Variant;

use super::bus::ProfileSettings;
use super::error::WifiError;
use super::network::{Protection, Seen};

/// Returns the settings for `network`. The key is borrowed and goes nowhere but into the message to NetworkManager.
///
/// The plug's network leads nowhere, so it gets no default route and no name server: a computer that is on the
/// Internet by another adapter stays there. `autoconnect` is off, and one try is enough to tell a wrong key.
pub(super) fn settings<'a>(
    network: &'a Seen,
    uuid: &'a str,
    interface: &'a str,
    key: Option<&'a str>,
) -> Result<ProfileSettings<'a>, WifiError> {
    let mut profile = HashMap::from([
        (
            "connection",
            HashMap::from([
                (
                    "id",
                    Variant::from(format!("mains setup {}", network.name())),
                ),
                ("uuid", Variant::from(uuid)),
                ("type", Variant::from("802-11-wireless")),
                ("interface-name", Variant::from(interface)),
                ("autoconnect", Variant::from(false)),
                ("auth-retries", Variant::from(1_i32)),
            ]),
        ),
        (
            "802-11-wireless",
            HashMap::from([
                ("ssid", Variant::from(network.ssid.as_slice())),
                ("mode", Variant::from("infrastructure")),
            ]),
        ),
        (
            "ipv4",
            HashMap::from([
                ("method", Variant::from("auto")),
                ("never-default", Variant::from(true)),
                ("ignore-auto-dns", Variant::from(true)),
                ("may-fail", Variant::from(false)),
            ]),
        ),
        ("ipv6", HashMap::from([("method", Variant::from("ignore"))])),
    ]);
    // Another access point of this name may be a stranger's.
    if let (Some(wifi), Some(bssid)) = (profile.get_mut("802-11-wireless"), network.bssid) {
        wifi.insert("bssid", Variant::from(bssid.octets().to_vec()));
    }
    if let Some(security) = security(network, key)? {
        profile.insert("802-11-wireless-security", security);
    }
    Ok(profile)
}

/// Makes the profile this user's own: on many computers that needs no administrator, while a profile for all does.
pub(super) fn keep_to_user(profile: &mut ProfileSettings<'_>) {
    let Some(user) = User::from_uid(Uid::effective()).ok().flatten() else {
        return;
    };
    if let Some(connection) = profile.get_mut("connection") {
        let permissions = vec![format!("user:{}:", user.name)];
        connection.insert("permissions", Variant::from(permissions));
    }
}

fn security<'a>(
    network: &Seen,
    key: Option<&'a str>,
) -> Result<Option<HashMap<&'a str, Variant<'a>>>, WifiError> {
    let management = match network.protection {
        Protection::Open => return Ok(None),
        Protection::Psk => "wpa-psk",
        Protection::Sae => "sae",
        Protection::Other => {
            return Err(WifiError::NotJoined {
                ssid: network.name(),
                reason: "it is neither open nor protected by a WPA key, so it is no plug's".into(),
            });
        }
    };
    let key = key.ok_or_else(|| WifiError::KeyMissing {
        ssid: network.name(),
    })?;
    check(network, key)?;
    Ok(Some(HashMap::from([
        ("key-mgmt", Variant::from(management)),
        ("psk", Variant::from(key)),
    ])))
}

/// A WPA key is 8 to 63 characters, or 64 hex digits. NetworkManager would say so too, with the key in its message.
fn check(network: &Seen, key: &str) -> Result<(), WifiError> {
    let hex = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex || (8..=63).contains(&key.len()) {
        return Ok(());
    }
    Err(WifiError::KeyUnfit {
        ssid: network.name(),
        reason: "a WPA key has 8 to 63 characters",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(protection: Protection) -> Seen {
        Seen {
            ssid: b"Reco900000621".to_vec(),
            strength: 50,
            protection,
            bssid: Some(hiflying::Mac::new([0xAC, 0xCF, 0x23, 0, 0, 1])),
            adapter: 0,
            path: zbus::ObjectPath::from_static_str_unchecked("/").into(),
        }
    }

    fn of(protection: Protection, key: Option<&str>) -> Result<Vec<String>, WifiError> {
        let network = network(protection);
        let profile = settings(&network, "u", "wlan0", key)?;
        let mut names: Vec<_> = profile.keys().map(ToString::to_string).collect();
        names.sort();
        Ok(names)
    }

    #[test]
    fn leaves_the_default_route_alone_and_never_comes_back_by_itself() {
        let network = network(Protection::Open);
        let profile = settings(&network, "u", "wlan0", None).unwrap();
        assert_eq!(profile["ipv4"]["never-default"], Variant::from(true));
        assert_eq!(profile["connection"]["autoconnect"], Variant::from(false));
        assert!(!profile.contains_key("802-11-wireless-security"));
    }

    #[test]
    fn keys_are_looked_at_before_anything_is_touched() {
        assert!(of(Protection::Open, Some("ignored, it is open")).is_ok());
        assert!(of(Protection::Psk, Some("12345678")).is_ok());
        assert!(of(Protection::Psk, Some(&"k".repeat(63))).is_ok());
        assert!(of(Protection::Psk, Some(&"a".repeat(64))).is_ok());
        for key in ["", "1234567", &"k".repeat(64), &"a".repeat(65)] {
            assert!(
                matches!(
                    of(Protection::Psk, Some(key)),
                    Err(WifiError::KeyUnfit { .. })
                ),
                "{}",
                key.len()
            );
        }
        assert!(matches!(
            of(Protection::Psk, None),
            Err(WifiError::KeyMissing { .. })
        ));
        assert!(matches!(
            of(Protection::Other, None),
            Err(WifiError::NotJoined { .. })
        ));
    }
}
