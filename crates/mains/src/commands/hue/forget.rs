//! `mains hue forget`: forget a bridge and its key.

use hue::{BridgeName, HueError};
use serde_json::json;

use super::bridge::{find_paired, key_ring};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, paint};

/// Options of `mains hue forget`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Deletes the saved key and certificate on this computer; the bridge is not contacted. It continues to accept the key, and since \
2019 only the vendor's app can remove one (Settings, Bridge, Apps).

Examples:
  mains hue forget 001788fffe010203
  mains hue forget 192.168.1.20

Exit codes: 0 forgotten, 3 not paired with this bridge, 7 the key file cannot be read or written.")]
pub(super) struct HueForgetArgs {
    /// Id of the bridge, or its last address
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
}

/// Forgets the bridge.
pub(super) fn run(context: &Context, args: &HueForgetArgs) -> Outcome {
    let ring = key_ring(context)?;
    let bridges = ring.bridges().map_err(HueError::from)?;
    let bridge = match find_paired(&bridges, &args.bridge).as_slice() {
        [bridge] => *bridge,
        [] => {
            let message = format!("not paired with a bridge {}", args.bridge);
            return Err(Failure::new(Kind::NotFound, message)
                .hint("run `mains hue discover` to see the paired bridges, then give the id"));
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|bridge| bridge.id.as_str()).collect();
            let message = format!(
                "several bridges were last seen at {}: {}",
                args.bridge,
                ids.join(", ")
            );
            return Err(Failure::usage(message).hint("give the id of one of them"));
        }
    };
    ring.remove(&bridge.id).map_err(HueError::from)?;
    let ui = &context.ui;
    match ui.is_json() {
        true => ui.document(&json!({"bridge": bridge.id, "forgotten": true}))?,
        false => ui.data(format_args!("forgot bridge {}", paint(BOLD, &bridge.id)))?,
    }
    Ok(Exit::DONE)
}
