//! `mains hub restore`: a backup takes the place of the database.

use std::path::PathBuf;

use hub::state_lock::StateLock;
use hub::store::{self, StoreError};
use serde_json::json;

use crate::commands::hub_config;
use crate::config::Sources;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::help::help_of;
use crate::ui::clean;

/// Options of `mains hub restore`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
The backup is checked first; one that is damaged, or no database of Mains, changes nothing. The database that was there is \
kept beside it under a new name. Stop the hub before. Tokens, passwords and logins are those of the backup.

Examples:
  mains hub restore ", help_of!(backup_file), "
  mains --json hub restore ", help_of!(backup_file), "
    {\"restored\":\"", help_of!(backup_file_in_json), "\",
     \"kept\":\"", help_of!(database_file_in_json), ".replaced-20261123T070000Z\"}

Exit codes: 0 restored, 2 not a sound backup, or a wrong configuration, 7 a hub runs with this state directory, 8 the disk \
refuses."))]
pub(super) struct HubRestoreArgs {
    /// The backup, from `mains hub backup` or a scheduled one
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs `mains hub restore`.
pub(super) async fn run(context: &Context, args: &HubRestoreArgs) -> Outcome {
    let sources = Sources::read(&context.settings.options);
    let config = hub_config::config(&sources, context.state_directory()?)
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    if config.postgres.is_some() {
        let what = "the hub keeps its data in a PostgreSQL database, which is restored with its own tools, e.g. `pg_restore`";
        return Err(Failure::usage(what));
    }
    let _lock = StateLock::acquire(&config.state)?;
    let restored = store::restore(&config.database, &args.file).await;
    let kept = restored.map_err(|error| failure(&error))?;
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"restored": args.file, "kept": kept}))?;
        return Ok(Exit::DONE);
    }
    let file = args.file.display().to_string();
    context
        .ui
        .data(format_args!("{} is restored", clean(&file)))?;
    if let Some(kept) = kept {
        let kept = kept.display().to_string();
        context
            .ui
            .status(format_args!("the old database is kept as {}", clean(&kept)));
    }
    Ok(Exit::DONE)
}

fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::File { path, what } => Failure::usage(format!("{} {what}", path.display()))
            .hint("nothing is changed; `mains hub backup` makes backups"),
        StoreError::Newer { .. } => Failure::usage("the backup cannot be read")
            .caused_by(error)
            .hint("restore it with the version of Mains that made it"),
        _ => Failure::new(Kind::Unavailable, "the backup cannot be restored").caused_by(error),
    }
}
