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
pub(super) struct HueForgetArgs {
    /// Id of the bridge, or its last address
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
}

/// Forgets it.
pub(super) fn run(context: &Context, args: &HueForgetArgs) -> Outcome {
    let ring = key_ring(context)?;
    let entries = ring.entries().map_err(HueError::from)?;
    let entry = match meant(&entries, &args.bridge).as_slice() {
        [entry] => *entry,
        [] => {
            let message = format!("never paired with a bridge {}", args.bridge);
            return Err(Failure::new(Kind::NotFound, message)
                .hint("`mains hue discover` shows which bridges are paired with; take the id"));
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|entry| entry.id.as_str()).collect();
            let message = format!(
                "several bridges were last seen at {}: {}",
                args.bridge,
                ids.join(", ")
            );
            return Err(Failure::usage(message).hint("take the id of the one that is meant"));
        }
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

/// Returns the bridges that a name can stand for; an address may have been several bridges', one after the other.
pub(super) fn meant<'a>(entries: &'a [Entry], name: &BridgeName) -> Vec<&'a Entry> {
    let meant = entries.iter().filter(|entry| is_meant(entry, name));
    meant.collect()
}

/// A bridge that was named by its address has to be where it was last seen: nobody is asked.
fn is_meant(entry: &Entry, name: &BridgeName) -> bool {
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
