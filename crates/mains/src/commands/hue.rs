//! `mains hue …`: bridges and their bulbs.
//!
//! Everything here goes straight to the bridge; a hub is not asked. The protocol is in the crate `hue`; here are arguments,
//! what a person is told and asked, and the documents of `--json`.

use std::path::PathBuf;

use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::secret;

mod bridge;
mod clip;
mod discover;
mod forget;
mod guide;
mod identify;
mod keys;
mod lights;
mod pair;
mod relocate;
mod search;
mod show;
mod takeover;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A BRIDGE is its address (192.168.1.20, bridge.local:8080, https://192.168.1.20) or its id (16 hex digits, see `mains hue \
discover`). A LIGHT is its number at the bridge, its name, or its unique id. Before anything else pair with the bridge once: \
its key is then kept in hue.json in the state directory, which only you can read. A key that is given (--app-key-file, \
MAINS_HUE_KEY) is used instead of the one that is kept.

A bulb from a kit, or one that belongs to another bridge or to a dimmer, is not found by an ordinary search: `mains hue \
takeover` makes the bridge take it over. All of it stays in your network, and a hub has no part in it.

Examples:
  mains hue discover
  mains hue pair 192.168.1.20              # then press the button on the bridge
  mains hue search 192.168.1.20            # a bulb that is new
  mains hue takeover 192.168.1.20          # a bulb that is bound to something else
  mains hue lights 001788fffe010203
  mains hue move 'Desk lamp' --from 192.168.1.20 --to 192.168.1.21

Exit codes: 0 done, 2 wrong usage, not paired, or a question without a terminal, 3 no such bridge or light, 4 no answer, 5 \
the bridge refused or took nothing over, 6 an answer that cannot be understood or a certificate that is not the bridge's, 7 \
the file of keys, or no interface.")]
pub struct HueArgs {
    #[command(subcommand)]
    command: Command,
    /// File with the application key for the bridge; one line end at its end is dropped [env: MAINS_HUE_KEY=the key itself]
    #[arg(long, global = true, value_name = "F")]
    app_key_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum Command {
    /// Find the bridges of this network
    Discover(discover::HueDiscoverArgs),
    /// Become known to a bridge, by its button
    Pair(pair::HuePairArgs),
    /// List a bridge's lights
    Lights(lights::HueLightsArgs),
    /// Take over a bulb that belongs to something else
    Takeover(takeover::HueTakeoverArgs),
    /// Look for new lights
    Search(search::HueSearchArgs),
    /// Let a light blink
    Identify(identify::HueIdentifyArgs),
    /// Move a light from one of your bridges to another
    Move(relocate::HueMoveArgs),
    /// Forget a bridge and its key
    Forget(forget::HueForgetArgs),
    /// Call a bridge by hand
    Clip(clip::HueClipArgs),
}

/// Runs one of them.
pub async fn run(context: &Context, args: HueArgs) -> Outcome {
    secret::shield();
    let file = args.app_key_file;
    if file.is_some() && !args.command.has_key() {
        return Err(Failure::usage("`--app-key-file` is of no use here")
            .hint("a move has `--from-key-file` and `--to-key-file`"));
    }
    let given = keys::Given::new(file);
    // They have more to say when they are cut short.
    let bounds_itself = matches!(args.command, Command::Move(_) | Command::Takeover(_));
    let work = dispatch(context, args.command, &given);
    match bounds_itself {
        true => work.await,
        false => until_signal(context.bounded(work)).await,
    }
}

async fn dispatch(context: &Context, command: Command, given: &keys::Given) -> Outcome {
    match command {
        Command::Discover(args) => discover::run(context, args).await,
        Command::Pair(args) => pair::run(context, args, given).await,
        Command::Lights(args) => lights::run(context, args, given).await,
        Command::Takeover(args) => takeover::run(context, args, given).await,
        Command::Search(args) => search::run(context, args, given).await,
        Command::Identify(args) => identify::run(context, args, given).await,
        Command::Move(args) => relocate::run(context, args).await,
        Command::Forget(args) => forget::run(context, &args),
        Command::Clip(args) => clip::run(context, args, given).await,
    }
}

impl Command {
    /// Tells whether it speaks to one bridge with a key.
    fn has_key(&self) -> bool {
        !matches!(self, Self::Discover(_) | Self::Move(_) | Self::Forget(_))
    }
}
