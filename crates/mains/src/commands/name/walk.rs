//! `mains name --walk`: one plug after the other clicks and gets its name.

use plugs::{Capability, Plug};

use super::{rename_at, save};
use crate::commands::identify::{click, may_click};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::inventory::PlugName;
use crate::resolve::{Reach, Target};
use crate::ui::clean;

/// The answer that makes the plug click once more.
const AGAIN: &str = "!";

/// Asks for the name of every plug.
pub(super) async fn run(context: &Context) -> Outcome {
    if !context.ui.can_ask() {
        let message = "there is no terminal to ask for names on";
        return Err(Failure::usage(message).hint("`mains name <PLUG> <NAME>` gives one a name"));
    }
    let reach = Reach::open(context, &[]).await?;
    let named = reach.alongside(walk(context, &reach)).await?;
    if context.ui.is_json() {
        context.ui.document(&named)?;
    }
    Ok(Exit::DONE)
}

async fn walk(context: &Context, reach: &Reach<'_>) -> Result<Vec<Plug>, Failure> {
    let targets = context
        .bounded(reach.select(&[], Capability::Switch))
        .await?;
    let mut named = Vec::new();
    for (number, target) in (1..).zip(&targets) {
        context.ui.status(format_args!(
            "plug {number} of {}: {}",
            targets.len(),
            clean(target.shown())
        ));
        match visit(context, reach, target).await {
            Ok(Some(plug)) => named.push(plug),
            Ok(None) => {}
            // One that does not reply does not keep the others from getting a name.
            Err(failure) if failure.kind() != Kind::Failed => context.ui.error(&failure),
            Err(failure) => return Err(failure),
        }
    }
    Ok(named)
}

/// Lets a plug click, and asks for its name; `None` when it keeps the one that it has.
async fn visit(
    context: &Context,
    reach: &Reach<'_>,
    target: &Target,
) -> Result<Option<Plug>, Failure> {
    let plug = reach.presence(target).await?;
    loop {
        if let Some(relay) = plug.relay
            && may_click(context, target, relay).await?
        {
            click(reach, target, relay).await?;
        }
        let prompt = format!("Its name (Enter to leave it, {AGAIN} to click again)");
        let how_else = "`mains name <PLUG> <NAME>` gives one a name";
        let answer = context.ui.line(&prompt, how_else).await?;
        match answer.trim() {
            "" => return Ok(None),
            AGAIN => {}
            text => match give(context, reach, &plug, text).await {
                Ok(plug) => return Ok(Some(plug)),
                Err(failure) if failure.kind() == Kind::Usage => context.ui.error(&failure),
                Err(failure) => return Err(failure),
            },
        }
    }
}

async fn give(
    context: &Context,
    reach: &Reach<'_>,
    plug: &Plug,
    text: &str,
) -> Result<Plug, Failure> {
    let name: PlugName = text
        .parse()
        .map_err(|error| Failure::usage(format!("{error}")))?;
    match reach {
        Reach::Hub(hub) => rename_at(context, hub, plug, Some(&name)).await,
        Reach::Direct(_) => save(context, plug, Some(&name)),
    }
}
