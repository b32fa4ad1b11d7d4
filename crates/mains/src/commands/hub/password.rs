//! `mains hub password`: the password for browsers.

use std::io::Read;
use std::path::PathBuf;

use api::{Scope, SiteName};
use serde_json::json;

use crate::commands::hub_config;
use crate::config::Sources;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::ui::SecretText;

/// Maximum length of a password.
const MAX_LEN: u64 = 1024;

/// Options of `mains hub password`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The password is read from a prompt, a file or standard input, never from the command line. All browsers are logged out. A hub \
that other computers can reach needs a password: set it before you change `listen`, or while no hub runs here.

With `--view` it is the password of logins that see everything and change nothing, e.g. for a tablet on the wall. Where the \
database holds several sites, its logins see those of `--site`; a new password keeps the sites of the one before.

Examples:
  mains hub password
  mains hub password --file /run/secrets/mains
  mains hub password --view
  mains hub password --view --site berlin
  mains hub password --clear             # log in with tokens and links only

Exit codes: 0 set, 2 wrong usage or no password, 7 the state directory cannot be used, 8 the hub or its database cannot be \
reached.")]
pub(super) struct HubPasswordArgs {
    /// Read the password from this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "clear"])]
    file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long, conflicts_with = "clear")]
    stdin: bool,
    /// Set the password of view-only logins
    #[arg(long)]
    view: bool,
    /// Site that its logins may see; can be given several times
    #[arg(long = "site", value_name = "SITE", conflicts_with_all = ["all_sites", "clear"])]
    sites: Vec<SiteName>,
    /// Let its logins see all sites
    #[arg(long, conflicts_with = "clear")]
    all_sites: bool,
    /// Remove the password
    #[arg(long)]
    clear: bool,
}

impl HubPasswordArgs {
    /// Returns the sites that logins may see, none for all; `None` to keep those of the password before.
    fn sites(&self) -> Option<&[SiteName]> {
        (self.all_sites || !self.sites.is_empty()).then_some(&self.sites)
    }
}

/// Runs `mains hub password`.
pub(super) async fn run(context: &Context, args: &HubPasswordArgs) -> Outcome {
    let hub = match args.clear {
        true => Some(context.need_hub()?),
        false => context.hub()?,
    };
    let password = match args.clear {
        true => None,
        false => Some(read(context, args).await?),
    };
    let scope = if args.view { Scope::Read } else { Scope::Admin };
    match (&hub, &password) {
        (Some(hub), _) => {
            let password = password.as_ref().map(|password| password.as_str());
            let set = async { Ok(hub.set_password(password, scope, args.sites()).await?) };
            context.bounded(set).await?;
        }
        (None, Some(password)) => keep(context, password, scope, args.sites()).await?,
        (None, None) => {}
    }
    super::name_hub(context, hub.as_ref())?;
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"password": password.is_some(), "scope": scope}))?;
    } else {
        let browsers = if args.view { "view-only" } else { "all" };
        context.ui.data(match (password, hub) {
            (Some(_), Some(_)) => {
                format!("the password is set, and {browsers} browsers are logged out")
            }
            (Some(_), None) => "the password is set, for the next `mains serve`".to_owned(),
            (None, _) => format!("the password is removed, and {browsers} browsers are logged out"),
        })?;
    }
    Ok(Exit::DONE)
}

/// Stores the password for the next hub: one that other computers can reach does not start without.
async fn keep(
    context: &Context,
    password: &SecretText,
    scope: Scope,
    sites: Option<&[SiteName]>,
) -> Result<(), Failure> {
    let sources = Sources::read(&context.settings.options);
    let config = hub_config::config(&sources, context.state_directory()?)
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    let sites = sites.map(<[SiteName]>::to_vec);
    Ok(hub::keep_password(&config, password.as_str(), scope, sites).await?)
}

async fn read(context: &Context, args: &HubPasswordArgs) -> Result<SecretText, Failure> {
    if let Some(file) = &args.file {
        let what = format!("the password file {}", file.display());
        let stream = std::fs::File::open(file)
            .map_err(|error| Failure::usage(format!("{what} cannot be read")).caused_by(&error))?;
        return first_line(stream, &what);
    }
    if args.stdin {
        return first_line(std::io::stdin().lock(), "the password on standard input");
    }
    let how_else = "give it with --file or --stdin";
    let password = context.ui.secret("New password", how_else).await?;
    let again = context.ui.secret("Repeat it", how_else).await?;
    if *password != *again {
        return Err(Failure::usage("the passwords differ; nothing is changed"));
    }
    Ok(password)
}

fn first_line(stream: impl Read, what: &str) -> Result<SecretText, Failure> {
    let capacity = usize::try_from(MAX_LEN).unwrap_or(usize::MAX);
    // Full size from the start: a growing text leaves copies behind.
    let mut text = SecretText::new(String::with_capacity(capacity + 8));
    stream
        .take(MAX_LEN + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("{what} cannot be read")).caused_by(&error))?;
    let line = text.trim_end_matches(['\r', '\n']);
    let problem = if line.is_empty() {
        "is empty"
    } else if line.contains(['\r', '\n']) {
        "has a second line"
    } else if text.len() > capacity {
        "is too long"
    } else {
        return Ok(SecretText::new(line.to_owned()));
    };
    Err(Failure::usage(format!("{what} {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        let read = |text: &str| first_line(text.as_bytes(), "it").map(|secret| (*secret).clone());
        assert_eq!(read("secret\n").as_deref(), Ok("secret"));
        assert_eq!(read(" se cret\r\n").as_deref(), Ok(" se cret"));
        let long = "x".repeat(2000);
        for text in ["", "\n", "a\nb", &long] {
            assert!(read(text).is_err());
        }
    }
}
