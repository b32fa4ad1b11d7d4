//! `mains hue forget`: forget a bridge and its key.

use hue::{BridgeName, Entry, HueError};
use serde_json::json;

use super::bridge::key_ring;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, paint};

/// Options of `mains hue forget`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The key and the certificate that were kept are deleted here; the bridge is not asked. It goes on to know the key, and since 2019 \
lets nobody but its vendor's app delete one (Settings, Bridge, Apps).

Examples:
  mains hue forget 001788fffe010203
  mains hue forget 192.168.1.20

Exit codes: 0 forgotten, 3 never paired with it, 7 the file of keys cannot be read or written.")]
pub(super) struct Args {
    /// Id of the bridge, or its last address
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
}

/// Forgets it.
pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let ring = key_ring(context)?;
    let entries = ring.entries().map_err(HueError::from)?;
    let Some(entry) = entries.iter().find(|entry| is_meant(entry, &args.bridge)) else {
        let message = format!("never paired with a bridge {}", args.bridge);
        return Err(Failure::new(Kind::NotFound, message)
            .hint("`mains hue discover` shows which bridges are paired with; take the id"));
    };
    ring.forget(&entry.id).map_err(HueError::from)?;
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"bridge": entry.id, "forgotten": true}))?;
    } else {
        context.ui.data(format_args!(
            "bridge {} is forgotten",
            paint(BOLD, &entry.id)
        ))?;
    }
    Ok(Exit::DONE)
}

/// A bridge that was named by its address has to be where it was last seen: nobody is asked.
pub(super) fn is_meant(entry: &Entry, name: &BridgeName) -> bool {
    match name {
        BridgeName::Id(id) => entry.id == *id,
        BridgeName::Address(address) => {
            let port = |of: &hue::Address| of.port.or(of.scheme.map(hue::Scheme::port));
            entry.address.host == address.host
                && address
                    .port
                    .is_none_or(|given| port(&entry.address) == Some(given))
        }
    }
}
