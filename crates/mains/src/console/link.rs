//! The three links to a device that understands AT lines, behind one interface.

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

/// Address of a device.
#[derive(Debug, Clone)]
pub enum ConsoleTarget {
    /// The module's AT session on UDP port 48899.
    Udp {
        /// Address of the module.
        target: Ipv4Addr,
        /// Discovery words to try before the known ones.
        words: Vec<DiscoveryWord>,
    },
    /// The plug's own parser on TCP port 8899.
    Tcp(Ipv4Addr),
    /// A serial port.
    Serial {
        /// Device file.
        device: PathBuf,
        /// Speed in baud.
        baud: u32,
    },
}

/// An open link to a device.
#[derive(Debug)]
pub enum ConsoleLink {
    /// The AT session on UDP.
    Udp(Box<UdpLink>),
    /// The plug's own parser on TCP.
    Tcp(TcpLink),
    /// A serial port.
    Serial(Box<SerialLink>),
}

impl ConsoleLink {
    /// Opens the link and waits until the device replies.
    pub async fn open(context: &Context, target: &ConsoleTarget) -> Result<Self, Failure> {
        Ok(match target {
            ConsoleTarget::Udp { target, words } => {
                Self::Udp(Box::new(UdpLink::open(context, *target, words).await?))
            }
            ConsoleTarget::Tcp(target) => Self::Tcp(TcpLink::open(context, *target).await?),
            ConsoleTarget::Serial { device, baud } => {
                Self::Serial(Box::new(SerialLink::open(context, device, *baud).await?))
            }
        })
    }

    /// Returns the verbs that the device understands.
    pub fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Udp(_) => Vocabulary::Module,
            Self::Tcp(_) => Vocabulary::Plug,
            Self::Serial(link) => link.vocabulary(),
        }
    }

    /// Describes the device.
    pub fn description(&self) -> String {
        match self {
            Self::Udp(link) => link.description(),
            Self::Tcp(link) => link.description(),
            Self::Serial(link) => link.description(),
        }
    }

    /// Sends a command and returns the raw reply; `None` for a command that has no reply.
    pub async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let outcome = match self {
            Self::Udp(link) => link.send(request).await,
            Self::Tcp(link) => link.send(request).await,
            Self::Serial(link) => link.send(request).await,
        };
        let may_be_silent =
            verb::lookup(request.verb()).is_some_and(|info| info.reply == ExpectedReply::Optional);
        match outcome {
            Err(failure) if failure.kind() == Kind::NoAnswer && may_be_silent => Ok(None),
            Ok(reply) if reply.is_empty() && may_be_silent => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Keeps an idle session open; never ends, and is safe to cancel.
    pub async fn keep_alive(&mut self) {
        match self {
            Self::Udp(link) => link.keep_alive().await,
            // These have no idle timeout, or are opened again when needed.
            Self::Tcp(_) | Self::Serial(_) => std::future::pending().await,
        }
    }

    /// Leaves command mode: `AT+Q` on UDP, `AT+ENTM` on a serial port.
    pub async fn close(self) {
        match self {
            Self::Udp(link) => link.close().await,
            Self::Tcp(link) => link.close().await,
            Self::Serial(link) => link.close().await,
        }
    }
}
