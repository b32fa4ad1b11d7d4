//! `mains completions`: completion scripts for shells.

use std::collections::BTreeSet;

use clap::Command;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::help::help_of;
use crate::ui::clean;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
The names of plugs are completed, too; the scripts ask for them with `mains completions --names`.

Examples:
", help_of!(completions_examples), "

Exit codes: 0 printed, 2 an unknown shell."))]
pub struct CompletionsArgs {
    /// Shell to complete for
    #[arg(value_enum, required_unless_present = "names")]
    shell: Option<Shell>,
    /// Print the names of plugs instead, one a line
    #[arg(long, conflicts_with = "shell")]
    names: bool,
}

/// Prints the script, with `--json` too.
pub fn run(context: &Context, command: Command, args: &CompletionsArgs) -> Outcome {
    let Some(shell) = args.shell else {
        return names(context);
    };
    let mut script = Vec::new();
    let mut command = with_whole_help(command);
    clap_complete::generate(shell, &mut command, "mains", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = with_names(shell, &script, &verbs_of_plugs(&command));
    context.ui.data_raw(&script)?;
    Ok(Exit::DONE)
}

fn names(context: &Context) -> Outcome {
    for name in context.inventory()?.names().values() {
        context.ui.data(clean(name))?;
    }
    Ok(Exit::DONE)
}

/// Returns the names of the verbs that take a plug, at any depth.
fn verbs_of_plugs(command: &Command) -> BTreeSet<String> {
    let takes_plug = |verb: &Command| {
        verb.get_positionals().any(|arg| {
            let names = arg.get_value_names().unwrap_or(&[]);
            names.iter().any(|name| name.contains("PLUG"))
        })
    };
    let mut found = BTreeSet::new();
    for verb in verbs(command) {
        found.extend(takes_plug(&verb).then(|| verb.get_name().to_owned()));
        found.extend(verbs_of_plugs(&verb));
    }
    found
}

/// Adds the names of plugs to a script, which completes what is known when it is written.
fn with_names(shell: Shell, script: &str, verbs: &BTreeSet<String>) -> String {
    let verbs: Vec<&str> = verbs.iter().map(String::as_str).collect();
    match shell {
        Shell::Bash => format!("{script}{}", BASH_NAMES.replace("VERBS", &verbs.join("|"))),
        Shell::Fish => {
            let verbs = verbs.join(" ");
            format!(
                "{script}complete -c mains -n \"__fish_seen_subcommand_from {verbs}\" -f -a \"(mains completions --names 2>/dev/null)\"\n"
            )
        }
        Shell::Zsh => {
            let is_plug = |line: &str| {
                line.contains(":PLUG:") || line.contains("::plug") || line.contains(":plug")
            };
            let lines = script.lines().map(|line| match is_plug(line) {
                true => line.replace(":_default", ":_mains_plugs"),
                false => line.to_owned(),
            });
            // The function must stand before the script's last lines, which call the completion.
            let (head, lines): (Vec<String>, Vec<String>) =
                lines.partition(|line| line.starts_with("#compdef"));
            format!("{}\n{ZSH_NAMES}{}\n", head.join("\n"), lines.join("\n"))
        }
        _ => script.to_owned(),
    }
}

const BASH_NAMES: &str = r#"
_mains_plugs() {
    _mains "$@"
    local cur="${COMP_WORDS[COMP_CWORD]}" word name
    [[ ${cur} == -* ]] && return
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "${word}" in
            VERBS)
                while IFS= read -r name; do
                    [[ ${name} == "${cur}"* ]] && COMPREPLY+=("$(printf '%q' "${name}")")
                done < <(mains completions --names 2>/dev/null)
                return
                ;;
        esac
    done
}
complete -F _mains_plugs -o bashdefault -o default mains
"#;

const ZSH_NAMES: &str = r#"
_mains_plugs() {
    local -a names
    names=(${(f)"$(mains completions --names 2>/dev/null)"})
    compadd -a names
}
"#;

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
