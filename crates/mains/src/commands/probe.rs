//! `mains probe`.

use crate::context::Context;
use crate::error::{Failure, Outcome};

/// Options of `mains probe`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let _ = (context, args);
    Err(Failure::failed("this verb has not landed yet"))
}
