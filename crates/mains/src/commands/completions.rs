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
    let names = |command: &Command| -> Vec<Command> {
        let verbs = command.get_subcommands();
        verbs
            .filter(|verb| verb.get_name() != "help")
            .cloned()
            .collect()
    };
    for verb in names(&command) {
        let below = names(&verb).into_iter().map(|below| {
            let about = below.get_about().cloned();
            let path = format!("mains help {} {}", verb.get_name(), below.get_name());
            Command::new(below.get_name().to_owned())
                .bin_name(path)
                .about(about.unwrap_or_default())
                .disable_help_flag(true)
        });
        command = command.mut_subcommand("help", |help| {
            help.mut_subcommand(verb.get_name().to_owned(), |copy| copy.subcommands(below))
        });
    }
    command
}
