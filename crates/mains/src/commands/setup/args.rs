//! Arguments of `mains setup`.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use hiflying::WifiSecurity;

use api::duration;

use crate::help::help_of;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!(help_of!(setup_course), "

Examples:
  mains setup                     asks for everything
  mains setup --ssid Home --key-file home.key --plug-ssid Reco900000621 --plug-key-file plug.key
  mains setup --ssid Home --key-file home.key --wifi manual
                                  after you have joined the plug's network yourself
  mains setup --ssid New --key-stdin --module 192.168.1.107
                                  moves a plug that is already on your network
  mains setup --ssid Home --key-file home.key --all --yes
                                  sets up every plug in range
  mains setup --all --to-ssid New --key-file new.key
                                  moves every plug of this network to another one
  mains setup --method smartlink --ssid Home --key-file home.key
                                  for a plug in SmartLink mode; this computer stays
                                  on your Wi-Fi, and anyone in range can read the key

JSON: {plug, ssid, confirmed, steps: [{step, ok, detail, elapsed_ms}]}, with an error beside them after a failure; \
with --all an array of these.

Exit codes: 0 seen on your network, 2 a key or name that no module can take, or a question without a terminal, \
3 no such plug or network, 4 not seen in time, 5 refused or proven wrong by the plug, 7 no Wi-Fi adapter, no \
permission, or port 48899 taken."))]
pub struct SetupArgs {
    /// Name of your Wi-Fi network (2.4 GHz, 1 to 32 bytes)
    #[arg(long)]
    pub ssid: Option<OsString>,
    /// Read the key of your network from this file, without a line end at its end
    #[arg(long, value_name = "F", conflicts_with = "key_stdin")]
    pub key_file: Option<PathBuf>,
    /// Read the key of your network from standard input, without a line end at its end
    #[arg(long)]
    pub key_stdin: bool,
    /// Security of your network
    #[arg(long, value_enum, default_value_t = SecurityArg::Auto, value_name = "KIND")]
    pub security: SecurityArg,
    /// Way to the plug: its own network, or lengths of packets on yours
    #[arg(long, value_enum, default_value_t = MethodArg::Ap, value_name = "METHOD")]
    pub method: MethodArg,
    /// Name of the plug's own network, e.g. Reco900000621
    #[arg(long, value_name = "S")]
    pub plug_ssid: Option<OsString>,
    /// Read the key of the plug's own network (printed on its back) from this file
    #[arg(long, value_name = "F")]
    pub plug_key_file: Option<PathBuf>,
    /// Address of the module [default: 10.10.100.254]
    ///
    /// For a plug on its own network, or already on your network (its address there). Implies `--wifi manual`
    /// unless `--wifi` is given.
    #[arg(long, value_name = "ADDR")]
    pub module: Option<Ipv4Addr>,
    #[arg(long, value_enum, value_name = "WAY", help = help_of!(wifi_option))]
    pub wifi: Option<WifiArg>,
    /// Look for the plug at this address too, after it has joined; repeatable
    #[arg(long, value_name = "ADDR")]
    pub to: Vec<Ipv4Addr>,
    /// Skip the proof of the key before the plug gives up its own network
    ///
    /// Quicker, but after a wrong key the plug is unreachable until you hold its button.
    #[arg(long)]
    pub no_verify: bool,
    /// Look for the plug on your network for this long
    #[arg(long, value_name = "D", value_parser = duration::parse, default_value = "90s")]
    pub wait: Duration,
    /// Give the plug this name
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub name: Option<String>,
    /// Set up every plug in range, one after the other
    #[arg(long, conflicts_with = "plug_ssid")]
    pub all: bool,
    /// With --all: move every plug that is on a network already to this one, the strongest signal first
    ///
    /// One plug proves the way, then at most three move at a time; the first that does not come back ends it.
    /// Run again, it leaves alone what is on the new network.
    #[arg(long, value_name = "SSID", requires = "all", conflicts_with_all = ["ssid", "wifi", "no_verify"])]
    pub to_ssid: Option<OsString>,
    /// Restore the computer's Wi-Fi after a setup that was killed, and do nothing else
    #[arg(long, conflicts_with_all = ["ssid", "plug_ssid", "module", "wifi", "to", "name", "all"])]
    pub undo: bool,
}

/// Security of the home network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SecurityArg {
    /// As the plug's scan shows; if it does not see the network, WPA2 with a key, open without
    Auto,
    /// No key
    Open,
    /// WPA of the first generation
    Wpa,
    /// WPA2
    Wpa2,
    /// WEP
    Wep,
}

impl From<SecurityArg> for WifiSecurity {
    fn from(security: SecurityArg) -> Self {
        match security {
            SecurityArg::Auto => Self::Auto,
            SecurityArg::Open => Self::Open,
            SecurityArg::Wpa => Self::Wpa,
            SecurityArg::Wpa2 => Self::Wpa2,
            SecurityArg::Wep => Self::Wep,
        }
    }
}

/// Way in which a plug is given the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodArg {
    /// Over the plug's own network
    Ap,
    /// SmartLink: in the lengths of packets on your network, which anyone in radio range can read
    Smartlink,
}

/// Control of the computer's Wi-Fi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WifiArg {
    /// Mains joins the plug's network through NetworkManager
    Networkmanager,
    /// You join the plug's network; Mains changes nothing on this computer
    Manual,
}
