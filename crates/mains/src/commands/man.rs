//! `mains man`: the manual page, made from the help.

use clap::Command;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::help::help_of;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Examples:
", help_of!(man_examples), "

Exit codes: 0 printed, 2 an unknown verb."))]
pub struct ManArgs {
    /// Print the page of this verb instead
    #[arg(value_name = "VERB")]
    verb: Option<String>,
}

/// Prints the page as troff, with `--json` too.
pub fn run(context: &Context, mut command: Command, args: &ManArgs) -> Outcome {
    command.build();
    let page = match &args.verb {
        None => command,
        Some(verb) => command.find_subcommand(verb).cloned().ok_or_else(|| {
            Failure::usage(format!("there is no verb `{verb}`"))
                .hint("`mains help` lists the verbs")
        })?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|error| Failure::failed("the manual page cannot be written").caused_by(&error))?;
    context.ui.data_raw(&String::from_utf8_lossy(&text))?;
    Ok(Exit::DONE)
}
