//! Hints in the words of Windows.

use std::fmt::Display;

/// Closing a file to others.
pub(crate) const CLOSE_FILE: &str = "move it into a folder of your own";
/// No plug was found.
pub(crate) const NO_PLUG_FOUND: &str = "is this computer on the plugs' network, and does the firewall let their replies in? In Windows Security, \
     under \"Firewall & network protection\", choose \"Allow an app through firewall\" and allow mains.exe on private networks; in the \
     settings of your Wi-Fi network, choose the private profile. A plug that is fresh from the factory is found by `mains setup`";
/// No hub runs here.
pub(crate) const NO_HUB: &str = "start one with `mains serve`, or name one with `--hub URL` and its token in MAINS_TOKEN; the service needs \
     both";
/// Joining the network of a plug.
pub(crate) const JOIN_PLUG: &str = "click the Wi-Fi symbol at the right end of the taskbar, choose the plug's network (Reco and nine digits, key on \
     its back; WiWo-S20, open), clear \"Connect automatically\" and click Connect; \"No Internet\" is right there";
/// No such serial port.
pub(crate) const SERIAL_NOT_FOUND: &str =
    "plug the adapter in; the Device Manager shows its name under \"Ports (COM & LPT)\"";
/// No permission to use a serial port.
pub(crate) const SERIAL_NOT_PERMITTED: &str =
    "end the program that uses the port, for example a terminal";
/// A file that is no serial port.
pub(crate) const SERIAL_EXAMPLE: &str = "pass a serial port such as COM3";
/// Another program has a serial port.
pub(crate) const SERIAL_BUSY: &str = SERIAL_NOT_PERMITTED;
/// Returning to the home network.
pub(crate) fn join_home(ssid: impl Display) -> String {
    format!(
        "click the Wi-Fi symbol again and choose '{ssid}', if Windows does not return to it by itself"
    )
}

/// Variables of a shell, as they are set.
pub(crate) fn set_variables(variables: &[(&str, &str)]) -> String {
    let set = variables
        .iter()
        .map(|(name, value)| format!("set {name}={value}"));
    set.collect::<Vec<_>>().join("\n  ")
}
