//! Putting a plug on the user's Wi-Fi: what `mains setup` does beyond its options.

use serde::Serialize;

use crate::commands::setup::Args;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
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
pub async fn run(context: &Context, args: Args) -> Outcome {
    let _ = (context, args);
    Err(Failure::failed("this verb has not landed yet"))
}
