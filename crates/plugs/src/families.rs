//! The table of the families that Mains knows.

use crate::family::{Families, Family};
use crate::module::ModuleFamily;
use crate::orvibo::Orvibo;
use crate::reco::Reco;

/// One row for each family. Where a device replies as more than one, the earlier row wins.
const TABLE: &[&dyn Family] = &[&Reco, &Orvibo, &ModuleFamily];

/// Returns all families.
pub fn all() -> Families {
    Families::new(TABLE.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use hiflying::Mac;
    use jiff::Timestamp;
    use jiff::civil::date;

    use super::*;
    use crate::command::{Minutes, PlugCommand};
    use crate::{FamilyId, RelayState};

    #[test]
    fn ids_are_unique_and_modules_come_last() {
        let ids: Vec<FamilyId> = all().iter().map(Family::id).collect();
        let mut unique = ids.clone();
        unique.dedup();
        assert_eq!(ids, unique);
        assert_eq!(ids.last(), Some(&FamilyId::MODULE));
    }

    #[test]
    fn a_family_carries_out_the_commands_that_its_capabilities_promise() {
        let commands = [
            PlugCommand::Switch(RelayState::On),
            PlugCommand::Delay(RelayState::Off, Minutes::MIN),
            PlugCommand::Meter,
            PlugCommand::Version,
            PlugCommand::Label,
        ];
        for family in all().iter() {
            for command in commands {
                let local = date(2026, 11, 22).at(12, 0, 0, 0);
                let exchange = family.exchange(Mac::new([1; 6]), command, local, Instant::now());
                let is_promised = family.capabilities().contains(&command.capability());
                assert_eq!(exchange.is_some(), is_promised, "{family:?} {command}");
                assert!(family.transport().is_some() || !is_promised, "{family:?}");
            }
        }
    }

    #[test]
    fn a_report_belongs_to_one_family() {
        let seen = Timestamp::UNIX_EPOCH;
        for (datagram, id) in [
            (
                &b"192.168.1.107,ACCF23123456,900000621,0,1,"[..],
                Some(FamilyId::RECO),
            ),
            (
                b"192.168.1.107,ACCF23123456,040001212,1,0",
                Some(FamilyId::RECO),
            ),
            (
                b"hd\x00\x17sf\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\x01",
                Some(FamilyId::ORVIBO),
            ),
            (b"hd\x00\x06qa", None),
            (
                b"10.10.100.254,ACCF235676D6,HF-LPB100",
                Some(FamilyId::MODULE),
            ),
            (b"192.168.1.123,ACCF2301ABFF,", Some(FamilyId::MODULE)),
            (b"YZ-RECOSCAN", None),
            (b"HF-A11ASSISTHREAD", None),
            (b"+ok", None),
        ] {
            let takers: Vec<FamilyId> = all()
                .iter()
                .filter(|family| {
                    family
                        .parse_report(Ipv4Addr::LOCALHOST, datagram, seen)
                        .is_some()
                })
                .map(Family::id)
                .collect();
            assert_eq!(takers, Vec::from_iter(id), "{}", datagram.escape_ascii());
        }
    }

    #[test]
    fn no_family_takes_a_probe_for_a_report() {
        for family in all().iter() {
            for probe in family.probes(&["own-word".parse().unwrap()]) {
                for other in all().iter() {
                    let echo = other.parse_report(
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
