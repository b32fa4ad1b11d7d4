//! `mains setup`: put a factory-fresh plug on your Wi-Fi.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use hiflying::WifiSecurity;

use crate::context::Context;
use crate::error::Outcome;
use crate::setup;
use api::duration;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
How it goes: this computer joins the plug's own Wi-Fi network, tells the plug your network and key, has the plug prove \
the key while its own network is still there, lets it change over, and looks for it on your network. Success means that \
the plug was seen there under its MAC. This computer's Wi-Fi is put back in every case; should it be killed half-way, \
the next start of `mains` says so and offers to undo it (`mains setup --undo`).

Examples:
  mains setup                     asks for everything
  mains setup --ssid Home --key-file home.key --plug-ssid Reco900000621 --plug-key-file plug.key
  mains setup --ssid Home --key-file home.key --wifi manual
                                  you have joined the plug's network yourself
  mains setup --ssid New --key-stdin --module 192.168.1.107
                                  move a plug that is on your network already
  mains setup --ssid Home --key-file home.key --all --yes
                                  every plug in reach

JSON: {plug, ssid, confirmed, steps: [{step, ok, detail, elapsed_ms}]}, with an error beside them where it failed; \
with --all an array of these.

Exit codes: 0 seen on your network, 2 a key or name that no module could take, or a question without a terminal, \
3 no such plug or network, 4 not seen in time, 5 refused or proven wrong by the plug, 7 no Wi-Fi adapter, no \
permission, or port 48899 taken.")]
pub struct SetupArgs {
    /// Name of your Wi-Fi network (2.4 GHz, 1 to 32 bytes)
    #[arg(long)]
    pub ssid: Option<OsString>,
    /// File with your network's key; one line end at its end is dropped
    #[arg(long, value_name = "F", conflicts_with = "key_stdin")]
    pub key_file: Option<PathBuf>,
    /// Read your network's key from standard input; one line end at its end is dropped
    #[arg(long)]
    pub key_stdin: bool,
    /// How your network is protected
    #[arg(long, value_enum, default_value_t = Protection::Auto, value_name = "KIND")]
    pub security: Protection,
    /// The plug's own network, e.g. Reco900000621
    #[arg(long, value_name = "S")]
    pub plug_ssid: Option<OsString>,
    /// File with the key of the plug's own network (printed on its back)
    #[arg(long, value_name = "F")]
    pub plug_key_file: Option<PathBuf>,
    /// Where the module answers [default: 10.10.100.254]
    ///
    /// For a plug on its own network, or on your network already (its address there). Implies `--wifi
    /// manual` where `--wifi` is not given.
    #[arg(long, value_name = "ADDR")]
    pub module: Option<Ipv4Addr>,
    /// Who joins the plug's network: NetworkManager, or you [default: networkmanager, without it manual]
    #[arg(long, value_enum, value_name = "WAY")]
    pub wifi: Option<Wifi>,
    /// Look for the plug at this address too, after it has joined; repeatable
    #[arg(long, value_name = "ADDR")]
    pub to: Vec<Ipv4Addr>,
    /// Do not have the key proven before the plug gives up its own network
    ///
    /// Quicker, but after a wrong key the plug is unreachable until you hold its button.
    #[arg(long)]
    pub no_verify: bool,
    /// How long to look for the plug on your network
    #[arg(long, value_name = "D", value_parser = duration::parse, default_value = "90s")]
    pub wait: Duration,
    /// Give the plug this name
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub name: Option<String>,
    /// Set up every plug in reach, one after the other
    #[arg(long, conflicts_with = "plug_ssid")]
    pub all: bool,
    /// Put this computer's Wi-Fi back after a setup that was killed; does nothing else
    #[arg(long, conflicts_with_all = ["ssid", "plug_ssid", "module", "wifi", "to", "name", "all"])]
    pub undo: bool,
}

/// How the home network is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protection {
    /// As the plug's scan says; unseen: WPA2 with a key, open without
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

impl From<Protection> for WifiSecurity {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Auto => Self::Auto,
            Protection::Open => Self::Open,
            Protection::Wpa => Self::Wpa,
            Protection::Wpa2 => Self::Wpa2,
            Protection::Wep => Self::Wep,
        }
    }
}

/// Who joins the plug's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wifi {
    /// This program, by NetworkManager
    Networkmanager,
    /// You; nothing on this computer is touched
    Manual,
}

/// Runs the verb.
pub async fn run(context: &Context, args: SetupArgs) -> Outcome {
    if args.undo {
        return setup::undo(context).await;
    }
    setup::run(context, args).await
}
