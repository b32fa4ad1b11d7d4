//! `mains status`: relay state and presence.

use plugs::{Capability, Plug};

use super::targets::{ReadPlugs, Selection, each};
use crate::context::Context;
use crate::error::Outcome;
use crate::plug_table::PlugTable;
use crate::resolve::{Reach, Target};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Each plug is queried now; nothing comes from memory. A Wi-Fi module of an unknown family has no relay state.

Examples:
  mains status
  mains status kitchen fridge
  mains --json status 192.168.1.107
    [{\"mac\":\"AC:CF:23:12:34:56\",\"family\":\"reco\",\"serial\":\"900000621\",
      \"address\":\"192.168.1.107\",\"relay\":\"on\",
      \"model\":null,\"name\":\"kitchen\",\"res\":\"0\",\"extra\":null,
      \"seen\":\"2026-11-22T12:00:00Z\"}]

Exit codes: 0 shown, 3 no such plug, 4 no reply, 7 port 48899 taken; with several plugs that of the first failure \
in order.")]
pub struct StatusArgs {
    #[command(flatten)]
    targets: ReadPlugs,
}

/// Asks and prints.
pub async fn run(context: &Context, args: StatusArgs) -> Outcome {
    let work = async |reach: &Reach<'_>, target: &Target| Ok(reach.presence(target).await.into());
    let mut table = PlugTable::new(&context.ui);
    let selection = Selection::of(&args.targets.plugs, Capability::Switch);
    each(context, selection, work, |_, plug: &Plug| table.row(plug)).await
}
