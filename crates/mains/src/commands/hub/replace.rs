//! `mains hub replace`: replacement of an old plug by a new one.

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::{Target, Through, parse};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hub replace`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The new plug takes over the name, the room, the history and the lifetime total of the old one, which is forgotten. If the new \
plug is not adopted yet, it is adopted first. This cannot be undone, so you are asked to confirm it.

Examples:
  mains hub replace heater 192.168.1.107
  mains hub replace AC:CF:23:12:34:56 AC:CF:23:12:34:57 --yes

Exit codes: 0 replaced, 2 not confirmed, 3 no such plug, 4 no reply, 8 no hub.")]
pub(super) struct HubReplaceArgs {
    /// Old plug: name, MAC, serial number or IPv4 address
    #[arg(value_name = "OLD", value_parser = parse)]
    old: Target,
    /// New plug
    #[arg(value_name = "NEW", value_parser = parse)]
    new: Target,
}

/// Runs `mains hub replace`.
pub(super) async fn run(context: &Context, args: &HubReplaceArgs) -> Outcome {
    let hub = context.need_hub()?;
    let through = Through::of(context, hub.clone()).await?;
    let old = through.kept_plug(&args.old)?.plug.mac;
    let located = through.locate(&args.new).await?;
    let question = format!(
        "Replace {} by {}",
        clean(args.old.as_given()),
        clean(args.new.as_given())
    );
    if !context.ui.confirm(&question).await? {
        return Err(Failure::usage("not confirmed; nothing is replaced"));
    }
    let new = hub.adopt(located.address).await?.plug.mac;
    let view = hub.replace_plug(old, new).await?;
    if context.ui.is_json() {
        context.ui.document(&view)?;
    } else {
        let name = view.plug.name.as_deref().map_or_else(String::new, |name| {
            format!(" as {}", paint(BOLD, clean(name)))
        });
        context
            .ui
            .data(format_args!("{} replaces {old}{name}", view.plug.mac))?;
    }
    Ok(Exit::DONE)
}
