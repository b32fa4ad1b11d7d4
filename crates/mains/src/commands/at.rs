//! `mains at`: sends AT commands to a module or a plug.

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;

use hiflying::DiscoveryWord;

use crate::console::line::{self, CommandOrigin, CommandRules};
use crate::console::{self, ConsoleLink, ConsoleTarget};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::help::help_of;
use crate::resolve;
use crate::ui::clean;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "mains at [OPTIONS] [--udp|--tcp] <PLUG> [COMMAND]...\n       mains at [OPTIONS] --serial <DEV> [COMMAND]...",
    after_long_help = concat!("\
A command is VERB (query) or VERB=VALUE (set), with or without `AT+` in front. Several commands are sent in turn, up to \
the first that fails, so that no restart follows a refused key. `-` reads commands from standard input, one per line; \
lines that start with `#` are skipped. Without a command, `at` opens a console with line editing, history and \
completion, where `help` lists the verbs and `--timeout` limits each command instead of the whole.

Keys and passwords are not accepted on the command line: put `?` in their place to be asked, or pass the line on \
standard input. JSON and the history file show them as `***`.

Command mode is left in every case: with AT+Q on UDP, with AT+ENTM on a serial port.

Examples:
  mains at kitchen                            console of the Wi-Fi module
  mains at 192.168.1.107 MID VER WMODE        three queries
  mains at 10.10.100.254 WSCAN                networks that the plug sees
  mains at kitchen \"WSKEY=WPA2PSK,AES,?\"      asks for the key without showing it
  mains at kitchen - < commands.txt
  mains at --tcp kitchen YZOUT                the plug's own console on TCP port 8899
  ", help_of!(serial_example), "
  mains --json at kitchen MID Z
    [{\"command\":\"AT+MID\",\"reply\":\"+ok=HF-LPB100\"},{\"command\":\"AT+Z\",
      \"reply\":null}]

With --json a failed command has \"error\" too; \"reply\" is null without a reply, as is normal for AT+Z (restart).

Exit codes: 0 each reply was +ok, 2 refused before it was sent, 3 no such plug, 4 no reply, 5 refused by the device, \
6 unintelligible reply, 7 port 48899 taken, or no such serial port; with several commands that of the first failure.")
)]
pub struct AtArgs {
    /// Use the module's AT session on UDP port 48899 (default)
    #[arg(long, group = "way")]
    pub udp: bool,
    /// Use the plug's own console on TCP port 8899: YZSWITCH, YZDELAY, YZOUT, VER
    #[arg(long, group = "way")]
    pub tcp: bool,
    /// Use this serial port, 8N1
    #[arg(long, group = "way", value_name = "DEV")]
    pub serial: Option<PathBuf>,
    /// Set the speed of the serial port
    #[arg(long, value_name = "RATE", default_value_t = 115_200, requires = "serial", value_parser = clap::value_parser!(u32).range(50..))]
    pub baud: u32,
    /// Try this discovery word first (a module whose word was changed); repeatable
    #[arg(long, value_name = "WORD", conflicts_with_all = ["tcp", "serial"])]
    pub word: Vec<DiscoveryWord>,
    /// Allow commands that can ruin a module: RELD, UPURL, CFGTF, FCLR, and setting NETP or WSMAC
    #[arg(long)]
    pub dangerous: bool,
    /// Plug: name, MAC, serial number or IPv4 address (not with --serial)
    #[arg(value_name = "PLUG")]
    pub target: Option<String>,
    /// VERB or VERB=VALUE; `-` reads them from standard input
    #[arg(value_name = "COMMAND")]
    pub commands: Vec<String>,
}

/// Source of the commands.
enum CommandSource {
    Given(Vec<hiflying::AtRequest>),
    Input,
    Prompt,
}

/// Runs the verb.
pub async fn run(context: &Context, args: AtArgs) -> Outcome {
    let (target, commands) = positionals(&args)?;
    let typed = CommandRules {
        dangerous: args.dangerous,
        origin: CommandOrigin::Input,
    };
    let source = command_source(context, &commands, args.dangerous).await?;
    let device = console_target(context, &args, target).await?;
    let link = console::within(context, ConsoleLink::open(context, &device)).await?;
    match source {
        CommandSource::Given(requests) => console::run_commands(context, link, requests).await,
        CommandSource::Input => console::run_input(context, link, typed).await,
        CommandSource::Prompt => {
            console::interactive(context, link, &prompt(&device, target), typed).await
        }
    }
}

/// Splits the words into plug and commands. With `--serial` there is no plug, so the first word is a command.
fn positionals(args: &AtArgs) -> Result<(Option<&str>, Vec<&str>), Failure> {
    let first = args.target.as_deref();
    let rest = args.commands.iter().map(String::as_str);
    match (&args.serial, first) {
        (Some(_), first) => Ok((None, first.into_iter().chain(rest).collect())),
        (None, Some(first)) => Ok((Some(first), rest.collect())),
        (None, None) => Err(Failure::usage("no plug given")
            .hint("pass its name, MAC, serial number or address, or `--serial DEV`")),
    }
}

/// Parses the commands, so that they are refused before anything is opened.
async fn command_source(
    context: &Context,
    commands: &[&str],
    dangerous: bool,
) -> Result<CommandSource, Failure> {
    match commands {
        [] if !context.ui.is_json() && stdin().is_terminal() && stdout().is_terminal() => {
            Ok(CommandSource::Prompt)
        }
        [] | ["-"] => Ok(CommandSource::Input),
        given if given.contains(&"-") => {
            Err(Failure::usage("`-` cannot be combined with other commands"))
        }
        given => {
            let rules = CommandRules {
                dangerous,
                origin: CommandOrigin::Arguments,
            };
            let parsed = given
                .iter()
                .map(|text| line::parse(text, rules))
                .collect::<Result<Vec<_>, _>>()?;
            let mut requests = Vec::with_capacity(parsed.len());
            for request in parsed {
                requests.push(console::fill_secret(context, request).await?);
            }
            Ok(CommandSource::Given(requests))
        }
    }
}

async fn console_target(
    context: &Context,
    args: &AtArgs,
    target: Option<&str>,
) -> Result<ConsoleTarget, Failure> {
    if let Some(device) = &args.serial {
        return Ok(ConsoleTarget::Serial {
            device: device.clone(),
            baud: args.baud,
        });
    }
    let target = resolve::parse(target.expect("a plug is given unless there is a serial port"))
        .map_err(Failure::usage)?;
    let address = match target.address() {
        Some(address) => address,
        None => console::within(context, resolve::address_of(context, &target)).await?,
    };
    Ok(if args.tcp {
        ConsoleTarget::Tcp(address)
    } else {
        ConsoleTarget::Udp {
            target: address,
            words: args.word.clone(),
        }
    })
}

/// Returns the prompt: the name that the user gave, or the device.
fn prompt(device: &ConsoleTarget, target: Option<&str>) -> String {
    let name = match (device, target) {
        (_, Some(target)) => target.to_owned(),
        (ConsoleTarget::Serial { device, .. }, None) => device
            .file_name()
            .unwrap_or(device.as_os_str())
            .to_string_lossy()
            .into_owned(),
        (
            ConsoleTarget::Udp {
                target: address, ..
            }
            | ConsoleTarget::Tcp(address),
            None,
        ) => address.to_string(),
    };
    clean(&name).into_owned()
}
