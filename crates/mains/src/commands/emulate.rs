//! `mains emulate`: software twins of devices, for trying and testing without hardware.

mod bridge;
mod keys;

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use emulator::server::{self, ServerError, TwinReady};
use emulator::{
    FaultError, HomeNetwork, Load, Mode, PlugConfig, PlugFault, Profile, RecordWriter, SerialNumber,
};
use hiflying::Mac;
use plugs::RelayState;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::device_address;
use crate::shutdown;
use crate::ui::{BOLD, paint};

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "DEVICE",
    subcommand_help_heading = "Devices",
    after_long_help = "\
Examples:
  mains emulate plug
  mains emulate plug --count 5 --load kettle
  mains emulate bridge --press-after 0s
  mains help emulate plug

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address or port that is not available."
)]
pub struct EmulateArgs {
    /// The device
    #[command(subcommand)]
    device: Device,
}

#[derive(Debug, clap::Subcommand)]
enum Device {
    /// Emulate a Maginon SP-2 or Reco4life P10A
    Plug(Box<EmulatePlugArgs>),
    /// Emulate a Philips Hue bridge with bulbs
    Bridge(Box<bridge::EmulateBridgeArgs>),
}

/// Options of `mains emulate plug`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Serves UDP 48899, TCP 8899 and TCP 80 on addresses of this computer. Prints one line `ready <address> <mac>` for each \
twin when it answers, and runs until Ctrl-C or SIGTERM. A twin needs another address than the client: a client \
ignores datagrams from its own.

Examples:
  mains emulate plug --listen 127.0.0.2 --load kettle --relay on
  mains discover --interface 127.0.0.1
  mains emulate plug --count 50 --fault lost=30% --seed 7
  mains emulate plug --ap --home-network 'My Home:its key' --home-address 127.0.0.9
  mains emulate plug --fault help

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address or port that is not available.")]
struct EmulatePlugArgs {
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
    /// Load: watts (60, 1500W) or kettle, fridge, tv, constant
    #[arg(long, value_name = "W|NAME", default_value_t = Load::Constant(0.0))]
    load: Load,
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
    fault: Vec<FaultArg<PlugFault>>,
    /// Seed of noise, load and faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Record every exchange in this file, one JSON object a line (keys are masked)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// A fault, or the wish to know which there are.
#[derive(Debug, Clone)]
enum FaultArg<F> {
    Help,
    Fault(F),
}

impl<F: Clone> FaultArg<F> {
    fn is_help(&self) -> bool {
        matches!(self, Self::Help)
    }

    fn fault(&self) -> Option<F> {
        match self {
            Self::Fault(fault) => Some(fault.clone()),
            Self::Help => None,
        }
    }
}

impl<F: FromStr<Err = FaultError>> FromStr for FaultArg<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "help" {
            return Ok(Self::Help);
        }
        text.parse().map(Self::Fault).map_err(|error| match &error {
            FaultError::Unknown {
                nearest: Some(nearest),
                ..
            } => {
                format!("{error}; did you mean `{nearest}`? `--fault help` lists them")
            }
            _ => format!("{error}; `--fault help` lists them"),
        })
    }
}

fn listen_address(text: &str) -> Result<Ipv4Addr, String> {
    let address = text.parse().map_err(|_| "not an IPv4 address".to_owned())?;
    device_address(address).map_err(|_| "not an address that a device can have".to_owned())
}

/// Runs the twins until a signal, or until `--timeout`: endless verbs have then done what they were asked for.
pub async fn run(context: &Context, args: EmulateArgs) -> Outcome {
    match args.device {
        Device::Plug(args) => run_plugs(context, *args).await,
        Device::Bridge(args) => bridge::run(context, *args).await,
    }
}

async fn run_plugs(context: &Context, args: EmulatePlugArgs) -> Outcome {
    if args.fault.iter().any(FaultArg::is_help) {
        return print_catalogue(context, PlugFault::catalogue());
    }
    let configs = args.configs()?;
    let recorder = args.record.as_deref().map(recorder).transpose()?;
    let (mut written, mut warned) = (Ok(()), false);
    let on_ready = |ready: TwinReady| {
        if !ready.http && !std::mem::replace(&mut warned, true) {
            context.ui.warn(
                "the web page on TCP port 80 is not served: that port needs root, or it is taken",
            );
        }
        if written.is_ok() {
            written = context
                .ui
                .data(format_args!("ready {} {}", ready.address, ready.mac));
        }
    };
    let signals = shutdown::Signals::listen()?;
    server::run(
        configs,
        recorder,
        on_ready,
        signals.received_before(context.deadline()),
    )
    .await?;
    written?;
    Ok(Exit::DONE)
}

