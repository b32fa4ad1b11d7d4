//! `mains hub plugs`: the adopted plugs.

use api::PlugView;

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::plug_table::{counted, figure, gone, relay};
use crate::ui::BOLD;
use crate::ui::table::{Cell, Table};

/// Options of `mains hub plugs`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
TOTAL is the energy that a plug used since its adoption; unlike the plug's own counter it never decreases.

Examples:
  mains hub plugs
  mains --json hub plugs | jq -r '.[] | select(.available | not) | .name'

Exit codes: 0 shown, 2 wrong token, 8 no hub.")]
pub(super) struct HubPlugsArgs {}

/// Runs `mains hub plugs`.
pub(super) async fn run(context: &Context, _: &HubPlugsArgs) -> Outcome {
    let hub = context.need_hub()?;
    let views = hub.plugs().await?;
    if context.ui.is_json() {
        context.ui.document(&views)?;
        return Ok(Exit::DONE);
    }
    if views.is_empty() {
        context
            .ui
            .hint("no plug is adopted yet; `mains hub adopt --all` adopts every plug that replies");
        return Ok(Exit::DONE);
    }
    context.ui.data(table(&views).render())?;
    Ok(Exit::DONE)
}

/// Returns a table of plugs.
pub(super) fn table(views: &[PlugView]) -> Table<8> {
    let mut table = Table::new([
        "NAME", "RELAY", ">POWER", ">TOTAL", "ROOM", ">METERED", "ADDRESS", "MAC",
    ]);
    for view in views {
        table.row(row(view));
    }
    table
}

fn row(view: &PlugView) -> [Cell; 8] {
    let power = view
        .reading
        .as_ref()
        .filter(|_| view.available)
        .and_then(|reading| reading.power_w);
    [
        Cell::maybe_styled(BOLD, view.plug.name.as_ref()),
        match view.available {
            true => relay(view.plug.relay),
            false => gone(),
        },
        figure(power, 1, "W"),
        counted(view.energy_total_wh),
        Cell::maybe(view.room.as_ref()),
        Cell::plain(view.metering),
        Cell::plain(view.plug.address),
        Cell::plain(view.plug.mac),
    ]
}
