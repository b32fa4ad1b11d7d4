//! `mains hue …`: bridges and their bulbs.
//!
//! Every verb contacts the bridge directly, without a hub. The protocol is in the crate `hue`; here are the arguments, the messages
//! and questions, and the documents of `--json`.

use std::path::PathBuf;

use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::secret;

mod bridge;
mod clip;
mod discover;
mod forget;
mod identify;
mod keys;
mod lights;
mod move_light;
mod operator;
mod pair;
mod search;
mod show;
mod takeover;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A BRIDGE is an address (192.168.1.20, bridge.local:8080, https://192.168.1.20) or an id (16 hex digits, see `mains hue \
discover`). A LIGHT is a number on the bridge, a name, or a unique id. Pair with the bridge once before anything else: its key is \
then saved in hue.json in the state directory, which only you can read. A key given with --app-key-file or MAINS_HUE_KEY takes \
precedence over the saved one.

An ordinary search does not find a bulb from a kit, or one that belongs to another bridge or to a dimmer: `mains hue takeover` \
makes the bridge take it over. Everything stays within your network and does not involve a hub.

Examples:
  mains hue discover
  mains hue pair 192.168.1.20              # then press the button on the bridge
  mains hue search 192.168.1.20            # a new bulb
  mains hue takeover 192.168.1.20          # a bulb that belongs to another bridge
  mains hue lights 001788fffe010203
  mains hue move \"Desk lamp\" --from 192.168.1.20 --to 192.168.1.21

Exit codes: 0 done, 2 wrong usage, not paired, or a question without a terminal, 3 no such bridge or light, 4 no reply, 5 the \
bridge refused or took nothing over, 6 unintelligible reply, or a certificate that is not the bridge's, 7 the key file cannot be \
used, or no interface.")]
pub struct HueArgs {
    #[command(subcommand)]
    command: HueCommand,
    /// File with the application key of the bridge; a final line end is ignored [env: MAINS_HUE_KEY=the key itself]
    #[arg(long, global = true, value_name = "F")]
    app_key_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum HueCommand {
    /// Find the bridges on this network
    Discover(discover::HueDiscoverArgs),
    /// Pair with a bridge by pressing its button
    Pair(pair::HuePairArgs),
    /// List a bridge's lights
    Lights(lights::HueLightsArgs),
    /// Take over a bulb that belongs to another bridge or to a dimmer
    Takeover(takeover::HueTakeoverArgs),
    /// Search for new lights
    Search(search::HueSearchArgs),
    /// Make a light blink
    Identify(identify::HueIdentifyArgs),
    /// Move a light from one of your bridges to another
    Move(move_light::HueMoveArgs),
    /// Forget a bridge and its key
    Forget(forget::HueForgetArgs),
    /// Send a request to a bridge
    Clip(clip::HueClipArgs),
}

/// Runs one of the verbs.
pub async fn run(context: &Context, args: HueArgs) -> Outcome {
    secret::shield();
    let file = args.app_key_file;
    if file.is_some() && !args.command.uses_key() {
        return Err(
            Failure::usage("`--app-key-file` does not apply to this verb")
                .hint("for a move, use `--from-key-file` and `--to-key-file`"),
        );
    }
    let given = keys::GivenKey::new(file);
    // These add to the failure what an interruption leaves behind, so they watch time and signals themselves.
    let handles_interruption =
        matches!(args.command, HueCommand::Move(_) | HueCommand::Takeover(_));
    let work = dispatch(context, args.command, &given);
    match handles_interruption {
        true => work.await,
        false => until_signal(context.bounded(work)).await,
    }
}

async fn dispatch(context: &Context, command: HueCommand, given: &keys::GivenKey) -> Outcome {
    match command {
        HueCommand::Discover(args) => discover::run(context, args).await,
        HueCommand::Pair(args) => pair::run(context, args, given).await,
        HueCommand::Lights(args) => lights::run(context, args, given).await,
        HueCommand::Takeover(args) => takeover::run(context, args, given).await,
        HueCommand::Search(args) => search::run(context, args, given).await,
        HueCommand::Identify(args) => identify::run(context, args, given).await,
        HueCommand::Move(args) => move_light::run(context, args).await,
        HueCommand::Forget(args) => forget::run(context, &args),
        HueCommand::Clip(args) => clip::run(context, args, given).await,
    }
}

impl HueCommand {
    /// Tells whether the verb sends the key of one bridge.
    fn uses_key(&self) -> bool {
        !matches!(self, Self::Discover(_) | Self::Move(_) | Self::Forget(_))
    }
}
