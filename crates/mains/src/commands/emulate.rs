//! `mains emulate`: software twins of devices, for trying and testing without hardware.

mod bridge;
mod keys;
mod plug;
mod s20;

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::str::FromStr;

use emulator::server::{self, ServerError, TwinReady};
use emulator::{FaultError, RecordWriter, Twin};

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
  mains emulate s20 --plug-name \"Coffee maker\"
  mains emulate bridge --press-after 0s
  mains help emulate plug

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address or port that is not available."
)]
pub struct EmulateArgs {
    /// The device
    #[command(subcommand)]
    device: EmulateDevice,
}

#[derive(Debug, clap::Subcommand)]
enum EmulateDevice {
    /// Emulate a Maginon SP-2 or Reco4life P10A
    Plug(Box<plug::EmulatePlugArgs>),
    /// Emulate an Orvibo S20
    S20(Box<s20::EmulateS20Args>),
    /// Emulate a Philips Hue bridge with bulbs
    Bridge(Box<bridge::EmulateBridgeArgs>),
}

/// A fault, or a request for the list of faults.
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

pub(super) fn listen_address(text: &str) -> Result<Ipv4Addr, String> {
    let address = text.parse().map_err(|_| "not an IPv4 address".to_owned())?;
    device_address(address).map_err(|_| "not an address that a device can have".to_owned())
}

/// Runs the twins until a signal, or until `--timeout`, which ends an endless verb successfully.
pub async fn run(context: &Context, args: EmulateArgs) -> Outcome {
    match args.device {
        EmulateDevice::Plug(args) => plug::run(context, *args).await,
        EmulateDevice::S20(args) => s20::run(context, *args).await,
        EmulateDevice::Bridge(args) => bridge::run(context, *args).await,
    }
}

/// Serves twins until a signal or `--timeout`, and prints their ready lines.
pub(super) async fn serve<T: Into<Box<dyn Twin>>>(
    context: &Context,
    twins: Vec<T>,
    record: Option<RecordWriter>,
) -> Outcome {
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
    let shutdown = signals.received_before(context.deadline());
    server::run(twins, record, on_ready, shutdown).await?;
    written?;
    Ok(Exit::DONE)
}

/// Warns of a twin at an address of this computer's own.
fn warn_of_own_address(context: &Context, mut listen: impl Iterator<Item = Ipv4Addr>) {
    let Ok(own) = hiflying::net::interfaces() else {
        return;
    };
    let is_own = |address: &Ipv4Addr| own.iter().any(|it| it.address == *address);
    if let Some(address) = listen.find(is_own) {
        context.ui.warn(format_args!(
            "{address} is an address of this computer, whose own clients drop what comes from there"
        ));
        context.ui.hint(
            "give a twin for clients on this computer another address, e.g. `--listen 127.0.0.2`",
        );
    }
}

pub(super) fn recorder(path: &Path) -> Result<RecordWriter, Failure> {
    RecordWriter::create(path).map_err(|error| {
        Failure::local(format!("cannot write the record {}", path.display())).caused_by(&error)
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
                failure.hint("give this machine the address first (`ip address add`); all of 127.0.0.2 to 127.255.255.254 are there already")
            }
            ServerError::Open { source, .. } => failure.caused_by(source),
            ServerError::Interfaces(source) => failure.caused_by(source),
        }
    }
}

/// Lists the faults of a kind of twin.
fn print_catalogue(
    context: &Context,
    catalogue: impl Iterator<Item = (&'static str, &'static str)>,
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

/// Returns `count` addresses from each of `listen` on.
fn addresses(listen: &[Ipv4Addr], count: u32) -> Result<Vec<Ipv4Addr>, Failure> {
    let mut addresses = Vec::new();
    for first in listen {
        for step in 0..count {
            addresses.push(address_after(*first, step, count)?);
        }
    }
    let mut seen = HashSet::new();
    match addresses.iter().find(|address| !seen.insert(**address)) {
        Some(twice) => Err(
            Failure::usage(format!("two twins cannot be at the address {twice}"))
                .hint("let the ranges of --listen and --count not overlap"),
        ),
        None => Ok(addresses),
    }
}

/// Returns the address `step` after the first of `count` twins.
fn address_after(first: Ipv4Addr, step: u32, count: u32) -> Result<Ipv4Addr, Failure> {
    let address = u32::from(first).checked_add(step).map(Ipv4Addr::from);
    // A series that starts on loopback must end there: the addresses after it are not local.
    let fits = |address: &Ipv4Addr| {
        device_address(*address).is_ok() && first.is_loopback() == address.is_loopback()
    };
    address.filter(fits).ok_or_else(|| {
        Failure::usage(format!(
            "{count} twins from {first} on would reach addresses that no device can have"
        ))
        .hint("take a lower --listen or a lower --count")
    })
}
