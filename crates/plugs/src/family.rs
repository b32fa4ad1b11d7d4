//! Families of plugs: one file with one [`Family`] each, and one row in [`FAMILIES`].
//!
//! A family says which datagrams make its members answer, how to read that answer, and how to carry out an [`Order`].
//! Discovery, presence and switching know families only through this trait.
//!
//! # How the Orvibo S20 fits
//!
//! One file `orvibo.rs` and one row; nothing else has to change:
//!
//! * `local_port` is 10000, so the network layer opens that port on each interface beside 48899, and hands datagrams
//!   that arrive there to this family alone. `needs_local_port` is false: an S20 answers the source port.
//! * `probes` is one: `68 64 00 06 71 61` to port 10000. That the S20 answers ten times is no matter, because discovery
//!   counts one answer a round.
//! * `parse_presence` reads the 42 bytes: address of the sender, MAC at 7, model at 31, relay at 41.
//! * `exchange` gives an [`Exchange`] over [`Transport::Udp`](crate::exchange::Transport::Udp)
//!   that sends `cl` (subscribe), waits for its answer and 10 ms more, sends `dc`, and is done when `sf` carries the
//!   wanted state; it repeats `dc` up to three times. The MAC, which each of these datagrams needs, is an argument.
//!   For the meter it gives `None`, which becomes "this plug cannot do that".
//! * Confirming is not its business: switching ends with a presence probe for every family.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Instant;

use hiflying::{DiscoveryWord, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::exchange::{Exchange, Order};
use crate::module::Module;
use crate::reco::Reco;
use crate::{FamilyId, Plug};

/// Every family that Mains knows. Where a device answers as more than one, the earlier row wins.
pub static FAMILIES: &[&dyn Family] = &[&Reco, &Module];

/// Returns the family with this id, if it is in the table.
pub fn lookup(id: FamilyId) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.id() == id)
}

/// What sets one family of plugs apart.
pub trait Family: fmt::Debug + Sync {
    /// Returns the family's name.
    fn id(&self) -> FamilyId;

    /// Returns the local UDP port that answers come to, whatever port the probe came from.
    fn local_port(&self) -> u16;

    /// Tells whether members answer to that port only, and so are not heard while another program has it.
    fn needs_local_port(&self) -> bool;

    /// Returns the datagrams that make a member answer; `words` are discovery words that the user gave.
    fn probes(&self, words: &[DiscoveryWord]) -> Vec<Probe>;

    /// Reads a member's answer to a probe, heard from `from` at `seen`.
    ///
    /// `None` for every datagram that is not exactly that, our own probes among them.
    fn parse_presence(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug>;

    /// Begins to carry out `order` on the member with this `mac`; `local` is the local time, which some plugs are told.
    ///
    /// `None` when members of this family cannot do that.
    fn exchange(
        &self,
        mac: Mac,
        order: Order,
        local: DateTime,
        now: Instant,
    ) -> Option<Box<dyn Exchange>>;
}

/// A datagram that makes plugs answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The UDP port that it goes to.
    pub port: u16,
    /// What it says.
    pub bytes: Cow<'static, [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_modules_come_last() {
        let ids: Vec<FamilyId> = FAMILIES.iter().map(|family| family.id()).collect();
        let mut unique = ids.clone();
        unique.dedup();
        assert_eq!(ids, unique);
        assert_eq!(ids.last(), Some(&FamilyId::Module));
    }

    #[test]
    fn an_answer_belongs_to_one_family() {
        let seen = Timestamp::UNIX_EPOCH;
        for (datagram, id) in [
            (
                &b"192.168.1.107,ACCF23123456,900000621,0,1,"[..],
                Some(FamilyId::Reco),
            ),
            (
                b"192.168.1.107,ACCF23123456,040001212,1,0",
                Some(FamilyId::Reco),
            ),
            (
                b"10.10.100.254,ACCF235676D6,HF-LPB100",
                Some(FamilyId::Module),
            ),
            (b"192.168.1.123,ACCF2301ABFF,", Some(FamilyId::Module)),
            (b"YZ-RECOSCAN", None),
            (b"HF-A11ASSISTHREAD", None),
            (b"+ok", None),
        ] {
            let takers: Vec<FamilyId> = FAMILIES
                .iter()
                .filter(|family| {
                    family
                        .parse_presence(Ipv4Addr::LOCALHOST, datagram, seen)
                        .is_some()
                })
                .map(|family| family.id())
                .collect();
            assert_eq!(takers, Vec::from_iter(id), "{}", datagram.escape_ascii());
        }
    }

    #[test]
    fn no_family_answers_to_a_probe_itself() {
        for family in FAMILIES {
            for probe in family.probes(&["own-word".parse().unwrap()]) {
                for other in FAMILIES {
                    let echo = other.parse_presence(
                        Ipv4Addr::LOCALHOST,
                        &probe.bytes,
                        Timestamp::UNIX_EPOCH,
                    );
                    assert_eq!(echo, None);
                }
            }
        }
    }
}
