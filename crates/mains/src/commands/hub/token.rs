//! `mains hub token`: the tokens of programs.

use std::time::Duration;

use api::client::Client;
use api::{Scope, SiteName, TokenInfo, TokenRequest};
use jiff::Timestamp;
use serde_json::json;

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::table::{Cell, Table};
use crate::ui::{BOLD, DIM, clean, paint};

/// Options of `mains hub token`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A program sends its token as `Authorization: Bearer …`; `mains` on another computer reads it from MAINS_TOKEN. Give each \
program its own token with the least scope that does, so that it can be revoked alone. The token `admin` is the one that \
`mains` uses on the hub's own computer; if you revoke it, the hub creates a new one.

A token ends with the token that made it: revoking `admin` also revokes the tokens that `mains` made on the hub's computer, \
except those that are independent.

Scopes:
  metrics   the metrics at /metrics, for Prometheus
  read      everything except secrets; changes nothing
  switch    also switches relays and sets the timers of plugs
  admin     everything

Examples:
  mains hub token list
  mains hub token add grafana --scope metrics    # prints the token, only this once
  mains hub token add guest --scope switch --expires 7d
  mains hub token revoke grafana

Exit codes: 0 done, 2 a name in use, a scope or site that there is not, 3 no such token, 8 no hub.")]
pub(super) struct HubTokenArgs {
    #[command(subcommand)]
    command: HubTokenCommand,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum HubTokenCommand {
    /// List the tokens, without their secrets
    List,
    /// Create a token and print it, only this once
    Add {
        /// Name of the program
        name: String,
        /// Scope of the token: metrics, read, switch or admin
        #[arg(long, value_name = "SCOPE", default_value_t = Scope::Admin)]
        scope: Scope,
        /// End the token after this time, e.g. 30d [default: never]
        #[arg(long, value_name = "DURATION", value_parser = api::duration::parse)]
        expires: Option<Duration>,
        /// Site that the token may see; can be given several times [default: all]
        #[arg(long = "site", value_name = "SITE")]
        sites: Vec<SiteName>,
        /// Keep the token when the token that makes it is revoked
        #[arg(long)]
        independent: bool,
    },
    /// Revoke a token
    Revoke {
        /// Name or id of the token
        name: String,
    },
}

/// Runs `mains hub token`.
pub(super) async fn run(context: &Context, args: HubTokenArgs) -> Outcome {
    let hub = context.need_hub()?;
    match args.command {
        HubTokenCommand::List => list(context, &hub).await,
        HubTokenCommand::Add {
            name,
            scope,
            expires,
            sites,
            independent,
        } => {
            let end = |lasts| plugs::now().saturating_add(lasts);
            let expires = expires.map(end).transpose();
            let request = TokenRequest {
                name,
                scope,
                sites,
                expires: expires.unwrap_or(Some(Timestamp::MAX)),
                independent,
            };
            add(context, &hub, &request).await
        }
        HubTokenCommand::Revoke { name } => revoke(context, &hub, &name).await,
    }
}

async fn list(context: &Context, hub: &Client) -> Outcome {
    let tokens = hub.tokens().await?;
    if context.ui.is_json() {
        context.ui.document(&tokens)?;
        return Ok(Exit::DONE);
    }
    let mut table = Table::new(["NAME", "ID", "SCOPE", "EXPIRES", "MADE", "BY", "LAST USED"]);
    for token in &tokens {
        table.row([
            Cell::styled(BOLD, &token.name),
            Cell::plain(&token.id),
            Cell::plain(scope(token)),
            Cell::maybe(token.expires.map(|expires| format!("{expires:.0}"))),
            Cell::plain(format_args!("{:.0}", token.created)),
            Cell::maybe(token.created_by.as_deref().map(|by| maker(&tokens, by))),
            Cell::maybe(token.last_used.map(|used| format!("{used:.0}"))),
        ]);
    }
    context.ui.data(table.render())?;
    Ok(Exit::DONE)
}

/// Returns the scope of a token, and the sites to which it is bound.
fn scope(token: &TokenInfo) -> String {
    let sites: Vec<&str> = token.sites.iter().map(SiteName::as_str).collect();
    match sites.as_slice() {
        [] => token.scope.to_string(),
        sites => format!("{} ({})", token.scope, sites.join(", ")),
    }
}

/// Returns the name of a token's maker.
fn maker(tokens: &[TokenInfo], by: &str) -> String {
    let maker = tokens.iter().find(|token| token.id.as_str() == by);
    maker.map_or_else(|| by.to_owned(), |maker| maker.name.clone())
}

async fn add(context: &Context, hub: &Client, request: &TokenRequest) -> Outcome {
    let created = hub.create_token(request).await?;
    if context.ui.is_json() {
        context.ui.document(&created)?;
    } else {
        context.ui.data(clean(&created.token))?;
        context
            .ui
            .status(paint(DIM, "store it now: it is not shown again"));
    }
    Ok(Exit::DONE)
}

async fn revoke(context: &Context, hub: &Client, name: &str) -> Outcome {
    let tokens = hub.tokens().await?;
    let token = tokens
        .iter()
        .find(|token| token.id.as_str() == name)
        .or_else(|| tokens.iter().find(|token| token.name == name))
        .ok_or_else(|| {
            let message = format!("no token \u{2018}{}\u{2019}", clean(name));
            Failure::new(Kind::NotFound, message).hint("`mains hub token list` lists them")
        })?;
    hub.revoke_token(&token.id).await?;
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"id": token.id, "name": token.name, "revoked": true}))?;
    } else {
        let name = paint(BOLD, clean(&token.name));
        context
            .ui
            .data(format_args!("the token {name} is revoked"))?;
    }
    Ok(Exit::DONE)
}
