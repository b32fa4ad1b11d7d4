//! Discovery words and the identity with which a module replies to them.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::Mac;

/// Maximum length of a discovery word that `AT+ASWD` can set.
pub const MAX_WORD: usize = 20;

/// Datagram with which the client opens the AT session after the identity; there is no reply.
pub const CONFIRM: &[u8] = b"+ok";

/// A discovery word: the "password", a public constant, to which a module replies with its identity.
///
/// ```
/// use hiflying::DiscoveryWord;
///
/// let own: DiscoveryWord = "my-own-word".parse()?;
/// assert_eq!(own.as_bytes(), b"my-own-word");
/// assert!(DiscoveryWord::HF_A11.matches(b"hf-a11assisthread\r\n"));
/// # Ok::<(), hiflying::discovery::DiscoveryWordError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DiscoveryWord(Cow<'static, [u8]>);

impl DiscoveryWord {
    /// Factory default.
    pub const HF_A11: Self = Self(Cow::Borrowed(b"HF-A11ASSISTHREAD"));

    /// Word of solar loggers; the Maginon app has it as well.
    pub const WIFIKIT: Self = Self(Cow::Borrowed(b"WIFIKIT-214028-READ"));

    /// The words with which modules leave the factory: Hi-Flying's own, that of solar loggers, and those of two other brands.
    pub const FACTORY: [Self; 4] = [
        Self::HF_A11,
        Self::WIFIKIT,
        Self(Cow::Borrowed(b"www.usr.cn")),
        Self(Cow::Borrowed(b"Link_Wi-Fi")),
    ];

    /// Makes a word from bytes, 1 to 20 of them, none of which could end a line.
    ///
    /// # Errors
    ///
    /// [`DiscoveryWordError`] if no module could have it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, DiscoveryWordError> {
        let bytes = bytes.into();
        if bytes.is_empty()
            || bytes.len() > MAX_WORD
            || bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        {
            return Err(DiscoveryWordError);
        }
        Ok(Self(Cow::Owned(bytes)))
    }

    /// Returns the datagram.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Tells whether a datagram is this word: any case, as the vendor's example compares, with or
    /// without line end.
    pub fn matches(&self, datagram: &[u8]) -> bool {
        trim_end(datagram).eq_ignore_ascii_case(&self.0)
    }
}

impl fmt::Display for DiscoveryWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for DiscoveryWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DiscoveryWord({self})")
    }
}

impl FromStr for DiscoveryWord {
    type Err = DiscoveryWordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// The text cannot be a discovery word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a discovery word has 1 to {MAX_WORD} bytes and no line end")]
pub struct DiscoveryWordError;

/// The reply to a discovery word: `ip,mac,name`, without a line end.
///
/// ```
/// use hiflying::ModuleIdentity;
///
/// let identity = ModuleIdentity::parse(b"10.10.100.254,ACCF235676D6,HF-LPB100").ok_or("not an identity")?;
/// assert_eq!(identity.mac.to_string(), "AC:CF:23:56:76:D6");
/// assert_eq!(identity.module.as_deref(), Some("HF-LPB100"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleIdentity {
    /// Address that the module reports. For traffic, trust the sender's address instead.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
    /// The module id (`AT+MID`), also its DHCP host name; a serial number on solar loggers.
    pub module: Option<String>,
    /// A fourth field, a token on newer lamp clones.
    pub extra: Option<String>,
}

impl ModuleIdentity {
    /// Parses a reply of two to four fields, with or without NUL padding and a line end.
    ///
    /// More fields make a plug's scan reply instead. Control characters are dropped, because these texts
    /// end up on terminals.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let end = datagram.iter().position(|&byte| byte == 0);
        let text = String::from_utf8_lossy(datagram.split_at(end.unwrap_or(datagram.len())).0);
        let mut fields = text.split(',').map(str::trim);
        let address = fields.next()?.parse().ok()?;
        let mac = fields.next()?.parse().ok()?;
        let module = fields.next().and_then(printable);
        let extra = fields.next().and_then(printable);
        fields.next().is_none().then_some(Self {
            address,
            mac,
            module,
            extra,
        })
    }

    /// Writes the reply byte for byte as a module does.
    pub fn emit(&self) -> Vec<u8> {
        let module = self.module.as_deref().unwrap_or("");
        let mut text = format!("{},{},{module}", self.address, self.mac.compact());
        if let Some(extra) = &self.extra {
            text.push(',');
            text.push_str(extra);
        }
        text.into_bytes()
    }
}

