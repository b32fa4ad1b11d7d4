//! Putting a plug on the user's Wi-Fi: what `mains setup` does beyond its options.

mod all;
mod guard;
mod job;
mod joining;
mod keys;
mod module;
mod prompts;
mod proof;
mod report;
mod steps;
mod way;
mod wish;

use hiflying::ACCESS_POINT_ADDRESS;
use serde::Serialize;

use guard::Guard;
use job::Job;
use report::Report;
use way::{PlugNetwork, Way};
use wish::Wish;

use crate::commands::setup::SetupArgs;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::secret;
use crate::wifi::{self, Restored};

/// Puts the computer's Wi-Fi back after a setup that was killed.
pub async fn undo(context: &Context) -> Outcome {
    let restored = wifi::undo(&context.state_directory()?).await?;
    if context.ui.is_json() {
        context.ui.document(&Undone::from(restored.as_ref()))?;
    } else {
        match restored {
            Some(restored) => context.ui.data(restored)?,
            None => context.ui.data("there is nothing to undo")?,
        }
    }
    Ok(Exit::DONE)
}

/// The document of `mains setup --undo`.
#[derive(Debug, Serialize)]
struct Undone<'a> {
    /// Whether there was something to undo.
    undone: bool,
    /// The connection that the Wi-Fi is back on, if it was on one.
    connection: Option<&'a str>,
}

impl<'a> From<Option<&'a Restored>> for Undone<'a> {
    fn from(restored: Option<&'a Restored>) -> Self {
        Self {
            undone: restored.is_some(),
            connection: match restored {
                Some(Restored::Connected(name)) => Some(name),
                _ => None,
            },
        }
    }
}

/// Sets up one plug, or all in reach.
pub async fn run(context: &Context, args: SetupArgs) -> Outcome {
    secret::shield();
    let mut guard = Guard::new()?;
    let mut wish = guard.run(context, Wish::read(&context.ui, &args)).await?;
    let mut way = guard.run(context, Way::choose(context, &args)).await?;
    if args.all {
        return all::run(context, &args, &mut guard, &mut wish, &mut way).await;
    }
    let network = match &way {
        Way::Manual => None,
        Way::NetworkManager(manager) => {
            let choice = PlugNetwork::choose(&context.ui, manager, &args, &wish);
            Some(guard.run(context, choice).await?)
        }
    };
    let module = args.module.unwrap_or(ACCESS_POINT_ADDRESS);
    let job = Job::new(context, &mut wish, &mut way, network, module, String::new());
    conclude(context, job.run(&mut guard).await)
}

/// Tells how it went with the one plug.
fn conclude(context: &Context, report: Report) -> Outcome {
    if context.ui.is_json() {
        context.ui.document(&report)?;
        return Ok(report.exit());
    }
    match report.failure {
        Some(failure) => Err(failure),
        None => {
            context.ui.data(report.line())?;
            Ok(Exit::DONE)
        }
    }
}
