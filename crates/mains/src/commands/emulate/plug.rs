//! `mains emulate plug`: twins of the Maginon SP-2.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use emulator::{HomeNetwork, Load, Mode, PlugConfig, PlugFault, Profile, SerialNumber, mac_after};
use hiflying::Mac;
use plugs::RelayState;

use super::{
    FaultArg, address_after, addresses, listen_address, print_catalogue, recorder, serve,
    warn_of_own_address,
};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::help::help_of;

/// Options of `mains emulate plug`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("fresh").args(["ap", "smartlink"]))]
#[command(after_long_help = concat!("\
Serves UDP 48899, TCP 8899 and TCP 80 on addresses of this computer. Prints one line `ready <address> <mac>` for each \
twin when it answers, and runs until ", help_of!(end_signals), ". A twin needs another address than the client: a client \
ignores datagrams from its own.

Examples:
  mains emulate plug --listen 127.0.0.2 --load kettle --relay on
  mains discover --interface 127.0.0.1
  mains emulate plug --count 50 --fault lost=30% --seed 7
  mains emulate plug --ap --home-network \"My Home:its key\" --home-address 127.0.0.9
  mains emulate plug --smartlink --home-network \"My Home:its key\"
  mains emulate plug --fault help

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address or port that is not available."))]
pub(super) struct EmulatePlugArgs {
    /// Address of the twin; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.2", value_parser = listen_address)]
    listen: Vec<Ipv4Addr>,
    /// Number of twins, on consecutive addresses from each --listen
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Start factory-fresh: as an access point that waits for `mains setup`
    ///
    /// No Wi-Fi is made; the address stands for it.
    #[arg(long)]
    ap: bool,
    /// Start factory-fresh: waits for a Wi-Fi key in packet lengths, as `mains setup --method smartlink` sends it
    ///
    /// It hears broadcasts to UDP port 49999 of its network, and joins the first --home-network.
    #[arg(long, requires = "home_network")]
    smartlink: bool,
    /// MAC of the first twin; the others count up
    #[arg(long)]
    mac: Option<Mac>,
    /// Serial number of the first twin; the others count up
    #[arg(long)]
    serial: Option<SerialNumber>,
    /// Product: sp2 or p10a
    #[arg(long, default_value_t)]
    profile: Profile,
    /// Relay state at the start: on or off
    #[arg(long, default_value_t = RelayState::Off)]
    relay: RelayState,
    /// Load: watts (60, 1500W) or kettle, fridge, tv, heater, washing, constant
    #[arg(long, value_name = "W|NAME", default_value_t = Load::Constant(0.0))]
    load: Load,
    /// Wi-Fi that the twin can join; repeatable
    ///
    /// Split at the first colon; `\:` is a colon in the SSID; an empty key is an open network.
    #[arg(long, value_name = "SSID:KEY")]
    home_network: Vec<HomeNetwork>,
    /// Address of a factory-fresh twin once it has joined [default: unchanged]
    #[arg(long, value_name = "ADDR", value_parser = listen_address, requires = "fresh")]
    home_address: Option<Ipv4Addr>,
    /// Inject this fault; repeatable; `help` lists the faults
    #[arg(long, value_name = "SPEC")]
    fault: Vec<FaultArg<PlugFault>>,
    /// Seed of noise, load and faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Record every exchange in this file, one JSON object a line (keys are masked)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Runs the twins until a signal or `--timeout`.
pub(super) async fn run(context: &Context, args: EmulatePlugArgs) -> Outcome {
    if args.fault.iter().any(FaultArg::is_help) {
        return print_catalogue(context, PlugFault::catalogue());
    }
    let twins = args.configs()?;
    let record = args.record.as_deref().map(recorder).transpose()?;
    warn_of_own_address(context, twins.iter().map(|twin| twin.listen));
    serve(context, twins, record).await
}

impl EmulatePlugArgs {
    /// Returns the twins of all `--listen` addresses, in order. What is given of the first counts up, the rest follows from
    /// the address.
    fn configs(&self) -> Result<Vec<PlugConfig>, Failure> {
        let addresses = addresses(&self.listen, self.count)?;
        let config = |(step, listen)| {
            let derived = PlugConfig::at(listen);
            let home = |home| address_after(home, step, self.count);
            Ok(PlugConfig {
                home_address: self.home_address.map(home).transpose()?,
                mac: self.mac.map_or(derived.mac, |mac| mac_after(mac, step)),
                serial: match &self.serial {
                    Some(serial) => serial.after(step),
                    None => derived.serial,
                },
                profile: self.profile,
                mode: if self.ap || self.smartlink {
                    Mode::Ap
                } else {
                    Mode::Sta
                },
                smart_link: self.smartlink,
                relay_on: self.relay == RelayState::On,
                load: self.load,
                home_networks: self.home_network.clone(),
                faults: self.fault.iter().filter_map(FaultArg::fault).collect(),
                seed: self.seed,
                ..derived
            })
        };
        (0..).zip(addresses).map(config).collect()
    }
}
