//! `mains emulate bridge`: Hue bridges and the bulbs around them.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use emulator::bridge::server::{self, BridgeReady, BridgeServerError, Purpose, RoomHandle};
use emulator::bridge::{
    BridgeConfig, BridgeFault, BulbSpec, BulbView, InterfaceVersion, TwinModel,
};
use emulator::mac_after;
use hiflying::Mac;

use super::keys::TypedKeys;
use super::{FaultArg, addresses, listen_address, print_catalogue, recorder};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::help::help_of;
use crate::shutdown;
use api::duration;

/// Options of `mains emulate bridge`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Serves the ports of the model: bsb001 HTTP and touchlink on TCP 30000, bsb002 HTTP and HTTPS, bsb003 HTTPS, to which port 80 \
redirects. Prints one line `ready <address> <mac>` for each bridge when it answers, and runs until ", help_of!(end_signals), ". The \
bulbs and the serials printed on them are listed on stderr.

All bridges of one command are in one room and share its radio, so bulbs can move between them. A bulb that is near is near \
to every bridge, as if you carried it there. Of several near ones the first given is the nearest. Without --bulb there is \
one, near, bound to a bridge that is not here, as from a kit.

Keys in a terminal:
  b, Enter  press the link button of every bridge; it counts for 30 s
  p         switch all bulbs off and on again
Without a terminal, --press-after presses the button.

A search takes 5 s and touchlink 1 s; real bridges take --fault search-time=40s and touchlink-time=10s.

Examples:
  mains emulate bridge --press-after 0s
  mains emulate bridge --listen 127.0.0.30 --count 2 --bulb near:1 --bulb far:foreign
  mains emulate bridge --model bsb001 --api 1.3.0 --bulb near:foreign
  mains emulate bridge --http-port 8080 --https-port 8443 --fault \"busy=POST/lights*1\"
  mains emulate bridge --fault help

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address or port that is not available."))]
pub(super) struct EmulateBridgeArgs {
    /// Address of the bridge; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.30", value_parser = listen_address)]
    listen: Vec<Ipv4Addr>,
    /// Number of bridges, on consecutive addresses from each --listen
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    count: u32,
    /// TCP port of HTTP
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    http_port: u16,
    /// TCP port of HTTPS
    #[arg(long, value_name = "PORT", default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..))]
    https_port: u16,
    /// TCP port for touchlink without a key (bsb001)
    #[arg(long, value_name = "PORT", default_value_t = 30_000, value_parser = clap::value_parser!(u16).range(1..))]
    touchlink_port: u16,
    /// Press the link button this long after the start; with 0s it stays pressed, otherwise it counts for 30 s
    #[arg(long, value_name = "DURATION", value_parser = press_time)]
    press_after: Option<Duration>,
    /// Product: bsb001 (round), bsb002 (square) or bsb003 (Pro)
    #[arg(long, default_value_t)]
    model: TwinModel,
    /// Version of its interface, e.g. 1.8.0, or `none` for the firmware of 2012 [default: that of the model]
    #[arg(long, value_name = "VERSION")]
    api: Option<InterfaceVersion>,
    /// MAC of the first bridge; the others count up
    #[arg(long)]
    mac: Option<Mac>,
    /// Add a bulb: near|far[:OWNER]; repeatable
    ///
    /// OWNER is the number of a bridge of this command, from 1, or a word for one that is not here, such as `foreign`. Without
    /// OWNER the bulb is new.
    #[arg(long, value_name = "PLACE[:OWNER]", default_value = "near:foreign")]
    bulb: Vec<BulbSpec>,
    /// Inject this fault; repeatable; `help` lists the faults
    #[arg(long, value_name = "SPEC")]
    fault: Vec<FaultArg<BridgeFault>>,
    /// Do not announce the bridges by mDNS and SSDP
    #[arg(long)]
    no_announce: bool,
    /// Seed of serials and keys
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Record every exchange in this file, one JSON object a line (keys are masked)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Parses a delay, which can be zero.
fn press_time(text: &str) -> Result<Duration, String> {
    match text.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
        "0" => Ok(Duration::ZERO),
        _ => duration::parse(text),
    }
}

