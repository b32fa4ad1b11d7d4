//! `mains emulate s20`: twins of the Orvibo S20.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use emulator::{HomeNetwork, Mode, OrviboConfig, OrviboFault, OrviboModel, OrviboName, mac_after};
use hiflying::Mac;
use plugs::RelayState;

use super::{
    FaultArg, address_after, addresses, listen_address, print_catalogue, recorder, serve,
    warn_of_own_address,
};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::help::help_of;

/// Options of `mains emulate s20`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Serves UDP 10000 and UDP 48899 on addresses of this computer. Prints one line `ready <address> <mac>` for each twin when it \
answers, and runs until ", help_of!(end_signals), ". A twin needs another address than the client: a client ignores datagrams from its \
own. The plug has no meter; its button is pressed by --fault press=D.

Examples:
  mains emulate s20 --listen 127.0.0.9 --plug-name \"Coffee maker\" --relay on
  mains emulate s20 --count 5 --fault lost=30% --seed 7
  mains emulate s20 --fault press=10s
  mains emulate s20 --ap --home-network \"My Home:its key\" --home-address 127.0.0.19
  mains emulate s20 --fault help

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address or port that is not available."))]
pub(super) struct EmulateS20Args {
    /// Address of the twin; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.9", value_parser = listen_address)]
    listen: Vec<Ipv4Addr>,
    /// Number of twins, on consecutive addresses from each --listen
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Start factory-fresh: as an access point that waits for `mains setup`
    ///
    /// No Wi-Fi is made; the address stands for it.
    #[arg(long)]
    ap: bool,
    /// MAC of the first twin; the others count up
    #[arg(long)]
    mac: Option<Mac>,
    /// Model: soc001, soc002 or soc005
    #[arg(long, default_value_t)]
    profile: OrviboModel,
    /// Name that the plug itself stores, at most 16 bytes
    #[arg(long, value_name = "NAME", default_value_t)]
    plug_name: OrviboName,
    /// Relay state at the start: on or off
    #[arg(long, default_value_t = RelayState::Off)]
    relay: RelayState,
    /// Wi-Fi that an --ap twin can join; repeatable
    ///
    /// Split at the first colon; `\:` is a colon in the SSID; an empty key is an open network.
    #[arg(long, value_name = "SSID:KEY")]
    home_network: Vec<HomeNetwork>,
    /// Address of an --ap twin once it has joined [default: unchanged]
    #[arg(long, value_name = "ADDR", value_parser = listen_address, requires = "ap")]
    home_address: Option<Ipv4Addr>,
    /// Inject this fault; repeatable; `help` lists the faults
    #[arg(long, value_name = "SPEC")]
    fault: Vec<FaultArg<OrviboFault>>,
    /// Seed of the faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Record every exchange in this file, one JSON object a line (keys are masked)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Runs the twins until a signal or `--timeout`.
pub(super) async fn run(context: &Context, args: EmulateS20Args) -> Outcome {
    if args.fault.iter().any(FaultArg::is_help) {
        return print_catalogue(context, OrviboFault::catalogue());
    }
    let twins = args.configs()?;
    let record = args.record.as_deref().map(recorder).transpose()?;
    warn_of_own_address(context, twins.iter().map(|twin| twin.listen));
    serve(context, twins, record).await
}

impl EmulateS20Args {
    /// Returns the twins of all `--listen` addresses, in order.
    fn configs(&self) -> Result<Vec<OrviboConfig>, Failure> {
        let addresses = addresses(&self.listen, self.count)?;
        let config = |(step, listen)| {
            let derived = OrviboConfig::at(listen);
            let home = |home| address_after(home, step, self.count);
            Ok(OrviboConfig {
                home_address: self.home_address.map(home).transpose()?,
                mac: self.mac.map_or(derived.mac, |mac| mac_after(mac, step)),
                model: self.profile,
                name: self.plug_name.clone(),
                mode: if self.ap { Mode::Ap } else { Mode::Sta },
                relay_on: self.relay == RelayState::On,
                home_networks: self.home_network.clone(),
                faults: self.fault.iter().filter_map(FaultArg::fault).collect(),
                seed: self.seed,
                ..derived
            })
        };
        (0..).zip(addresses).map(config).collect()
    }
}
