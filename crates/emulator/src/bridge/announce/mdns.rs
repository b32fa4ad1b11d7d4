//! `_hue._tcp.local.` (RFC 6762, RFC 6763).

use std::net::Ipv4Addr;

use simple_dns::rdata::{A, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, ResourceRecord, TYPE};

use super::super::config::BridgeConfig;

/// The group and the port of mDNS.
pub(in super::super) const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(in super::super) const PORT: u16 = 5353;

const SERVICE: &str = "_hue._tcp.local";
/// Asks which services there are.
const SERVICES: &str = "_services._dns-sd._udp.local";
/// Records about a host last for two minutes, others for 75.
const HOST_TTL: u32 = 120;
const SERVICE_TTL: u32 = 75 * 60;
/// A resolver that does not listen to the group must not keep an answer.
const LEGACY_TTL: u32 = 10;
/// Since this version a bridge calls itself otherwise.
const NEW_NAME_SINCE: u32 = 40;

/// An answer, and whether it is for the asker alone.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct MdnsReply {
    pub(in super::super) bytes: Vec<u8>,
    pub(in super::super) is_unicast: bool,
}

/// Returns the datagram that a bridge sends when it starts.
pub(in super::super) fn announcement(config: &BridgeConfig) -> Option<Vec<u8>> {
    let records = MdnsRecords::of(config)?;
    let mut packet = Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    packet.answers = records.all().to_vec();
    packet.build_bytes_vec_compressed().ok()
}

/// Answers a datagram that came from a port; `None` when it does not ask for the bridge.
pub(in super::super) fn answer(
    config: &BridgeConfig,
    datagram: &[u8],
    from_port: u16,
) -> Option<MdnsReply> {
    let query = Packet::parse(datagram).ok()?;
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let records = MdnsRecords::of(config)?;
    let asked: Vec<&Question<'_>> = query
        .questions
        .iter()
        .filter(|question| records.are_meant(question))
        .collect();
    if asked.is_empty() {
        return None;
    }
    let is_legacy = from_port != PORT;
    let mut packet = Packet::new_reply(if is_legacy { query.id() } else { 0 });
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    if is_legacy {
        packet.questions = asked.iter().map(|question| (*question).clone()).collect();
    }
    let is_about_all = asked
        .iter()
        .any(|question| folded(&question.qname) == SERVICES);
    let [pointer, rest @ ..] = records.all();
    if is_about_all {
        packet.answers.push(records.service_pointer()?);
    }
    packet.answers.push(pointer);
    packet.additional_records = rest.to_vec();
    if is_legacy {
        for record in packet
            .answers
            .iter_mut()
            .chain(&mut packet.additional_records)
        {
            record.ttl = record.ttl.min(LEGACY_TTL);
        }
    }
    let is_unicast = is_legacy || asked.iter().all(|question| question.unicast_response);
    let bytes = packet.build_bytes_vec_compressed().ok()?;
    Some(MdnsReply { bytes, is_unicast })
}

/// The names and values of one bridge's records.
struct MdnsRecords {
    instance: Name<'static>,
    host: Name<'static>,
    text: TXT<'static>,
    port: u16,
    address: Ipv4Addr,
}

impl MdnsRecords {
    fn of(config: &BridgeConfig) -> Option<Self> {
        let id = config.bridge_id();
        let last = id.get(10..)?.to_ascii_uppercase();
        let maker = if config.api.has(NEW_NAME_SINCE) {
            "Hue Bridge"
        } else {
            "Philips Hue"
        };
        let text = TXT::new()
            .with_string(&format!("bridgeid={id}"))
            .ok()?
            .with_string(&format!("modelid={}", config.model.id()))
            .ok()?
            .into_owned();
        Some(Self {
            instance: Name::new(&format!("{maker} - {last}.{SERVICE}"))
                .ok()?
                .into_owned(),
            host: Name::new(&format!("{}.local", config.compact_mac()))
                .ok()?
                .into_owned(),
            text,
            port: config.https_port,
            address: config.listen,
        })
    }

    fn are_meant(&self, question: &Question<'_>) -> bool {
        let name = folded(&question.qname);
        let is = |kind: TYPE| question.qtype == QTYPE::TYPE(kind) || question.qtype == QTYPE::ANY;
        if name == SERVICE || name == SERVICES {
            return is(TYPE::PTR);
        }
        let about_instance = name == folded(&self.instance) && (is(TYPE::SRV) || is(TYPE::TXT));
        about_instance || name == folded(&self.host) && is(TYPE::A)
    }