fn recorder(path: &Path) -> Result<RecordWriter, Failure> {
    RecordWriter::create(path).map_err(|error| {
        Failure::local(format!("the record {} cannot be written", path.display())).caused_by(&error)
    })
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let failure = Self::local(error.to_string());
        match &error {
            ServerError::Twice { .. } => Self::usage(error.to_string()),
            ServerError::Taken { .. } => {
                failure.hint("end the other program, or take another --listen")
            }
            ServerError::NotLocal { .. } => {
                failure.hint("all of 127.0.0.2 to 127.255.255.254 can be used at any time")
            }
            ServerError::Open { source, .. } => failure.caused_by(source),
            ServerError::Interfaces(source) => failure.caused_by(source),
        }
    }
}

/// Lists the faults of a kind of twin.
fn print_catalogue(
    context: &Context,
    catalogue: impl ExactSizeIterator<Item = (&'static str, &'static str)>,
) -> Outcome {
    let rows: Vec<_> = catalogue.collect();
    let width = rows
        .iter()
        .map(|(spec, _)| spec.len())
        .max()
        .unwrap_or_default();
    for (spec, explanation) in rows {
        let spec = format!("{spec:width$}");
        context
            .ui
            .data(format_args!("{}  {explanation}", paint(BOLD, spec)))?;
    }
    Ok(Exit::DONE)
}

/// The address of the twin `step` behind the first of `count`.
fn address_after(first: Ipv4Addr, step: u32, count: u32) -> Result<Ipv4Addr, Failure> {
    let address = u32::from(first).checked_add(step).map(Ipv4Addr::from);
    let fits = |address: &Ipv4Addr| {
        listen_address(&address.to_string()).is_ok() && !leaves_loopback(first, *address)
    };
    address.filter(fits).ok_or_else(|| {
        Failure::usage(format!(
            "{count} twins from {first} on would reach addresses where none can be"
        ))
        .hint("take a lower --listen or a lower --count")
    })
}

impl EmulatePlugArgs {
    /// The twins of all `--listen` addresses, in order.
    fn configs(&self) -> Result<Vec<PlugConfig>, Failure> {
        let mut configs = Vec::new();
        for first in &self.listen {
            configs.extend(self.series(*first)?);
        }
        self.count_up(&mut configs)?;
        let mut addresses = HashSet::new();
        match configs
            .iter()
            .map(|config| config.listen)
            .find(|address| !addresses.insert(*address))
        {
            Some(twice) => Err(Failure::usage(format!(
                "two twins cannot be at the address {twice}"
            ))
            .hint("let the ranges of --listen and --count not overlap")),
            None => Ok(configs),
        }
    }

    /// The twins from one address on.
    fn series(&self, first: Ipv4Addr) -> Result<Vec<PlugConfig>, Failure> {
        let config = PlugConfig {
            home_address: self.home_address,
            profile: self.profile,
            mode: if self.ap { Mode::Ap } else { Mode::Sta },
            relay_on: self.relay == RelayState::On,
            load: self.load,
            home_networks: self.home_network.clone(),
            faults: self.faults(),
            seed: self.seed,
            ..PlugConfig::at(first)
        };
        let series = config
            .series(self.count)
            .map_err(|error| Failure::usage(error.to_string()))?;
        match series.iter().find(|twin| {
            listen_address(&twin.listen.to_string()).is_err() || leaves_loopback(first, twin.listen)
        }) {
            Some(twin) => Err(Failure::usage(format!(
                "{} twins from {first} on would reach {}, where none can be",
                self.count, twin.listen
            ))
            .hint("take a lower --listen or a lower --count")),
            None => Ok(series),
        }
    }

    fn faults(&self) -> Vec<PlugFault> {
        self.fault.iter().filter_map(FaultArg::fault).collect()
    }

    /// MACs and serial numbers that were given count up over all addresses.
    fn count_up(&self, configs: &mut [PlugConfig]) -> Result<(), Failure> {
        let count = u32::try_from(configs.len()).unwrap_or(u32::MAX);
        // Only the counting of a series is of interest here, so it starts where addresses cannot run out.
        let mut counted = PlugConfig::at(Ipv4Addr::new(0, 0, 0, 1));
        if let Some(mac) = self.mac {
            counted.mac = mac;
        }
        if let Some(serial) = &self.serial {
            counted.serial = serial.clone();
        }
        let series = counted
            .series(count)
            .map_err(|error| Failure::usage(error.to_string()))?;
        for (config, counted) in configs.iter_mut().zip(series) {
            if self.mac.is_some() {
                config.mac = counted.mac;
            }
            if self.serial.is_some() {
                config.serial = counted.serial;
            }
        }
        Ok(())
    }
}

/// A series that starts on loopback must end there: the addresses after it belong to nobody here.
fn leaves_loopback(first: Ipv4Addr, twin: Ipv4Addr) -> bool {
    first.is_loopback() != twin.is_loopback()
}
