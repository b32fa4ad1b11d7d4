//! `mains setup`: puts a factory-fresh plug on the user's Wi-Fi.

mod all;
mod args;
mod arrival;
mod fleet;
mod interruption;
mod job;
mod joining;
mod keys;
mod module;
mod options;
mod prompts;
mod report;
mod smartlink;
mod steps;
mod timing;
mod wifi_access;

use hiflying::ACCESS_POINT_ADDRESS;
use serde::Serialize;

use self::args::MethodArg;
use self::interruption::Interruption;
use self::job::SetupJob;
use self::options::SetupOptions;
use self::report::SetupReport;
use self::wifi_access::{PlugNetwork, WifiAccess};
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::secret;
use crate::wifi::{self, Restored};

pub use self::args::SetupArgs;

/// Runs the verb.
pub async fn run(context: &Context, args: SetupArgs) -> Outcome {
    if args.undo {
        return undo(context).await;
    }
    let is_smart_link = args.method == MethodArg::Smartlink;
    if is_smart_link {
        smartlink::check(&args)?;
    }
    secret::shield();
    let mut interruption = Interruption::new()?;
    let options = SetupOptions::read(&context.ui, &args);
    let mut options = interruption.run(context, options).await?;
    if is_smart_link {
        let report = smartlink::run(context, &mut interruption, &mut options).await;
        return conclude(context, report);
    }
    if args.to_ssid.is_some() {
        return fleet::run(context, &args, &mut interruption, &options).await;
    }
    let access = WifiAccess::choose(context, &args);
    let mut access = interruption.run(context, access).await?;
    if args.all {
        return all::run(context, &args, &mut interruption, &mut options, &mut access).await;
    }
    let network = match &access {
        WifiAccess::Manual => None,
        WifiAccess::NetworkManager(manager) => {
            let choice = PlugNetwork::choose(&context.ui, manager, &args, &options);
            Some(interruption.run(context, choice).await?)
        }
    };
    let module = args.module.unwrap_or(ACCESS_POINT_ADDRESS);
    let job = SetupJob::new(
        context,
        &mut options,
        &mut access,
        network,
        module,
        String::new(),
    );
    conclude(context, job.run(&mut interruption).await)
}

/// Prints the result for one plug.
fn conclude(context: &Context, report: SetupReport) -> Outcome {
    if context.ui.is_json() {
        context.ui.document(&report)?;
        return Ok(report.exit());
    }
    match report.failure {
        Some(failure) => Err(failure),
        None => {
            context.ui.data(report.line())?;
            if let Some(next) = report.next_step(context) {
                context.ui.hint(next);
            }
            Ok(Exit::DONE)
        }
    }
}

/// Restores the computer's Wi-Fi after a setup that was killed.
async fn undo(context: &Context) -> Outcome {
    let restored = wifi::undo(&context.state_directory()?).await?;
    if context.ui.is_json() {
        let document = UndoDocument {
            undone: restored.is_some(),
            connection: match &restored {
                Some(Restored::Connected(name, ..)) => Some(name),
                _ => None,
            },
        };
        context.ui.document(&document)?;
    } else {
        match restored {
            Some(restored) => context.ui.data(restored)?,
            None => context.ui.data("nothing to undo")?,
        }
    }
    Ok(Exit::DONE)
}

/// JSON of `mains setup --undo`.
#[derive(Debug, Serialize)]
struct UndoDocument<'a> {
    /// True if there was something to undo.
    undone: bool,
    /// Connection that the Wi-Fi was restored to, if any.
    connection: Option<&'a str>,
}