    /// The pointer to the instance, and what is known of that.
    fn all(&self) -> [ResourceRecord<'static>; 4] {
        let service = SRV {
            priority: 0,
            weight: 0,
            port: self.port,
            target: self.host.clone(),
        };
        let address = A {
            address: self.address.to_bits(),
        };
        let pointer = PTR(self.instance.clone());
        let record = |name: &Name<'static>, ttl, data| {
            ResourceRecord::new(name.clone(), CLASS::IN, ttl, data)
        };
        let own = |name: &Name<'static>, ttl, data| record(name, ttl, data).with_cache_flush(true);
        [
            record(
                &Name::new_unchecked(SERVICE),
                SERVICE_TTL,
                RData::PTR(pointer),
            ),
            own(&self.instance, HOST_TTL, RData::SRV(service)),
            own(&self.instance, SERVICE_TTL, RData::TXT(self.text.clone())),
            own(&self.host, HOST_TTL, RData::A(address)),
        ]
    }

    fn service_pointer(&self) -> Option<ResourceRecord<'static>> {
        let (about, service) = (Name::new(SERVICES).ok()?, Name::new(SERVICE).ok()?);
        Some(ResourceRecord::new(
            about,
            CLASS::IN,
            SERVICE_TTL,
            RData::PTR(PTR(service)),
        ))
    }
}

fn folded(name: &Name<'_>) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::super::config::TwinModel;
    use super::*;

    /// The question for bridges, as the standard writes it.
    const QUERY: &[u8] = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x04_Hue\x04_tcp\x05local\0\0\x0c\0\x01";

    fn config() -> BridgeConfig {
        BridgeConfig::new(TwinModel::Square, Ipv4Addr::new(192, 0, 2, 10))
    }

    #[test]
    fn the_service_is_answered_with_all_that_is_needed() {
        let reply = answer(&config(), QUERY, PORT).unwrap();
        assert!(!reply.is_unicast);
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!(packet.id(), 0);
        assert!(packet.questions.is_empty());
        let RData::PTR(PTR(instance)) = &packet.answers[0].rdata else {
            panic!("{packet:?}")
        };
        assert_eq!(instance.to_string(), "Hue Bridge - 00020A._hue._tcp.local");
        let mut kinds = packet.additional_records.iter().map(|record| &record.rdata);
        assert!(
            matches!(kinds.next(), Some(RData::SRV(service)) if service.port == 443
            && service.target.to_string() == "00178800020a.local")
        );
        let Some(RData::TXT(text)) = kinds.next() else {
            panic!("{packet:?}")
        };
        let text = text.attributes();
        assert_eq!(text["bridgeid"].as_deref(), Some("001788fffe00020a"));
        assert_eq!(text["modelid"].as_deref(), Some("BSB002"));
        assert!(matches!(kinds.next(), Some(RData::A(A { address })) if *address == 0xc000_020a));
    }

    #[test]
    fn a_resolver_outside_the_group_gets_an_answer_of_its_own() {
        let reply = answer(&config(), QUERY, 40_000).unwrap();
        assert!(reply.is_unicast);
        let packet = Packet::parse(&reply.bytes).unwrap();
        assert_eq!((packet.id(), packet.questions.len()), (0x1234, 1));
        assert!(packet.answers.iter().all(|record| record.ttl <= LEGACY_TTL));
    }

    #[test]
    fn an_older_one_has_the_older_name() {
        let mut config = config();
        config.api = "1.29.0".parse().unwrap();
        let bytes = announcement(&config).unwrap();
        assert!(
            bytes
                .windows(20)
                .any(|window| window == b"Philips Hue - 00020A")
        );
    }

    #[test]
    fn other_questions_and_answers_are_not_for_it() {
        let other = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x05_http\x04_tcp\x05local\0\0\x0c\0\x01";
        assert_eq!(answer(&config(), other, PORT), None);
        assert_eq!(
            answer(&config(), &announcement(&config()).unwrap(), PORT),
            None
        );
        assert_eq!(answer(&config(), b"", PORT), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = answer(&config(), &bytes, PORT);
        }
    }
}
