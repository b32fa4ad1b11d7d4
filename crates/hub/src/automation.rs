//! Runs schedules and rules.
//!
//! There are two loops, one for each. The pure functions of [`crate::schedule`] and [`crate::rule`] decide when to switch, and the
//! switch limiter whether it is allowed. Every switch goes through one executor, and its reason is recorded in the document's
//! `last`, in an event and in the log.
//!
//! Neither loop waits for a plug or for the disk: states are written in the background.

mod clocks;
mod context;
mod executor;
mod hub;
mod rules;
pub(crate) mod run_state;
mod schedules;
mod state_writer;
mod switch_limiter;
#[cfg(test)]
mod tests;

use tokio_util::sync::CancellationToken;

use crate::hub::Hub;

use context::AutomationContext;
use executor::Executor;

/// Runs the hub's schedules and rules until it ends.
pub async fn run(hub: Hub) {
    run_on(hub).await;
}

async fn run_on<S: AutomationContext>(context: S) {
    let state_writer = state_writer::StateWriter::default();
    let executor = Executor::new(context.clone(), state_writer.clone());
    let ended = CancellationToken::new();
    let loops = async {
        tokio::join!(
            schedules::run(executor.clone()),
            rules::run(executor.clone())
        );
        ended.cancel();
    };
    tokio::join!(loops, state_writer.run(&context, &ended));
}