fn printable(field: &str) -> Option<String> {
    let text: String = field.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Drops line ends, NUL padding and blanks from the end of a datagram.
fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n' | 0 | b' '))
        .map_or(0, |at| at + 1);
    bytes.split_at(end).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(
        address: &str,
        mac: &str,
        module: Option<&str>,
        extra: Option<&str>,
    ) -> ModuleIdentity {
        ModuleIdentity {
            address: address.parse().unwrap(),
            mac: mac.parse().unwrap(),
            module: module.map(str::to_owned),
            extra: extra.map(str::to_owned),
        }
    }

    #[test]
    fn published_identities() {
        for (datagram, expected) in [
            (
                "10.10.100.254,ACCF235676D6,HF-LPB100",
                identity("10.10.100.254", "ACCF235676D6", Some("HF-LPB100"), None),
            ),
            (
                "10.10.100.254,ACCF23D78A6C,HF-LPB100",
                identity("10.10.100.254", "ACCF23D78A6C", Some("HF-LPB100"), None),
            ),
            (
                "192.168.9.13,ACCF23360902,HF-LPB100",
                identity("192.168.9.13", "ACCF23360902", Some("HF-LPB100"), None),
            ),
            (
                "10.10.10.101,ACCF2357761C,HF-LPB100",
                identity("10.10.10.101", "ACCF2357761C", Some("HF-LPB100"), None),
            ),
            (
                "192.168.1.50,AABBCC445566,HF-LPT230",
                identity("192.168.1.50", "AABBCC445566", Some("HF-LPT230"), None),
            ),
            (
                "192.168.213.252,B4E842E10588,AK001-ZJ2145",
                identity(
                    "192.168.213.252",
                    "B4E842E10588",
                    Some("AK001-ZJ2145"),
                    None,
                ),
            ),
            (
                "192.168.1.123,ACCF2301ABFF,",
                identity("192.168.1.123", "ACCF2301ABFF", None, None),
            ),
            (
                "192.168.1.9,ACCF2301ABFF,AK001,0123456789abcdef0123456789abcdef",
                identity(
                    "192.168.1.9",
                    "ACCF2301ABFF",
                    Some("AK001"),
                    Some("0123456789abcdef0123456789abcdef"),
                ),
            ),
        ] {
            assert_eq!(
                ModuleIdentity::parse(datagram.as_bytes()).as_ref(),
                Some(&expected),
                "{datagram}"
            );
            assert_eq!(expected.emit(), datagram.as_bytes(), "{datagram}");
        }
    }

    #[test]
    fn tolerated_identities() {
        let expected = identity("10.10.100.254", "ACCF235676D6", Some("HF-LPB100"), None);
        for datagram in [
            &b"10.10.100.254,ACCF235676D6,HF-LPB100\0\0\0\0"[..],
            b"10.10.100.254,ACCF235676D6,HF-LPB100\r\n",
            b" 10.10.100.254, accf235676d6, HF-LPB100 ",
            b"10.10.100.254,AC:CF:23:56:76:D6,HF-LPB100\0garbage,,,",
            b"10.10.100.254,ACCF235676D6,HF-\x1bLPB100",
        ] {
            assert_eq!(
                ModuleIdentity::parse(datagram),
                Some(expected.clone()),
                "{datagram:?}"
            );
        }
        assert_eq!(
            ModuleIdentity::parse(b"10.10.100.254,ACCF235676D6"),
            Some(identity("10.10.100.254", "ACCF235676D6", None, None))
        );
    }

    #[test]
    fn other_datagrams() {
        for datagram in [
            &b""[..],
            b"+ok",
            b"HF-A11ASSISTHREAD",
            b"YZ-RECOSCAN",
            // An LSD module: no address.
            b"009569001122,LSD_F205",
            // A plug's scan replies have five or six fields.
            b"192.168.1.107,ACCF23123456,900000621,0,1,",
            b"192.168.1.107,ACCF23123456,900000621,0,1",
            b"192.168.1.300,ACCF23123456,x",
        ] {
            assert_eq!(ModuleIdentity::parse(datagram), None, "{datagram:?}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(DiscoveryWord::HF_A11.as_bytes(), b"HF-A11ASSISTHREAD");
        assert_eq!(DiscoveryWord::WIFIKIT.as_bytes(), b"WIFIKIT-214028-READ");
        for datagram in [
            &b"HF-A11ASSISTHREAD"[..],
            b"HF-A11ASSISTHREAD\r",
            b"hf-a11ASSISTHREAD\r\n\0",
        ] {
            assert!(DiscoveryWord::HF_A11.matches(datagram));
        }
        assert!(!DiscoveryWord::HF_A11.matches(b"HF-A11ASSISTHREADX"));
        assert!("www.usr.cn".parse::<DiscoveryWord>().is_ok());
        assert_eq!("".parse::<DiscoveryWord>(), Err(DiscoveryWordError));
        assert_eq!(
            "123456789012345678901".parse::<DiscoveryWord>(),
            Err(DiscoveryWordError)
        );
        assert_eq!("a\rb".parse::<DiscoveryWord>(), Err(DiscoveryWordError));
    }

    proptest! {
        #[test]
        fn round_trip(
            address: [u8; 4],
            mac: [u8; 6],
            module in proptest::option::of("[!-+.-~]{1,20}"),
            extra in proptest::option::of("[!-+.-~]{1,32}"),
        ) {
            let identity = ModuleIdentity { address: address.into(), mac: Mac::new(mac), module, extra };
            prop_assert_eq!(ModuleIdentity::parse(&identity.emit()), Some(identity));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = ModuleIdentity::parse(&bytes);
            let _ = DiscoveryWord::HF_A11.matches(&bytes);
        }
    }
}
