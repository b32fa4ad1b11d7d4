//! `mains at`: talk to a module or a plug by hand.

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;

use hiflying::DiscoveryWord;

use crate::console::line::{self, Origin, Rules};
use crate::console::{self, Link, Where};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::resolve;
use crate::ui::clean;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "mains at [OPTIONS] [--udp|--tcp] <PLUG> [COMMAND]...\n       mains at [OPTIONS] --serial <DEV> [COMMAND]...",
    after_long_help = "\
A command is VERB (asks) or VERB=VALUE (sets), with or without `AT+` in front. Several are sent in turn, up to the first \
that fails; so a restart does not follow a key that was refused. `-` reads commands from standard input, one a line; \
what follows `#` at the start of a line is left out. Without a command it is a console with line editing, history and \
completion; there, `help` lists the verbs, and `--timeout` bounds each command instead of the whole.

Keys and passwords are not taken from the command line: put `?` in their place to be asked, or give the line on standard \
input. JSON and the history file show them as `***`.

The session is left in every case: with AT+Q on UDP, with AT+ENTM on a serial port.

Examples:
  mains at kitchen                            console of the Wi-Fi module
  mains at 192.168.1.107 MID VER WMODE        three questions
  mains at 10.10.100.254 WSCAN                which networks the plug sees
  mains at kitchen 'WSKEY=WPA2PSK,AES,?'      asks for the key without showing it
  mains at kitchen - < commands.txt
  mains at --tcp kitchen YZOUT                the plug's own console on TCP port 8899
  mains at --serial /dev/ttyUSB0 VER          the module's serial port
  mains --json at kitchen MID Z
    [{\"command\":\"AT+MID\",\"reply\":\"+ok=HF-LPB100\"},{\"command\":\"AT+Z\",\"reply\":null}]

With --json a command that failed has \"error\" too; \"reply\" is null when nothing came, as AT+Z (restart) promises.

Exit codes: 0 all were answered with +ok, 2 refused here before it was sent, 3 no such plug, 4 no answer, 5 the device \
refused, 6 babble, 7 port 48899 taken, or no such serial port; with several commands that of the first failure."
)]
pub struct AtArgs {
    /// The module's AT session on UDP port 48899 (default)
    #[arg(long, group = "way")]
    pub udp: bool,
    /// The plug's own console on TCP port 8899: YZSWITCH, YZDELAY, YZOUT, VER
    #[arg(long, group = "way")]
    pub tcp: bool,
    /// A serial port, 8N1
    #[arg(long, group = "way", value_name = "DEV")]
    pub serial: Option<PathBuf>,
    /// Speed of the serial port
    #[arg(long, value_name = "RATE", default_value_t = 115_200, requires = "serial", value_parser = clap::value_parser!(u32).range(50..))]
    pub baud: u32,
    /// Try this discovery word first (a module whose word was changed); repeatable
    #[arg(long, value_name = "WORD", conflicts_with_all = ["tcp", "serial"])]
    pub word: Vec<DiscoveryWord>,
    /// Allow what can ruin a module: RELD UPURL CFGTF FCLR, and setting NETP or WSMAC
    #[arg(long)]
    pub dangerous: bool,
    /// The plug: name, MAC, serial number or IPv4 address (not with --serial)
    #[arg(value_name = "PLUG")]
    pub target: Option<String>,
    /// VERB or VERB=VALUE; `-` reads them from standard input
    #[arg(value_name = "COMMAND")]
    pub commands: Vec<String>,
}

/// Where commands come from.
enum Source {
    Given(Vec<hiflying::AtRequest>),
    Input,
    Prompt,
}

/// Runs the verb.
pub async fn run(context: &Context, args: AtArgs) -> Outcome {
    let (target, commands) = positionals(&args)?;
    let typed = Rules {
        dangerous: args.dangerous,
        origin: Origin::Input,
    };
    let source = source(context, &commands, args.dangerous).await?;
    let place = place(context, &args, target).await?;
    let link = console::within(context, Link::open(context, &place)).await?;
    match source {
        Source::Given(requests) => console::run_commands(context, link, requests).await,
        Source::Input => console::run_input(context, link, typed).await,
        Source::Prompt => console::interactive(context, link, &prompt(&place, target), typed).await,
    }
}

/// With `--serial` there is no plug to name, so the first word is a command already.
fn positionals(args: &AtArgs) -> Result<(Option<&str>, Vec<&str>), Failure> {
    let first = args.target.as_deref();
    let rest = args.commands.iter().map(String::as_str);
    match (&args.serial, first) {
        (Some(_), first) => Ok((None, first.into_iter().chain(rest).collect())),
        (None, Some(first)) => Ok((Some(first), rest.collect())),
        (None, None) => Err(Failure::usage("it is not said which plug to talk to")
            .hint("give its name, MAC, serial number or address, or `--serial DEV`")),
    }
}

/// Everything that can be refused is refused here, before anything is opened.
async fn source(context: &Context, commands: &[&str], dangerous: bool) -> Result<Source, Failure> {
    match commands {
        [] if !context.ui.is_json() && stdin().is_terminal() && stdout().is_terminal() => {
            Ok(Source::Prompt)
        }
        [] | ["-"] => Ok(Source::Input),
        given if given.contains(&"-") => Err(Failure::usage(
            "`-` stands alone: commands come from standard input or from the command line",
        )),
        given => {
            let rules = Rules {
                dangerous,
                origin: Origin::Arguments,
            };
            let parsed = given
                .iter()
                .map(|text| line::parse(text, rules))
                .collect::<Result<Vec<_>, _>>()?;
            let mut requests = Vec::with_capacity(parsed.len());
            for request in parsed {
                requests.push(console::fill_secret(context, request).await?);
            }
            Ok(Source::Given(requests))
        }
    }
}

async fn place(context: &Context, args: &AtArgs, target: Option<&str>) -> Result<Where, Failure> {
    if let Some(device) = &args.serial {
        return Ok(Where::Serial {
            device: device.clone(),
            baud: args.baud,
        });
    }
    let target = resolve::parse(target.unwrap_or_default()).map_err(Failure::usage)?;
    let address = match target.address() {
        Some(address) => address,
        None => console::within(context, resolve::address_of(context, &target)).await?,
    };
    Ok(if args.tcp {
        Where::Tcp(address)
    } else {
        Where::Udp {
            target: address,
            words: args.word.clone(),
        }
    })
}

/// What stands before the cursor: the name that the user gave, or the device.
fn prompt(place: &Where, target: Option<&str>) -> String {
    let name = match (place, target) {
        (_, Some(target)) => target.to_owned(),
        (Where::Serial { device, .. }, None) => device
            .file_name()
            .unwrap_or(device.as_os_str())
            .to_string_lossy()
            .into_owned(),
        (
            Where::Udp {
                target: address, ..
            }
            | Where::Tcp(address),
            None,
        ) => address.to_string(),
    };
    clean(&name).into_owned()
}
