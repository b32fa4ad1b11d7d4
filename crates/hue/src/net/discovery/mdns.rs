//! The mDNS query for `_hue._tcp.local.` and its replies (RFC 6762, RFC 6763).

use std::net::Ipv4Addr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE};

use super::candidate::candidate;
use crate::address::{Address, Scheme};

/// The multicast group.
pub(super) const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(super) const PORT: u16 = 5353;
/// The TTL that the standard requires; routers do not forward this group anyway.
pub(super) const HOPS: u32 = 255;

/// The service that bridges announce, in lower case.
const SERVICE: &str = "_hue._tcp.local";

/// Returns the query.
pub(super) fn query() -> Vec<u8> {
    let mut packet = Packet::new_query(0);
    let (kind, class) = (QTYPE::TYPE(TYPE::PTR), QCLASS::CLASS(CLASS::IN));
    packet.questions.push(Question::new(
        Name::new_unchecked(SERVICE),
        kind,
        class,
        false,
    ));
    let bytes = packet.build_bytes_vec();
    bytes.expect("a query for one short name fits a datagram")
}

/// Returns the addresses of the bridges in a reply.
pub(super) fn parse(datagram: &[u8], from: Ipv4Addr) -> Vec<Address> {
    let Ok(packet) = Packet::parse(datagram) else {
        return Vec::new();
    };
    let records = || packet.answers.iter().chain(&packet.additional_records);
    let services: Vec<(u16, String)> = records()
        .filter_map(|record| match &record.rdata {
            RData::SRV(service) if is_instance(&record.name.to_string()) => {
                Some((service.port, folded(&service.target)))
            }
            _ => None,
        })
        .collect();
    if services.is_empty() {
        // Some replies have the name alone; then the sender is the bridge.
        let is_named = records().any(|record| {
            let is_service = folded(&record.name) == SERVICE;
            is_service && matches!(&record.rdata, RData::PTR(_))
        });
        return is_named
            .then(|| candidate(from, Scheme::Https, 443))
            .flatten()
            .into_iter()
            .collect();
    }
    let addresses_of = |target: &str| -> Vec<Ipv4Addr> {
        let addresses = records().filter(|record| folded(&record.name) == target);
        let addresses = addresses.filter_map(|record| match &record.rdata {
            RData::A(address) => Some(Ipv4Addr::from_bits(address.address)),
            _ => None,
        });
        addresses.collect()
    };
    let candidates = services.into_iter().flat_map(|(port, target)| {
        let mut hosts = addresses_of(&target);
        if hosts.is_empty() {
            hosts.push(from);
        }
        hosts
            .into_iter()
            .filter_map(move |host| candidate(host, Scheme::Https, port))
    });
    candidates.collect()
}

fn is_instance(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    name.strip_suffix(SERVICE)
        .is_some_and(|instance| instance.ends_with('.'))
}

fn folded(name: &Name<'_>) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, PTR, SRV, TXT};

    use super::*;

    const FROM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);
    const INSTANCE: &str = "Philips Hue - 010203._HUE._tcp.local";
    const HOST: &str = "001788010203.local";

    fn record(name: &'static str, rdata: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 120, rdata)
    }

    fn service(port: u16) -> ResourceRecord<'static> {
        let target = Name::new_unchecked("001788010203.Local");
        record(
            INSTANCE,
            RData::SRV(SRV {
                priority: 0,
                weight: 0,
                port,
                target,
            }),
        )
    }

    fn address(last: u8) -> ResourceRecord<'static> {
        let address = Ipv4Addr::new(192, 0, 2, last).to_bits();
        record(HOST, RData::A(A { address }))
    }

    fn pointer() -> ResourceRecord<'static> {
        record(
            "_hue._tcp.local",
            RData::PTR(PTR(Name::new_unchecked(INSTANCE))),
        )
    }

    fn read(answers: Vec<ResourceRecord<'static>>) -> Vec<String> {
        let mut packet = Packet::new_reply(0);
        packet.answers = answers;
        let bytes = packet.build_bytes_vec_compressed().unwrap();
        parse(&bytes, FROM)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_question_is_the_bytes_of_the_standard() {
        let expected = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_hue\x04_tcp\x05local\0\0\x0c\0\x01";
        assert_eq!(query(), expected);
    }

    #[test]
    fn a_bridge_that_says_all() {
        let text = TXT::new().with_string("bridgeid=001788fffe010203").unwrap();
        let text = record(INSTANCE, RData::TXT(text));
        assert_eq!(
            read(vec![pointer(), text, service(443), address(10)]),
            ["192.0.2.10"]
        );
        assert_eq!(
            read(vec![service(8443), address(10)]),
            ["https://192.0.2.10:8443"]
        );
        assert_eq!(
            read(vec![service(443), address(10), address(11)]),
            ["192.0.2.10", "192.0.2.11"]
        );
    }

    #[test]
    fn a_bridge_that_says_little() {
        assert_eq!(read(vec![pointer()]), ["192.0.2.99"]);
        assert_eq!(read(vec![service(443)]), ["192.0.2.99"]);
    }

    #[test]
    fn what_is_no_bridge() {
        assert!(read(Vec::new()).is_empty());
        assert!(read(vec![address(10)]).is_empty());
        assert!(read(vec![service(0), address(10)]).is_empty());
        let nowhere = record(HOST, RData::A(A { address: 0 }));
        assert!(read(vec![service(443), nowhere]).is_empty());
        // Our own question, which comes back on a shared port.
        assert!(parse(&query(), FROM).is_empty());
        let printer = Name::new_unchecked("Printer._ipp._tcp.local");
        let printer = record("_ipp._tcp.local", RData::PTR(PTR(printer)));
        assert!(read(vec![printer, address(10)]).is_empty());
        assert!(!is_instance("x_hue._tcp.local") && !is_instance(SERVICE));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes, FROM);
        }
    }
}
