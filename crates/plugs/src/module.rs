//! Plain Hi-Flying modules of unknown purpose: they reply to a discovery word, and nothing else is known of them.
//!
//! Every Reco plug carries such a module, and so replies here too; its own family then takes precedence.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::time::Instant;

use hiflying::{DiscoveryWord, Mac, ModuleIdentity, PORT};
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::command::{Capability, PlugCommand};
use crate::exchange::{Exchange, PlugTransport};
use crate::family::{Family, Probe};
use crate::{FamilyId, Plug};

/// Maximum length of an identity; a real one has about 40 bytes, the longest known about 80.
const MAX_LENGTH: usize = 256;

/// The family of modules that reply to `HF-A11ASSISTHREAD`, `WIFIKIT-214028-READ` or a word given by the user.
#[derive(Debug, Clone, Copy)]
pub struct ModuleFamily;

impl Family for ModuleFamily {
    fn id(&self) -> FamilyId {
        FamilyId::MODULE
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }

    fn local_port(&self) -> u16 {
        PORT
    }

    /// Returns `false`: most modules reply to the source port.
    fn needs_local_port(&self) -> bool {
        false
    }

    fn probes(&self, words: &[DiscoveryWord]) -> Vec<Probe> {
        let mut all = vec![DiscoveryWord::HF_A11, DiscoveryWord::WIFIKIT];
        for word in words {
            if !all.contains(word) {
                all.push(word.clone());
            }
        }
        all.iter()
            .map(|word| Probe {
                port: PORT,
                bytes: Cow::Owned(word.as_bytes().to_vec()),
            })
            .collect()
    }

    fn parse_report(&self, from: Ipv4Addr, datagram: &[u8], seen: Timestamp) -> Option<Plug> {
        if datagram.len() > MAX_LENGTH {
            return None;
        }
        let identity = ModuleIdentity::parse(datagram)?;
        Some(Plug {
            model: identity.module,
            extra: identity.extra,
            ..Plug::new(identity.mac, FamilyId::MODULE, from, seen)
        })
    }

    fn transport(&self) -> Option<PlugTransport> {
        None
    }

    fn exchange(
        &self,
        _mac: Mac,
        _command: PlugCommand,
        _local: DateTime,
        _now: Instant,
    ) -> Option<Box<dyn Exchange>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_user_come_after_the_known_ones() {
        let words = ["www.usr.cn", "HF-A11ASSISTHREAD"].map(|word| word.parse().unwrap());
        let probes: Vec<_> = ModuleFamily
            .probes(&words)
            .into_iter()
            .map(|probe| probe.bytes)
            .collect();
        assert_eq!(
            probes,
            [
                &b"HF-A11ASSISTHREAD"[..],
                b"WIFIKIT-214028-READ",
                b"www.usr.cn"
            ]
        );
    }

    #[test]
    fn the_sender_is_trusted_for_the_address() {
        let from = Ipv4Addr::new(192, 168, 9, 14);
        let plug = ModuleFamily
            .parse_report(
                from,
                b"192.168.9.13,ACCF23360902,HF-LPB100",
                Timestamp::UNIX_EPOCH,
            )
            .unwrap();
        assert_eq!(plug.address, from);
        assert_eq!(plug.family, FamilyId::MODULE);
        assert_eq!(plug.model.as_deref(), Some("HF-LPB100"));
        assert_eq!(plug.relay, None);
    }
}
