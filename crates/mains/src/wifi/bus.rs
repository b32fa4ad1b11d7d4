//! The parts of NetworkManager's D-Bus interfaces that a join needs.
//!
//! Properties are never cached: a cache is filled by `PropertiesChanged`, and what decides here (device state,
//! active connection) must be the present value, not the last one that a missed signal left.

use std::collections::HashMap;
use std::time::Duration;

use zbus::proxy::{CacheProperties, Defaults, ProxyImpl};
use zbus::{Connection, ObjectPath, OwnedObjectPath, Variant, proxy};

/// NetworkManager's numbers for a device's type and state (`nm-dbus-types`).
pub(super) mod number {
    pub(crate) const DEVICE_WIFI: u32 = 2;

    pub(crate) const STATE_UNMANAGED: u32 = 10;
    pub(crate) const STATE_UNAVAILABLE: u32 = 20;
    pub(crate) const STATE_DISCONNECTED: u32 = 30;
    pub(crate) const STATE_PREPARE: u32 = 40;
    pub(crate) const STATE_NEED_AUTH: u32 = 60;
    pub(crate) const STATE_SECONDARIES: u32 = 90;
    pub(crate) const STATE_ACTIVATED: u32 = 100;
    pub(crate) const STATE_FAILED: u32 = 120;

    /// Access point flag: some encryption is on.
    pub(crate) const AP_PRIVACY: u32 = 0x1;
    /// Access point security: key management by a shared key (WPA and WPA2 personal).
    pub(crate) const AP_KEY_PSK: u32 = 0x100;
    /// Access point security: WPA3 personal.
    pub(crate) const AP_KEY_SAE: u32 = 0x400;

    /// A profile that NetworkManager forgets as soon as it is taken down.
    pub(crate) const PROFILE_VOLATILE: u32 = 0x4;
}

/// Time for one call: NetworkManager answers at once, then works; only a hung one is slower.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Settings of one connection profile as NetworkManager takes them.
pub(super) type ProfileSettings<'a> = HashMap<&'a str, HashMap<&'a str, Variant<'a>>>;

#[proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager"
)]
pub(super) trait Manager {
    fn get_devices(&self) -> zbus::Result<Vec<OwnedObjectPath>>;

    fn activate_connection(
        &self,
        connection: &ObjectPath<'_>,
        device: &ObjectPath<'_>,
        specific_object: &ObjectPath<'_>,
    ) -> zbus::Result<OwnedObjectPath>;

    #[zbus(name = "AddAndActivateConnection2")]
    fn add_and_activate_connection2(
        &self,
        connection: &ProfileSettings<'_>,
        device: &ObjectPath<'_>,
        specific_object: &ObjectPath<'_>,
        options: &HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<(
        OwnedObjectPath,
        OwnedObjectPath,
        HashMap<String, zbus::OwnedVariant>,
    )>;

    #[zbus(property)]
    fn wireless_enabled(&self) -> zbus::Result<bool>;
}

#[proxy(
    interface = "org.freedesktop.NetworkManager.Device",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(super) trait NetworkDevice {
    fn disconnect(&self) -> zbus::Result<()>;

    #[zbus(property)]
    fn device_type(&self) -> zbus::Result<u32>;

    #[zbus(property)]
    fn interface(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn state(&self) -> zbus::Result<u32>;

    #[zbus(property)]
    fn state_reason(&self) -> zbus::Result<(u32, u32)>;

    #[zbus(property)]
    fn active_connection(&self) -> zbus::Result<OwnedObjectPath>;

    #[zbus(property)]
    fn autoconnect(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn set_autoconnect(&self, allowed: bool) -> zbus::Result<()>;

    /// The device went from one state to another, with the reason.
    #[zbus(signal, name = "StateChanged")]
    fn moved(&self, new_state: u32, old_state: u32, reason: u32) -> zbus::Result<()>;
}

#[proxy(
    interface = "org.freedesktop.NetworkManager.Device.Wireless",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(super) trait Wireless {
    fn request_scan(&self, options: HashMap<&str, Variant<'_>>) -> zbus::Result<()>;

    fn get_all_access_points(&self) -> zbus::Result<Vec<OwnedObjectPath>>;

    /// End of the last scan, in milliseconds of the boot clock.
    #[zbus(property)]
    fn last_scan(&self) -> zbus::Result<i64>;
}

#[proxy(
    interface = "org.freedesktop.NetworkManager.AccessPoint",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(super) trait WifiPoint {
    #[zbus(property)]
    fn ssid(&self) -> zbus::Result<Vec<u8>>;

    #[zbus(property)]
    fn hw_address(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn strength(&self) -> zbus::Result<u8>;

    #[zbus(property)]
    fn flags(&self) -> zbus::Result<u32>;

    #[zbus(property)]
    fn wpa_flags(&self) -> zbus::Result<u32>;

    #[zbus(property)]
    fn rsn_flags(&self) -> zbus::Result<u32>;
}

#[proxy(
    interface = "org.freedesktop.NetworkManager.Connection.Active",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(super) trait Active {
    #[zbus(property)]
    fn uuid(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn id(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn connection(&self) -> zbus::Result<OwnedObjectPath>;

    #[zbus(property)]
    fn specific_object(&self) -> zbus::Result<OwnedObjectPath>;
}

#[proxy(
    interface = "org.freedesktop.NetworkManager.Settings",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager/Settings"
)]
pub(super) trait ConnectionSettings {
    fn get_connection_by_uuid(&self, uuid: &str) -> zbus::Result<OwnedObjectPath>;

    fn add_connection_unsaved(
        &self,
        connection: &ProfileSettings<'_>,
    ) -> zbus::Result<OwnedObjectPath>;
}

#[proxy(
    interface = "org.freedesktop.NetworkManager.Settings.Connection",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(super) trait Saved {
    fn delete(&self) -> zbus::Result<()>;

    #[zbus(property)]
    fn flags(&self) -> zbus::Result<u32>;
}

/// Opens the system bus (`DBUS_SYSTEM_BUS_ADDRESS` is honoured).
pub(super) async fn system() -> zbus::Result<Connection> {
    zbus::connection::Builder::system()
        .method_timeout(CALL_TIMEOUT)
        .build()
        .await
}

/// Makes an uncached proxy for the object at `path`.
pub(super) async fn at<'a, P>(connection: &Connection, path: &ObjectPath<'_>) -> zbus::Result<P>
where
    P: From<zbus::Proxy<'a>> + Defaults + ProxyImpl<'a>,
{
    P::builder(connection)
        .path(path.to_owned())
        .cache_properties(CacheProperties::No)
        .build()
        .await
}
