//! `mains completions`: completion scripts for shells.

use clap::Command;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::{Exit, Outcome};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains completions bash > ~/.local/share/bash-completion/completions/mains
  mains completions zsh > ~/.zfunc/_mains
  mains completions fish > ~/.config/fish/completions/mains.fish

Exit codes: 0 printed, 2 an unknown shell.")]
pub struct CompletionsArgs {
    /// Shell to complete for
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script, with `--json` too.
pub fn run(context: &Context, command: Command, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    let mut command = with_whole_help(command);
    clap_complete::generate(args.shell, &mut command, "mains", &mut script);
    context.ui.data_raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}

/// Adds the verbs below a verb (`hue pair`) to `help`, which copies the verbs before these are put together.
fn with_whole_help(mut command: Command) -> Command {
    command.build();
    for verb in verbs(&command) {
        let path = format!("mains help {}", verb.get_name());
        let below = verbs(&verb);
        command = command.mut_subcommand("help", |help| {
            help.mut_subcommand(verb.get_name(), |copy| {
                copy.subcommands(below.iter().map(|below| copy_for_help(below, &path)))
            })
        });
    }
    command
}

fn copy_for_help(command: &Command, path: &str) -> Command {
    let path = format!("{path} {}", command.get_name());
    let below = verbs(command);
    Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommands(below.iter().map(|below| copy_for_help(below, &path)))
        .bin_name(path)
}

fn verbs(command: &Command) -> Vec<Command> {
    let verbs = command.get_subcommands();
    verbs
        .filter(|verb| verb.get_name() != "help")
        .cloned()
        .collect()
}
