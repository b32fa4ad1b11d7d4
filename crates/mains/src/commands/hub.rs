//! `mains hub …`: administration of a hub.
//!
//! All verbs but `check`, `migrate` and `restore` (and `password`, when no hub runs) use the API of a running hub.

use api::client::Client;

use crate::context::Context;
use crate::directories;
use crate::error::{Failure, Outcome};
use crate::help::help_of;
use crate::ui::{DIM, clean, paint};

mod adopt;
mod backup;
pub(crate) mod check;
mod login_url;
mod migrate;
mod password;
mod plugs;
mod replace;
mod restore;
mod set;
mod status;
mod token;
mod transfer;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Start a hub with `mains serve`. These verbs use the hub that runs on this computer, or the one that --hub names, with its \
token in MAINS_TOKEN.

Examples:
  mains hub check                      # check the configuration
  mains hub adopt --all                # adopt every plug that replies
  mains hub set heater --metering 5s --power-on last
  mains hub replace \"old heater\" 192.168.1.107
  mains hub backup ", help_of!(backup_file), "
  mains hub restore ", help_of!(backup_file), "
  mains hub migrate --to postgres://hub@nas/mains
  mains hub token add grafana
  mains --hub http://nas:8480 hub status

Exit codes: 0 done, 2 wrong usage, configuration or token, 3 no such plug or token, 4 no reply from a plug, 8 no hub."))]
pub struct HubArgs {
    #[command(subcommand)]
    command: HubCommand,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum HubCommand {
    /// Check the configuration
    Check(check::HubCheckArgs),
    /// Show the state of the hub
    Status(status::HubStatusArgs),
    /// List the adopted plugs
    Plugs(plugs::HubPlugsArgs),
    /// Adopt plugs
    Adopt(adopt::HubAdoptArgs),
    /// Forget plugs
    Forget(adopt::HubForgetArgs),
    /// Change the settings of a plug: room, metering interval, state after a power cut
    Set(set::HubSetArgs),
    /// Replace an old plug by a new one
    Replace(replace::HubReplaceArgs),
    /// Back up the database of the running hub
    Backup(backup::HubBackupArgs),
    /// Restore a backup while no hub runs
    Restore(restore::HubRestoreArgs),
    /// Copy everything into another database while no hub runs
    Migrate(migrate::HubMigrateArgs),
    /// Export the history of a plug into a file
    Export(transfer::HubExportArgs),
    /// Import an exported history into a plug's history
    Import(transfer::HubImportArgs),
    /// Print a link that logs a browser in once
    LoginUrl(login_url::HubLoginUrlArgs),
    /// Set the password for browsers
    Password(password::HubPasswordArgs),
    /// List, create and revoke tokens for programs
    Token(token::HubTokenArgs),
}

impl HubArgs {
    /// Tells whether the verb is `check`, which must not fail because of the configuration that it checks.
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.command, HubCommand::Check(_))
    }
}

/// Names on stderr the hub that a verb has changed, and its state directory: the service and each user have their own.
fn name_hub(context: &Context, hub: Option<&Client>) -> Result<(), Failure> {
    let whose = match hub {
        Some(hub) if context.names_hub() => format!("the hub at {}", hub.url()),
        hub => {
            let state = context.state_directory()?;
            let owner = if directories::is_service() {
                "the system service"
            } else {
                "your user"
            };
            let at = hub.map_or_else(|| "not running".to_owned(), |hub| hub.url().to_string());
            format!(
                "the hub of {owner} ({at}), state directory {}",
                state.display()
            )
        }
    };
    context.ui.status(paint(DIM, clean(&whose)));
    Ok(())
}

/// Runs the verb.
pub async fn run(context: &Context, args: HubArgs) -> Outcome {
    match args.command {
        HubCommand::Check(args) => check::run(context, &args).await,
        HubCommand::Status(args) => context.bounded(status::run(context, &args)).await,
        HubCommand::Plugs(args) => context.bounded(plugs::run(context, &args)).await,
        HubCommand::Adopt(args) => adopt::run(context, &args).await,
        HubCommand::Forget(args) => adopt::forget(context, &args).await,
        HubCommand::Set(args) => context.bounded(set::run(context, &args)).await,
        HubCommand::Replace(args) => context.bounded(replace::run(context, &args)).await,
        HubCommand::Backup(args) => context.bounded(backup::run(context, &args)).await,
        HubCommand::Restore(args) => restore::run(context, &args).await,
        HubCommand::Migrate(args) => migrate::run(context, &args).await,
        HubCommand::Export(args) => context.bounded(transfer::export(context, &args)).await,
        HubCommand::Import(args) => context.bounded(transfer::import(context, &args)).await,
        HubCommand::LoginUrl(args) => context.bounded(login_url::run(context, &args)).await,
        HubCommand::Password(args) => password::run(context, &args).await,
        HubCommand::Token(args) => context.bounded(token::run(context, args)).await,
    }
}
