//! `mains completions`: completion scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};

/// Options of `mains completions`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains completions bash > ~/.local/share/bash-completion/completions/mains
  mains completions zsh > ~/.zfunc/_mains
  mains completions fish > ~/.config/fish/completions/mains.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script. It is no JSON: with `--json` it is refused.
pub fn run(context: &Context, args: &Args) -> Outcome {
    refuse_json(context, "completions")?;
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mains", &mut script);
    context.ui.data_raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}

pub(super) fn refuse_json(context: &Context, verb: &str) -> Result<(), Failure> {
    if context.ui.is_json() {
        return Err(Failure::usage(format!("`mains {verb}` has no JSON form"))
            .hint("leave out `--json` and MAINS_JSON"));
    }
    Ok(())
}
