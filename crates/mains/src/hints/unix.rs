//! Hints in the words of Linux.

use std::fmt::Display;

/// Closing a file to others.
pub(crate) const CLOSE_FILE: &str = "`chmod 600` closes it";
/// No plug was found.
pub(crate) const NO_PLUG_FOUND: &str = "is this computer on the plugs' network, and does its firewall let UDP port 48899 in? A plug that is \
     fresh from the factory is found by `mains setup`";
/// No hub runs here.
pub(crate) const NO_HUB: &str = "start one with `mains serve`, or name one with `--hub URL` and its token in MAINS_TOKEN; \
     that of the system service is its user's: `sudo -u mains mains …`";
/// Joining the network of a plug.
pub(crate) const JOIN_PLUG: &str =
    "join the plug's Wi-Fi network (Reco and nine digits, key on its back; WiWo-S20, open) by hand";
/// No such serial port.
pub(crate) const SERIAL_NOT_FOUND: &str =
    "plug the adapter in; `ls /dev/tty*` or `dmesg` shows its name";
/// No permission to use a serial port.
pub(crate) const SERIAL_NOT_PERMITTED: &str =
    "on Debian and similar systems, run `sudo usermod -aG dialout $USER` and log in again";
/// A file that is no serial port.
pub(crate) const SERIAL_EXAMPLE: &str = "pass a serial device such as /dev/ttyUSB0";
/// Another program has a serial port.
pub(crate) const SERIAL_BUSY: &str = "end the other program, perhaps a modem manager";
/// Returning to the home network.
pub(crate) fn join_home(ssid: impl Display) -> String {
    format!("join '{ssid}' with this computer again, if it does not do so by itself")
}

/// Variables of a shell, as they are set.
pub(crate) fn set_variables(variables: &[(&str, &str)]) -> String {
    let set = variables
        .iter()
        .map(|(name, value)| format!(" {name}={value}"));
    format!("export{}", set.collect::<String>())
}
