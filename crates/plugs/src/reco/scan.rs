//! The reply to [`SCAN_WORD`](super::SCAN_WORD).

use std::net::Ipv4Addr;

use hiflying::Mac;

use super::text::{printable, trim};
use crate::RelayState;

/// Maximum length of a scan reply; a real one has about 50 bytes.
const MAX_LENGTH: usize = 512;

/// The identity of a plug and the position of its relay: `<ip>,<mac>,<sn>,<res>,<status>,<field 6>`.
///
/// ```
/// use plugs::{RelayState, reco::ScanReply};
///
/// let reply = ScanReply::parse(b"192.168.1.107,ACCF23123456,900000621,0,1,").ok_or("not a scan reply")?;
/// assert_eq!(reply.serial, "900000621");
/// assert_eq!(reply.status, Some(RelayState::On));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanReply {
    /// The plug's address according to the plug. For traffic, use the sender's address instead.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
    /// The serial number: nine digits, as text because it may start with 0.
    pub serial: String,
    /// One character, probably "connected to the maker's server".
    pub res: String,
    /// The relay's position, if the field begins with one of the two known characters.
    pub status: Option<RelayState>,
    /// Everything after field 5, as received: `None` without a sixth field, empty when the field is.
    pub extra: Option<String>,
}

impl ScanReply {
    /// Parses a datagram; `None` when it is something else, such as our own [`SCAN_WORD`](super::SCAN_WORD).
    ///
    /// Five fields are enough: one client requires exactly six, three others five or more. Padding and line ends are trimmed, and
    /// control characters dropped, because these texts end up on terminals.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() > MAX_LENGTH {
            return None;
        }
        let datagram = datagram.split(|&byte| byte == 0).next()?;
        let mut fields = trim(datagram)
            .splitn(6, |&byte| byte == b',')
            .map(|field| printable(trim(field)));
        Some(Self {
            address: fields.next()?.parse().ok()?,
            mac: fields.next()?.parse().ok()?,
            serial: fields.next()?,
            res: fields.next()?,
            status: status(&fields.next()?),
            extra: fields.next(),
        })
    }
}

/// Parses the status field. The first character decides; other contents of the field are unknown.
fn status(field: &str) -> Option<RelayState> {
    match field.chars().next() {
        Some('1') => Some(RelayState::On),
        Some('0') => Some(RelayState::Off),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(serial: &str, res: &str, status: RelayState, extra: Option<&str>) -> ScanReply {
        ScanReply {
            address: Ipv4Addr::new(192, 168, 1, 107),
            mac: Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56]),
            serial: serial.into(),
            res: res.into(),
            status: Some(status),
            extra: extra.map(Into::into),
        }
    }

    #[test]
    fn r12_six_fields() {
        let datagram = b"192.168.1.107,ACCF23123456,900000621,0,1,";
        let expected = reply("900000621", "0", RelayState::On, Some(""));
        assert_eq!(ScanReply::parse(datagram), Some(expected));
    }

    #[test]
    fn r13_five_fields() {
        let datagram = b"192.168.1.107,ACCF23123456,040001212,1,0";
        let expected = reply("040001212", "1", RelayState::Off, None);
        assert_eq!(ScanReply::parse(datagram), Some(expected));
    }

    #[test]
    fn r14_line_end() {
        let datagram = b"192.168.1.107,ACCF23123456,900000621,0,1,x\r\n";
        let expected = reply("900000621", "0", RelayState::On, Some("x"));
        assert_eq!(ScanReply::parse(datagram), Some(expected));
    }

    #[test]
    fn r15_own_echo() {
        assert_eq!(ScanReply::parse(b"YZ-RECOSCAN"), None);
    }

    #[test]
    fn r17_another_plug() {
        let datagram = b"192.168.29.66,ACCF23484D70,040002298,1,1";
        let parsed = ScanReply::parse(datagram).unwrap();
        assert_eq!(parsed.address, Ipv4Addr::new(192, 168, 29, 66));
        assert_eq!(parsed.mac.compact(), "ACCF23484D70");
        assert_eq!(parsed.status, Some(RelayState::On));
    }

    #[test]
    fn tolerated() {
        for (datagram, expected) in [
            (
                &b"192.168.1.107,ACCF23123456,900000621,0,1,\0\0\0\0\0"[..],
                reply("900000621", "0", RelayState::On, Some("")),
            ),
            (
                b" 192.168.1.107, accf23123456 ,900000621 , 0,1 ,a,b.c,,d\r\n\r\n",
                reply("900000621", "0", RelayState::On, Some("a,b.c,,d")),
            ),
            (
                b"192.168.1.107,ACCF23123456,,,0x\r",
                reply("", "", RelayState::Off, None),
            ),
            (
                b"192.168.1.107,ACCF23123456,9\x1b[2J,0,1,\x07x",
                reply("9[2J", "0", RelayState::On, Some("x")),
            ),
        ] {
            assert_eq!(
                ScanReply::parse(datagram),
                Some(expected),
                "{}",
                datagram.escape_ascii()
            );
        }
    }

    #[test]
    fn unknown_status() {
        for field in ["2", "", "ON"] {
            let datagram = format!("192.168.1.107,ACCF23123456,900000621,0,{field},");
            let parsed = ScanReply::parse(datagram.as_bytes()).unwrap();
            assert_eq!(parsed.status, None, "{field}");
        }
    }

    #[test]
    fn other_datagrams() {
        let long = format!("192.168.1.107,ACCF23123456,9,0,1,{}", "x".repeat(600));
        for datagram in [
            &b""[..],
            b",,,,,",
            b"10.10.100.254,ACCF235676D6,HF-LPB100",
            b"192.168.1.107,ACCF23123456,900000621,0",
            b"192.168.1.307,ACCF23123456,900000621,0,1,",
            b"192.168.1.107,ACCF2312345,900000621,0,1,",
            b"HF-A11ASSISTHREAD",
            long.as_bytes(),
        ] {
            assert_eq!(
                ScanReply::parse(datagram),
                None,
                "{}",
                datagram.escape_ascii()
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = ScanReply::parse(&bytes);
        }

        #[test]
        fn never_panics_on_near_misses(text in "(1.2.3.4|[0-9.]{0,15}),(ACCF23123456|[0-9A-F]{0,13})(,[ -~]{0,9}){0,8}[\r\n\0]{0,4}") {
            let _ = ScanReply::parse(text.as_bytes());
        }
    }
}
