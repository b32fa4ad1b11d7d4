//! The Orvibo S20 (also sold as Arlec PC180, Bauhn W2, Bayit BH1810): a relay and a button, without a meter.
//!
//! Everything is one datagram of UDP port 10000 ([`message`]). A plug carries out commands only of those that have subscribed, and
//! reports every move of its relay to them. Layouts and rules come from `docs/protocol/reco.md` section 8, whose test vectors O1 to
//! O19 are the tests here. The emulator has a codec of its own, so that an error here is not mirrored there.

mod exchange;
pub mod message;

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hiflying::{DiscoveryWord, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;

pub use exchange::OrviboExchange;
use message::{OrviboContent, OrviboReply};

use crate::command::{Capability, Minutes, PlugCommand};
use crate::exchange::{Exchange, PlugTransport};
use crate::family::{Family, Probe, Subscription};
use crate::{FamilyId, Plug};

/// UDP port of the plugs, and the one that most clients send from.
pub const PORT: u16 = 10_000;
/// Interval of subscriptions. Sources state a life of one to five minutes; two renewals in a row may get lost.
const SUBSCRIPTION_INTERVAL: Duration = Duration::from_secs(20);
/// The longest countdown: the plug counts seconds in 16 bits.
const MAX_DELAY: Minutes = match Minutes::new(u16::MAX / 60) {
    Ok(minutes) => minutes,
    Err(_) => Minutes::MIN,
};

/// The family of the S20.
#[derive(Debug, Clone, Copy)]
pub struct Orvibo;

impl Family for Orvibo {
    fn id(&self) -> FamilyId {
        FamilyId::ORVIBO
    }

    fn capabilities(&self) -> &'static [Capability] {
        use Capability::{Label, Push, Switch, Timer, Version};
        &[Switch, Timer, Version, Label, Push]
    }

    fn local_port(&self) -> u16 {
        PORT
    }

    /// Returns `false`: an S20 replies to the source port.
    fn needs_local_port(&self) -> bool {
        false
    }

    fn probes(&self, _words: &[DiscoveryWord]) -> Vec<Probe> {
        vec![Probe {
            port: PORT,
            bytes: Cow::Borrowed(message::DISCOVER),
        }]
    }

    fn parse_report(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug> {
        let reply = OrviboReply::parse(datagram).ok()?;
        let (model, relay) = match reply.content {
            OrviboContent::Discovered { model, relay } => (Some(model), relay),
            OrviboContent::State(relay) | OrviboContent::Subscribed(relay) => (None, Some(relay)),
            OrviboContent::Acknowledged
            | OrviboContent::CountingDown(..)
            | OrviboContent::Settings(_) => return None,
        };
        Some(Plug {
            model,
            relay,
            ..Plug::new(reply.mac, FamilyId::ORVIBO, from, seen)
        })
    }

    fn transport(&self) -> Option<PlugTransport> {
        Some(PlugTransport::Udp {
            local_port: PORT,
            port: PORT,
        })
    }

    fn exchange(
        &self,
        mac: Mac,
        command: PlugCommand,
        _local: DateTime,
        _now: Instant,
    ) -> Option<Box<dyn Exchange>> {
        Some(Box::new(OrviboExchange::new(mac, command)?))
    }

    fn subscription(&self, mac: Mac) -> Option<Subscription> {
        Some(Subscription {
            probe: Probe {
                port: PORT,
                bytes: Cow::Owned(message::subscribe(mac)),
            },
            interval: SUBSCRIPTION_INTERVAL,
        })
    }

    fn max_delay(&self) -> Minutes {
        MAX_DELAY
    }
}
