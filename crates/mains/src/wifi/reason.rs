//! NetworkManager's device states and reasons, in words and as errors.

use super::bus::number;
use super::error::WifiError;

// NMDeviceStateReason of nm-dbus-types; those that say what the user can do something about.
const CONFIG_FAILED: u32 = 4;
const IP_CONFIG_UNAVAILABLE: u32 = 5;
const IP_CONFIG_EXPIRED: u32 = 6;
const NO_SECRETS: u32 = 7;
const SUPPLICANT_DISCONNECT: u32 = 8;
const SUPPLICANT_CONFIG_FAILED: u32 = 9;
const SUPPLICANT_FAILED: u32 = 10;
const SUPPLICANT_TIMEOUT: u32 = 11;
const DHCP_START_FAILED: u32 = 15;
const DHCP_ERROR: u32 = 16;
const DHCP_FAILED: u32 = 17;
const FIRMWARE_MISSING: u32 = 35;
const REMOVED: u32 = 36;
const SLEEPING: u32 = 37;
const CONNECTION_REMOVED: u32 = 38;
const USER_REQUESTED: u32 = 39;
const CARRIER: u32 = 40;
const SSID_NOT_FOUND: u32 = 53;
const DEPENDENCY_FAILED: u32 = 50;
const NEW_ACTIVATION: u32 = 60;

/// Returns the error for an attempt to join `ssid` that ended for `reason`. `authenticating` tells whether
/// the device was still proving the key: a supplicant that is thrown out then was thrown out for the key.
pub(super) fn join_error(ssid: &str, reason: u32, authenticating: bool) -> WifiError {
    let ssid = ssid.to_owned();
    match reason {
        NO_SECRETS => WifiError::NoSecrets { name: ssid },
        SUPPLICANT_DISCONNECT if authenticating => WifiError::WrongKey { ssid },
        SSID_NOT_FOUND | SUPPLICANT_DISCONNECT | CARRIER => WifiError::Vanished { ssid },
        IP_CONFIG_UNAVAILABLE
        | IP_CONFIG_EXPIRED
        | DHCP_START_FAILED
        | DHCP_ERROR
        | DHCP_FAILED => WifiError::NoLease { ssid },
        _ => WifiError::NotJoined {
            ssid,
            reason: words(reason),
        },
    }
}

/// Tells whether a device that asks for secrets for this reason was refused with the ones it had.
pub(super) fn is_refusal(reason: u32) -> bool {
    reason == SUPPLICANT_DISCONNECT
}

/// Tells whether a device left its connection for this reason because another one begins on it.
pub(super) fn is_handover(reason: u32) -> bool {
    reason == NEW_ACTIVATION
}

/// Returns a reason in words.
pub(super) fn words(reason: u32) -> String {
    match reason {
        CONFIG_FAILED => "the adapter could not be configured",
        IP_CONFIG_UNAVAILABLE => "no address was assigned",
        IP_CONFIG_EXPIRED => "the address expired",
        NO_SECRETS => "the key was refused or is missing",
        SUPPLICANT_DISCONNECT => "the access point ended the connection",
        SUPPLICANT_CONFIG_FAILED => "this computer's Wi-Fi service refused the settings",
        SUPPLICANT_FAILED => "this computer's Wi-Fi service failed",
        SUPPLICANT_TIMEOUT => "the access point did not answer in time",
        DHCP_START_FAILED | DHCP_ERROR | DHCP_FAILED => "DHCP gave no address",
        FIRMWARE_MISSING => "the adapter's firmware is missing",
        REMOVED => "the adapter was taken away",
        SLEEPING => "the computer is going to sleep",
        CONNECTION_REMOVED => "the connection was removed",
        USER_REQUESTED => "it was disconnected by hand",
        CARRIER => "the link was lost",
        DEPENDENCY_FAILED => "a connection that it depends on failed",
        SSID_NOT_FOUND => "the network was not found",
        other => return format!("NetworkManager's reason number {other}"),
    }
    .to_owned()
}

/// Returns NetworkManager's word for a device state in which nothing can be joined, or nothing for the others.
pub(super) fn unusable(state: u32) -> Option<&'static str> {
    match state {
        number::STATE_UNMANAGED => Some("unmanaged"),
        number::STATE_UNAVAILABLE => Some("unavailable"),
        _ => None,
    }
}
