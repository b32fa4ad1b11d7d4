//! `mains probe`: what a device is, and what stands open on it.

use std::net::Ipv4Addr;

use hiflying::DiscoveryWord;

use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::{probe, resolve};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Looks at TCP ports 80 and 8899, asks the known discovery words on UDP port 48899, opens an AT session and asks for \
module, firmware and mode, tries the factory's web login ADMIN/ADMIN, and says what that means for you and what to do \
about it. Nothing is changed: only questions are sent, and the session is left with AT+Q. What does not answer is \
unknown (JSON: null).

Examples:
  mains probe 192.168.1.107
  mains probe 10.10.100.254            a plug whose own network this computer has joined
  mains --json probe 192.168.1.107
    {\"address\":\"192.168.1.107\",\"mac\":\"AC:CF:23:12:34:56\",\"family\":\"reco\",\"module\":\"HF-LPB100\",...}

Exit codes: 0 something answered, 4 nothing answers there, 7 port 48899 is taken and nothing else answers.")]
pub struct ProbeArgs {
    /// IPv4 address of the device
    #[arg(value_name = "ADDR", value_parser = address)]
    pub address: Ipv4Addr,
    /// Ask this discovery word as well (a module whose word was changed); repeatable
    #[arg(long, value_name = "WORD")]
    pub word: Vec<DiscoveryWord>,
}

fn address(text: &str) -> Result<Ipv4Addr, String> {
    let target = resolve::parse(text)?;
    target.address().ok_or_else(|| {
        "not an IPv4 address; `mains discover` shows the addresses of plugs".to_owned()
    })
}

/// Runs the verb.
pub async fn run(context: &Context, args: ProbeArgs) -> Outcome {
    let report = until_signal(probe::run(context, args.address, &args.word)).await?;
    if context.ui.is_json() {
        context.ui.document(&report)?;
    } else {
        context.ui.data(report.sheet())?;
    }
    Ok(Exit::DONE)
}
