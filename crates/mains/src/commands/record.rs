//! `mains record`: stands between an app and a plug and writes a transcript.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;

use emulator::server::{self, TwinReady};
use emulator::transcript::TranscriptWriter;
use emulator::{RecordWriter, RelayTwin};
use hiflying::PORT;

use super::emulate::{listen_address, recorder};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::help::help_of;
use crate::shutdown;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
To the app it is the plug: it hears broadcasts, serves UDP 48899 and TCP 8899 and passes everything on. In replies to discovery \
words and scans it puts its own address into field 1, so that the app goes on talking to it. Prints one line `ready <address> \
<plug>` when it stands, and runs until ", help_of!(end_signals), ".

Each datagram and segment becomes a line {\"at\",\"transport\",\"direction\",\"peer\",\"hex\",\"text\"}: direction is to_plug or \
from_plug, peer is the app. Bytes are written as the plug and the app sent them; keys, passwords and changed discovery words are \
masked, in the packets too. Files are appended to and readable by their owner alone.

If the app picks the plug itself instead of the relay, hide the plug from it, e.g. by a guest network.

Examples:
  mains record --plug 127.0.0.2 --listen 127.0.0.3 --out sp2.jsonl
  mains record --plug 127.0.0.2 --listen 127.0.0.3 --out sp2.jsonl --pcapng sp2.pcapng

Exit codes: 0 ended by a signal, 2 invalid options, 7 an address, port or file that is not available."))]
pub struct RecordArgs {
    /// Address of the plug
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    plug: Ipv4Addr,
    /// Own address, for the app [default: that from which this computer reaches the plug]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    listen: Option<Ipv4Addr>,
    /// File of the transcript, one JSON object a line [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write packets to this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,
}

/// Runs the verb until a signal or `--timeout`.
pub async fn run(context: &Context, args: RecordArgs) -> Outcome {
    let listen = match args.listen {
        Some(listen) => listen,
        None => address_towards(args.plug)?,
    };
    if listen == args.plug {
        return Err(Failure::usage(format!(
            "{listen} cannot be the address of the plug and of the relay"
        ))
        .hint("give another address of this computer with `--listen`"));
    }
    let lines = match &args.out {
        Some(file) => recorder(file)?,
        None => RecordWriter::new(std::io::stdout()),
    };
    let mut transcript = TranscriptWriter::default().with_lines(lines);
    if let Some(file) = &args.pcapng {
        transcript = transcript.with_packets(file).map_err(|error| {
            Failure::local(format!("cannot write the packets {}", file.display())).caused_by(&error)
        })?;
    }
    let relay = RelayTwin::new(listen, args.plug, transcript);
    let mut written = Ok(());
    let on_ready = |ready: TwinReady| {
        written = context
            .ui
            .data(format_args!("ready {} {}", ready.address, args.plug));
    };
    let signals = shutdown::Signals::listen()?;
    let shutdown = signals.received_before(context.deadline());
    server::run([relay], None, on_ready, shutdown).await?;
    written?;
    Ok(Exit::DONE)
}

/// Returns the address of this computer from which it reaches another.
fn address_towards(plug: Ipv4Addr) -> Result<Ipv4Addr, Failure> {
    let connect = || {
        let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        // Sends nothing.
        socket.connect(SocketAddrV4::new(plug, PORT))?;
        socket.local_addr()
    };
    match connect() {
        Ok(std::net::SocketAddr::V4(address)) => Ok(*address.ip()),
        Ok(other) => Err(Failure::local(format!(
            "no IPv4 address towards {plug}, only {other}"
        ))),
        Err(error) => Err(Failure::local(format!("no way to {plug}"))
            .caused_by(&error)
            .hint("give an address of this computer with `--listen`")),
    }
}
