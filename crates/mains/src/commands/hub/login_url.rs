//! `mains hub login-url`: a link that logs a browser in.

use api::{LoginLinkRequest, Scope, SiteName};

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::ui::clean;

/// Options of `mains hub login-url`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The link works once, for a few minutes. With `--scope read` the browser sees everything and changes nothing; with `--scope \
switch` it also switches.

Examples:
  mains hub login-url
  xdg-open \"$(mains hub login-url)\"
  mains hub login-url --scope read
  mains --json hub login-url
    {\"url\":\"http://127.0.0.1:8480/login?token=…\",\"scope\":\"admin\",
      \"expires\":\"2026-11-22T12:10:00Z\"}

Exit codes: 0 printed, 2 wrong token, 8 no hub.")]
pub(super) struct HubLoginUrlArgs {
    /// Scope of the session: read, switch or admin
    #[arg(long, value_name = "SCOPE", default_value_t = Scope::Admin)]
    scope: Scope,
    /// Site that the browser may see; can be given several times [default: all]
    #[arg(long = "site", value_name = "SITE")]
    sites: Vec<SiteName>,
}

/// Runs `mains hub login-url`.
pub(super) async fn run(context: &Context, args: &HubLoginUrlArgs) -> Outcome {
    let hub = context.need_hub()?;
    let request = LoginLinkRequest {
        scope: args.scope,
        sites: args.sites.clone(),
    };
    let link = hub.login_link(&request).await?;
    super::name_hub(context, Some(&hub))?;
    if context.ui.is_json() {
        context.ui.document(&link)?;
    } else {
        context.ui.data(clean(&link.url))?;
    }
    Ok(Exit::DONE)
}
