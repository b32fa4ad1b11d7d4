//! `mains hub …`: what the owner of a hub does with it.
//!
//! Everything but `check` (and `password`, when no hub runs) is asked of a running hub over its API.

use crate::context::Context;
use crate::error::Outcome;

mod adopt;
mod backup;
pub(crate) mod check;
mod login_url;
mod password;
mod plugs;
mod replace;
mod set;
mod status;
mod token;
mod transfer;

/// Options of `mains hub`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A hub is started with `mains serve`. These verbs speak to the one that runs on this computer, or to the one that --hub \
names with its token in MAINS_TOKEN.

Examples:
  mains hub check                      # is the configuration right?
  mains hub adopt --all                # take in every plug that answers
  mains hub set heater --metering 5s --power-on last
  mains hub replace 'old heater' 192.168.1.107
  mains hub backup /media/mains.sqlite
  mains hub token add grafana
  mains --hub http://nas:8480 hub status

Exit codes: 0 done, 2 wrong usage or configuration, or a token that the hub does not know, 3 no such plug or token, 4 a \
plug does not answer, 8 no hub.")]
pub struct HubArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum Command {
    /// Look what is wrong with the configuration
    Check(check::HubCheckArgs),
    /// Show how the hub is doing
    Status(status::HubStatusArgs),
    /// List the plugs that it keeps
    Plugs(plugs::HubPlugsArgs),
    /// Let it keep plugs
    Adopt(adopt::HubAdoptArgs),
    /// Let it forget a plug
    Forget(adopt::HubForgetArgs),
    /// Decide on a plug: its room, how often it is metered, what it is after an outage
    Set(set::HubSetArgs),
    /// Put a new plug in the place of an old one
    Replace(replace::HubReplaceArgs),
    /// Copy its database into a file while it runs
    Backup(backup::HubBackupArgs),
    /// Write a plug's whole history into a file
    Export(transfer::HubExportArgs),
    /// Take what was exported into a plug's history
    Import(transfer::HubImportArgs),
    /// Print a link that logs a browser in, once
    LoginUrl(login_url::HubLoginUrlArgs),
    /// Set the password for browsers
    Password(password::HubPasswordArgs),
    /// List, make and revoke the tokens of programs
    Token(token::HubTokenArgs),
}

impl HubArgs {
    /// The verb that looks what is wrong with the configuration must not fail because of it.
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.command, Command::Check(_))
    }
}

/// Runs one of them.
pub async fn run(context: &Context, args: HubArgs) -> Outcome {
    match args.command {
        Command::Check(args) => check::run(context, &args).await,
        Command::Status(args) => context.bounded(status::run(context, &args)).await,
        Command::Plugs(args) => context.bounded(plugs::run(context, &args)).await,
        Command::Adopt(args) => adopt::run(context, &args).await,
        Command::Forget(args) => context.bounded(adopt::forget(context, &args)).await,
        Command::Set(args) => context.bounded(set::run(context, &args)).await,
        Command::Replace(args) => context.bounded(replace::run(context, &args)).await,
        Command::Backup(args) => context.bounded(backup::run(context, &args)).await,
        Command::Export(args) => context.bounded(transfer::export(context, &args)).await,
        Command::Import(args) => context.bounded(transfer::import(context, &args)).await,
        Command::LoginUrl(args) => context.bounded(login_url::run(context, &args)).await,
        Command::Password(args) => password::run(context, &args).await,
        Command::Token(args) => context.bounded(token::run(context, args)).await,
    }
}
