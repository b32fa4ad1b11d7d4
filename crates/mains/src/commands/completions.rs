//! `mains completions`: completion scripts for shells.

use clap::Command;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::{Exit, Outcome};

/// Options of `mains completions`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains completions bash > ~/.local/share/bash-completion/completions/mains
  mains completions zsh > ~/.zfunc/_mains
  mains completions fish > ~/.config/fish/completions/mains.fish

Exit codes: 0 printed, 2 an unknown shell.")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script; it is what it is, with `--json` too.
pub fn run(context: &Context, mut command: Command, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "mains", &mut script);
    context.ui.data_raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}
