//! `mains hub backup`: a copy of the database of a running hub.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use api::client::Client;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::help::help_of;
use crate::ui::{BOLD, clean, paint};

/// First bytes of every SQLite file.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Options of `mains hub backup`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
The copy is complete and consistent; the hub keeps running. It holds plugs, history, groups, schedules, rules, tariffs, the \
hash of the password and the digests of the tokens, so it is readable by its owner only. It needs no room on the \
hub's disk. To restore it, stop the hub and use `mains hub restore`. The hub makes backups by itself with `backup` in its \
configuration, see `mains help serve`.

Examples:
  mains hub backup ", help_of!(backup_target), "
  mains --hub http://nas:8480 hub backup mains.sqlite

Exit codes: 0 written, 1 the file cannot be written, 2 it already exists, 8 no hub."))]
pub(super) struct HubBackupArgs {
    /// File to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs `mains hub backup`.
pub(super) async fn run(context: &Context, args: &HubBackupArgs) -> Outcome {
    let hub = context.need_hub()?;
    let path = &args.file;
    // An early check spares the hub the work; the file itself is created without overwriting.
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let bytes = fetch(&hub, path).await?;
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"file": path, "bytes": bytes}))?;
    } else {
        let name = path.display().to_string();
        context.ui.data(format_args!(
            "{} has {bytes} bytes",
            paint(BOLD, clean(&name))
        ))?;
    }
    Ok(Exit::DONE)
}

/// Writes a temporary file beside the target, which appears once everything is on the disk.
pub(super) async fn fetch(hub: &Client, path: &Path) -> Result<u64, Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let cannot = |error: &std::io::Error| {
        Failure::failed(format!("{} cannot be written", path.display())).caused_by(error)
    };
    // A temporary file is readable by its owner only, from the first byte on.
    let mut file = NamedTempFile::new_in(folder).map_err(|error| cannot(&error))?;
    let mut download = hub.backup().await?;
    let mut bytes = 0_u64;
    let mut begin: Vec<u8> = Vec::new();
    while let Some(piece) = download.next().await? {
        let piece = piece.as_ref();
        let missing = MAGIC.len().saturating_sub(begin.len());
        begin.extend(piece.iter().take(missing));
        bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        file.write_all(piece).map_err(|error| cannot(&error))?;
    }
    if begin != MAGIC {
        let message = format!("the hub at {} did not send a database", hub.url());
        return Err(Failure::new(Kind::BadAnswer, message));
    }
    file.as_file().sync_all().map_err(|error| cannot(&error))?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => exists(path),
            _ => cannot(&error.error),
        })?;
    // The name must survive a power cut as well.
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| cannot(&error))?;
    Ok(bytes)
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} already exists", path.display()))
        .hint("a backup never overwrites a file; choose another name")
}
