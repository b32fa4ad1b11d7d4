//! `mains hub login-url`: a link that logs a browser in.

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::ui::clean;

/// Options of `mains hub login-url`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The link works once, for a few minutes.

Examples:
  mains hub login-url
  xdg-open \"$(mains hub login-url)\"
  mains --json hub login-url
    {\"url\":\"http://127.0.0.1:8480/login?token=…\",\"expires\":\"2026-11-22T12:10:00Z\"}

Exit codes: 0 printed, 2 wrong token, 8 no hub.")]
pub(super) struct HubLoginUrlArgs {}

/// Runs `mains hub login-url`.
pub(super) async fn run(context: &Context, _: &HubLoginUrlArgs) -> Outcome {
    let hub = context.need_hub()?;
    let link = hub.login_link().await?;
    if context.ui.is_json() {
        context.ui.document(&link)?;
    } else {
        context.ui.data(clean(&link.url))?;
    }
    Ok(Exit::DONE)
}
