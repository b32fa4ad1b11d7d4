//! Arguments of `mains probe`.

use std::net::Ipv4Addr;

use hiflying::DiscoveryWord;

use crate::resolve;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Checks TCP ports 80 and 8899, sends the known discovery words to UDP port 48899, queries module, firmware and mode in an \
AT session, tries the factory's web login ADMIN/ADMIN, and explains what the results mean for you and what to do. It \
changes nothing: only queries are sent, and the session is closed with AT+Q. What the device does not report is unknown \
(JSON: null).

Examples:
  mains probe 192.168.1.107
  mains probe 10.10.100.254            a plug whose own network this computer has joined
  mains --json probe 192.168.1.107
    {\"address\":\"192.168.1.107\",\"mac\":\"AC:CF:23:12:34:56\",\"family\":\"reco\",
      \"module\":\"HF-LPB100\",...}

Exit codes: 0 the device replied, 4 no reply from this address, 7 port 48899 is taken and no other port replies.")]
pub struct ProbeArgs {
    /// IPv4 address of the device
    #[arg(value_name = "ADDR", value_parser = address)]
    pub address: Ipv4Addr,
    /// Send this discovery word as well (for a module whose word was changed); repeatable
    #[arg(long, value_name = "WORD")]
    pub word: Vec<DiscoveryWord>,
}

fn address(text: &str) -> Result<Ipv4Addr, String> {
    let target = resolve::parse(text)?;
    target.address().ok_or_else(|| {
        "not an IPv4 address; `mains discover` shows the addresses of plugs".to_owned()
    })
}