/// Runs the bridges until a signal or `--timeout`.
pub(super) async fn run(context: &Context, args: EmulateBridgeArgs) -> Outcome {
    if args.fault.iter().any(FaultArg::is_help) {
        return print_catalogue(context, BridgeFault::catalogue());
    }
    let room = RoomHandle::new(args.configs()?, &args.bulb).map_err(usage)?;
    let recorder = args.record.as_deref().map(recorder).transpose()?;
    let signals = shutdown::Signals::listen()?;
    let server = server::open(room.clone(), recorder)?;
    for (number, bulb) in (1..).zip(room.bulbs()) {
        context.ui.status(describe(number, &bulb));
    }
    let mut keys = TypedKeys::listen();
    if keys.are_heard() {
        context.ui.status(
            "press b for the link buttons, p to switch the bulbs off and on, Ctrl-C to end",
        );
    }
    for BridgeReady { address, mac, .. } in server.ready() {
        context.ui.data(format_args!("ready {address} {mac}"))?;
    }
    let hand = async {
        loop {
            let key = keys.next().await;
            act(context, &room, key);
        }
    };
    tokio::select! {
        () = server.run(signals.received_before(context.deadline())) => {}
        () = hand => {}
    }
    Ok(Exit::DONE)
}

/// Performs the action of a key.
fn act(context: &Context, room: &RoomHandle, key: u8) {
    match key {
        b'b' | b'B' | b'\r' | b'\n' => {
            room.press_all();
            context.ui.status("link buttons pressed; valid for 30 s");
        }
        b'p' | b'P' => {
            room.power_cycle();
            context.ui.status("bulbs switched off and on");
        }
        _ => {}
    }
}

fn describe(number: usize, bulb: &BulbView) -> String {
    let owner = match &bulb.owner {
        Some(owner) => format!("bound to {owner}"),
        None => "new".to_owned(),
    };
    let BulbView {
        place,
        serial,
        unique_id,
        model,
        ..
    } = bulb;
    format!("bulb {number}: {place}, {owner}, serial {serial}, unique id {unique_id}, {model}")
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::usage(error.to_string())
}

impl From<BridgeServerError> for Failure {
    fn from(error: BridgeServerError) -> Self {
        let (purpose, source) = match error {
            BridgeServerError::Port { purpose, source } => (purpose, source),
            BridgeServerError::Addresses(error) => return error.into(),
            BridgeServerError::Certificate(error) => {
                return Self::failed("cannot offer HTTPS").caused_by(&error);
            }
        };
        let is_of_port = !matches!(source, emulator::server::ServerError::NotLocal { .. });
        let flag = match purpose {
            Purpose::Http => "--http-port",
            Purpose::Https => "--https-port",
            Purpose::Touchlink => "--touchlink-port",
        };
        let failure = Self::from(source);
        if is_of_port {
            failure.hint(format!(
                "take another port with {flag}, or another address with --listen; ports below 1024 may need root"
            ))
        } else {
            failure
        }
    }
}

impl EmulateBridgeArgs {
    /// Returns the bridges of all `--listen` addresses, in order.
    fn configs(&self) -> Result<Vec<BridgeConfig>, Failure> {
        let addresses = addresses(&self.listen, self.count)?;
        let configs = (0..).zip(addresses).map(|(step, listen)| {
            let derived = self.config(listen);
            BridgeConfig {
                mac: self.mac.map_or(derived.mac, |mac| mac_after(mac, step)),
                ..derived
            }
        });
        Ok(configs.collect())
    }

    fn config(&self, listen: Ipv4Addr) -> BridgeConfig {
        let usual = BridgeConfig::new(self.model, listen);
        BridgeConfig {
            http_port: self.http_port,
            https_port: self.https_port,
            touchlink_port: self.touchlink_port,
            api: self.api.unwrap_or(usual.api),
            press_after: self.press_after,
            announce: !self.no_announce,
            faults: self.fault.iter().filter_map(FaultArg::fault).collect(),
            seed: self.seed,
            ..usual
        }
    }
}
