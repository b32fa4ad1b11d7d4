//! `mains replay`: a twin that repeats a transcript.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use emulator::{ReplayTwin, transcript};

use super::emulate::{listen_address, serve};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::help::help_of;

/// Maximum length of a transcript in bytes.
const MAX_TRANSCRIPT: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Replies to what was recorded as the plug did, from its own address: a switch and the scan after it follow each other, queries \
take turns where several were recorded, times of day do not matter, and a masked key stands for any. What was not recorded gets \
no reply over UDP and +ERROR over TCP. Prints one line `ready <address> <mac>` when it replies, and runs until ", help_of!(end_signals), ". It \
needs another address than the client.

Examples:
  mains replay sp2.jsonl
  mains replay sp2.jsonl --listen 127.0.0.9

Exit codes: 0 ended by a signal, 2 invalid options, or a file that is no transcript, 7 an address or port that is not \
available."))]
pub struct ReplayArgs {
    /// The transcript, from `mains record --out`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Address of the twin
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.2", value_parser = listen_address)]
    listen: Ipv4Addr,
}

/// Runs the verb until a signal or `--timeout`.
pub async fn run(context: &Context, args: ReplayArgs) -> Outcome {
    let shown = args.file.display();
    let unusable = |error: transcript::TranscriptError| {
        Failure::usage(format!("{shown} cannot be replayed"))
            .caused_by(&error)
            .hint("`mains record` writes transcripts, with `--out FILE`")
    };
    let text = read(&args.file)
        .map_err(|error| Failure::usage(format!("{shown} cannot be read")).caused_by(&error))?;
    let lines = transcript::parse(&text).map_err(unusable)?;
    let twin = ReplayTwin::new(args.listen, &lines).map_err(unusable)?;
    serve(context, vec![twin], None).await
}

fn read(path: &Path) -> io::Result<String> {
    // A pipe without a writer would be waited for.
    let file = statefile::open_at_once(path, OpenOptions::new().read(true))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    if metadata.len() > MAX_TRANSCRIPT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_TRANSCRIPT).read_to_end(&mut bytes)?;
    // What is no text is no transcript, and the parser names the line.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
