//! `mains version`: the firmware's own text.

use plugs::{Capability, Plug};
use serde::Serialize;

use super::targets::{ReadPlugs, Selection, each, mac_or_given};
use crate::context::Context;
use crate::error::Outcome;
use crate::resolve::{Reach, Target};
use crate::ui::{BOLD, clean, paint};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
This is the plug's firmware; `mains --version` shows that of Mains. The text is printed as the plug reports it.

Examples:
  mains version kitchen
  mains --json version kitchen
    [{\"plug\":\"AC:CF:23:12:34:56\",\"version\":\"1.0.06a-14 (2014-10-29 21:46 1M)\"}]

Exit codes: 0 read, 3 no such plug, 4 no reply, 5 refused, 6 unintelligible reply, 7 port 48899 taken; with several plugs that of \
the first failure in order.")]
pub struct VersionArgs {
    #[command(flatten)]
    targets: ReadPlugs,
}

/// A plug and its firmware.
#[derive(Debug, Serialize)]
struct Version {
    plug: String,
    version: String,
}

/// Asks and prints.
pub async fn run(context: &Context, args: VersionArgs) -> Outcome {
    let work = async |reach: &Reach<'_>, target: &Target| {
        let version = reach.version(target).await;
        let told = |(plug, version): (Plug, String)| Version {
            plug: mac_or_given(target, plug.mac),
            version,
        };
        Ok(version.map(told).into())
    };
    each(
        context,
        Selection::of(&args.targets.plugs, Capability::Version),
        work,
        |target, Version { version, .. }| {
            context.ui.data(format_args!(
                "{}  {}",
                paint(BOLD, clean(target.shown())),
                clean(version)
            ))
        },
    )
    .await
}
