//! `mains hub export` and `import`: moving a plug's history between hubs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use api::MAX_IMPORT_BYTES;
use api::client::{Client, Download};
use hiflying::Mac;
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::commands::moment::{self, PastMoment};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::hub_names::HubNames;
use crate::resolve::{Target, Through, parse};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hub export`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Exports all stored rows of a plug: quarters of an hour, minutes and readings. `mains hub import` imports them into this hub or \
another. For a table to read, use `mains history <PLUG> --csv`.

Examples:
  mains hub export heater heater.csv
  mains hub export heater --from 2026-01-01 --to 2026-02-01 january.csv

Exit codes: 0 written, 1 the file cannot be written, 2 it already exists, 3 no such plug, 8 no hub.")]
pub(super) struct HubExportArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    /// File to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Start: a date or a time, as for `mains history`
    #[arg(long, value_name = "TIME")]
    from: Option<PastMoment>,
    /// End; of a date, its end
    #[arg(long, value_name = "TIME")]
    to: Option<PastMoment>,
}

/// Options of `mains hub import`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Rows that already exist are kept, so a file can be imported twice. If a row is invalid, the error names its line and nothing is \
imported.

Examples:
  mains hub import heater heater.csv

Exit codes: 0 imported, 2 invalid file, 3 no such plug, 8 no hub.")]
pub(super) struct HubImportArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    /// File written by `mains hub export`
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs `mains hub export`.
pub(super) async fn export(context: &Context, args: &HubExportArgs) -> Outcome {
    let hub = context.need_hub()?;
    let plug = adopted(context, &hub, &args.plug).await?;
    let mut file = create(&args.file).await?;
    let clock = HubNames::load(&hub).await?.clock();
    let range = moment::range(args.from.as_ref(), args.to.as_ref(), &clock);
    let fetched = async {
        let download = hub.export(plug, &range).await?;
        write(&mut file, &args.file, download).await
    };
    let bytes = match fetched.await {
        Ok(bytes) => bytes,
        Err(failure) => {
            // Half of a history must not be taken for the whole.
            let _ = tokio::fs::remove_file(&args.file).await;
            return Err(failure);
        }
    };
    if context.ui.is_json() {
        let written = json!({"file": args.file, "bytes": bytes});
        context.ui.document(&written)?;
    } else {
        let name = args.file.display().to_string();
        let name = paint(BOLD, clean(&name));
        context.ui.data(format_args!("{name} has {bytes} bytes"))?;
    }
    Ok(Exit::DONE)
}

/// Runs `mains hub import`.
pub(super) async fn import(context: &Context, args: &HubImportArgs) -> Outcome {
    let hub = context.need_hub()?;
    let name = args.file.display().to_string();
    let text = read(&args.file)
        .await
        .map_err(|error| Failure::usage(format!("{name} cannot be read")).caused_by(&error))?;
    if text.len() > MAX_IMPORT_BYTES {
        let megabytes = MAX_IMPORT_BYTES / (1024 * 1024);
        let message = format!("{name} has more than {megabytes} MB");
        return Err(
            Failure::usage(message).hint("split the file; each part begins with the first line")
        );
    }
    let plug = adopted(context, &hub, &args.plug).await?;
    let imported = hub
        .import(plug, text)
        .await
        .map_err(|error| Failure::from(error).about(&name))?;
    if context.ui.is_json() {
        context.ui.document(&imported)?;
    } else {
        let (rows, new) = (imported.rows, imported.new);
        context
            .ui
            .data(format_args!("{rows} rows, {new} of them new"))?;
    }
    Ok(Exit::DONE)
}

/// Reads a file, but little more than what can be imported of one that does not end.
async fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_IMPORT_BYTES).unwrap_or(u64::MAX);
    let mut file = File::open(path).await?.take(limit.saturating_add(1));
    file.read_to_end(&mut text).await?;
    Ok(text)
}

async fn adopted(context: &Context, hub: &Client, plug: &Target) -> Result<Mac, Failure> {
    let through = Through::of(context, hub.clone()).await?;
    through.recorded_plug(plug)
}

async fn create(path: &Path) -> Result<File, Failure> {
    File::create_new(path)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::usage(format!("{} already exists", path.display()))
                    .hint("choose another name")
            }
            _ => cannot(path, &error),
        })
}

async fn write(file: &mut File, path: &Path, mut download: Download) -> Result<u64, Failure> {
    let mut bytes = 0;
    while let Some(piece) = download.next().await? {
        let piece = piece.as_ref();
        bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        file.write_all(piece)
            .await
            .map_err(|error| cannot(path, &error))?;
    }
    file.sync_all()
        .await
        .map_err(|error| cannot(path, &error))?;
    Ok(bytes)
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written", path.display())).caused_by(error)
}
