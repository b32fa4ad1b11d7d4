//! The three ways to a device that understands AT lines, behind one interface.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use hiflying::verb::{self, ExpectedReply};
use hiflying::{AtRequest, DiscoveryWord};
use zeroize::Zeroizing;

use super::assist::Vocabulary;
use super::serial::SerialLink;
use super::tcp::TcpLink;
use super::udp::UdpLink;
use crate::context::Context;
use crate::error::{Failure, Kind};

/// Where the device is.
#[derive(Debug, Clone)]
pub enum Where {
    /// The module's AT session on UDP 48899.
    Udp {
        /// The module.
        target: Ipv4Addr,
        /// Discovery words to try before the known ones.
        words: Vec<DiscoveryWord>,
    },
    /// The plug's own parser on TCP 8899.
    Tcp(Ipv4Addr),
    /// A serial port.
    Serial {
        /// Its device file.
        device: PathBuf,
        /// Its speed.
        baud: u32,
    },
}

/// An open way to a device.
#[derive(Debug)]
pub struct Link(Way);

#[derive(Debug)]
enum Way {
    Udp(Box<UdpLink>),
    Tcp(TcpLink),
    Serial(Box<SerialLink>),
}

impl Link {
    /// Opens the way and waits until the device answers.
    pub async fn open(context: &Context, place: &Where) -> Result<Self, Failure> {
        let way = match place {
            Where::Udp { target, words } => {
                Way::Udp(Box::new(UdpLink::open(context, *target, words).await?))
            }
            Where::Tcp(target) => Way::Tcp(TcpLink::open(*target).await?),
            Where::Serial { device, baud } => {
                Way::Serial(Box::new(SerialLink::open(context, device, *baud).await?))
            }
        };
        Ok(Self(way))
    }

    /// What the far end understands.
    pub fn vocabulary(&self) -> Vocabulary {
        match &self.0 {
            Way::Udp(_) => Vocabulary::Module,
            Way::Tcp(_) => Vocabulary::Plug,
            Way::Serial(link) => link.vocabulary(),
        }
    }

    /// Who is at the other end.
    pub fn description(&self) -> String {
        match &self.0 {
            Way::Udp(link) => link.description(),
            Way::Tcp(link) => link.description(),
            Way::Serial(link) => link.description(),
        }
    }

    /// Sends a command; returns the raw reply, or nothing where silence is what the command promises.
    pub async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let outcome = match &mut self.0 {
            Way::Udp(link) => link.send(request).await,
            Way::Tcp(link) => link.send(request).await,
            Way::Serial(link) => link.send(request).await,
        };
        let may_be_silent =
            verb::lookup(request.verb()).is_some_and(|info| info.reply == ExpectedReply::Optional);
        match outcome {
            Err(failure) if failure.kind() == Kind::NoAnswer && may_be_silent => Ok(None),
            Ok(reply) if reply.is_empty() && may_be_silent => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Keeps a session from idling out while there is nothing to send; never ends, and can be given up at any time.
    pub async fn keep_alive(&mut self) {
        match &mut self.0 {
            Way::Udp(link) => link.keep_alive().await,
            // These know no idling out, or are opened again when needed.
            Way::Tcp(_) | Way::Serial(_) => std::future::pending().await,
        }
    }

    /// Leaves: `AT+Q` on UDP, `AT+ENTM` on a serial line.
    pub async fn close(self) {
        match self.0 {
            Way::Udp(link) => link.close().await,
            Way::Tcp(link) => link.close().await,
            Way::Serial(link) => link.close().await,
        }
    }
}
