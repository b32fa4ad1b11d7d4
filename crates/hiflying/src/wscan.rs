//! The list of networks that a module sees (`AT+WSCAN`).
//!
//! Two layouts are known on this family: the HF-LPB100's five columns and the HF-A11's nine. Both
//! have a channel, a name that may contain commas, a BSSID, a security word and a signal in this
//! order, so one reading serves both.

use crate::Mac;
use crate::at::strip_prefix_ignoring_case;
use crate::wifi::ScanSecurity;

/// Maximum number of networks in a list; a module lists a few dozen.
const MAX_NETWORKS: usize = 256;

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedNetwork {
    /// The radio channel.
    pub channel: Option<u8>,
    /// The name; empty when hidden.
    pub ssid: Vec<u8>,
    /// The access point's address.
    pub bssid: Option<Mac>,
    /// Security of the network; `None` for a kind that the module cannot join.
    pub security: Option<ScanSecurity>,
    /// The signal in percent.
    pub signal: Option<u8>,
}

/// Parses the concatenated datagrams of a list and leaves out anything that is not a row.
///
/// ```
/// let list = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r1,My, net,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r\r\n";
/// let networks = hiflying::wscan::parse(list);
/// assert_eq!(networks[0].ssid, b"My, net");
/// assert_eq!(networks[0].signal, Some(76));
/// ```
pub fn parse(bytes: &[u8]) -> Vec<ScannedNetwork> {
    bytes
        .split(|&byte| matches!(byte, b'\r' | b'\n' | 0))
        .filter_map(parse_row)
        .take(MAX_NETWORKS)
        .collect()
}

fn parse_row(line: &[u8]) -> Option<ScannedNetwork> {
    let line = strip_prefix_ignoring_case(line, b"+ok=").unwrap_or(line);
    if strip_prefix_ignoring_case(line, b"Ch,SSID").is_some() {
        return None;
    }
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b',').collect();
    let at = bssid_index(&fields)?;
    let after = |offset: usize| fields.get(at + offset).and_then(|field| text(field));
    Some(ScannedNetwork {
        channel: fields.first().and_then(|field| text(field)?.parse().ok()),
        ssid: fields.get(1..at)?.join(&b','),
        bssid: after(0).and_then(|text| text.parse().ok()),
        security: after(1).and_then(ScanSecurity::parse),
        signal: after(2).and_then(percentage),
    })
}

/// Returns the index of the BSSID, from the right, because a name can look like an address too.
fn bssid_index(fields: &[&[u8]]) -> Option<usize> {
    let is_mac = |field: &&[u8]| text(field).is_some_and(|text| text.parse::<Mac>().is_ok());
    fields.iter().rposition(is_mac).filter(|&at| at >= 2)
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok().map(str::trim)
}

fn percentage(text: &str) -> Option<u8> {
    let number: i32 = text.trim_end_matches('%').parse().ok()?;
    u8::try_from(number.clamp(0, 100)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wifi::{ScanAuth, ScanCipher};
    use proptest::prelude::*;

    fn network(channel: u8, ssid: &str, bssid: &str, security: &str, signal: u8) -> ScannedNetwork {
        ScannedNetwork {
            channel: Some(channel),
            ssid: ssid.into(),
            bssid: bssid.parse().ok(),
            security: ScanSecurity::parse(security),
            signal: Some(signal),
        }
    }

    #[test]
    fn captured_list_of_an_lpb100() {
        let list = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r\
            1,ZJSW_GUEST,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r\
            1,ZJSW,3C:E5:A6:61:B4:41,OPEN/NONE,74\n\r\
            1,TP-LINK_qiandan,D0:C7:C0:CC:A0:10,WPAPSKWPA2PSK/AES,0\n\r\
            11,hings-net,14:75:90:79:20:87,WPAPSKWPA2PSK/AES,27\n\r\r\n";
        assert_eq!(
            parse(list),
            [
                network(1, "ZJSW_GUEST", "3C:E5:A6:61:B4:40", "WPA2PSK/AES", 76),
                network(1, "ZJSW", "3C:E5:A6:61:B4:41", "OPEN/NONE", 74),
                network(
                    1,
                    "TP-LINK_qiandan",
                    "D0:C7:C0:CC:A0:10",
                    "WPAPSKWPA2PSK/AES",
                    0
                ),
                network(
                    11,
                    "hings-net",
                    "14:75:90:79:20:87",
                    "WPAPSKWPA2PSK/AES",
                    27
                ),
            ]
        );
    }

    #[test]
    fn captured_empty_list_of_a_logger() {
        assert_eq!(
            parse(b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r+ok\r\n\r\n"),
            []
        );
        assert_eq!(parse(crate::testing::LIST_HEADER), []);
        assert_eq!(parse(b""), []);
    }

    #[test]
    fn names_with_commas_spaces_and_addresses() {
        let rows = parse(b"6,a,b , AA:BB:CC:DD:EE:FF,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\r\n7,,3C:E5:A6:61:B4:41,OPEN/NONE,3");
        assert_eq!(rows[0].ssid, b"a,b , AA:BB:CC:DD:EE:FF");
        assert_eq!(rows[0].bssid, "3C:E5:A6:61:B4:40".parse().ok());
        assert_eq!(rows[1].ssid, b"");
    }

    #[test]
    fn nine_columns_of_an_a11() {
        let rows = parse(b"+ok=\n\r1,home,3C:E5:A6:61:B4:40,WPA2PSK/AES,60,a,b,c,d,\n\r11,x,14:75:90:79:20:87,SHARED/WEP,20,,,,,\n\r");
        assert_eq!(rows.len(), 2);
        assert_eq!(
            rows[0],
            network(1, "home", "3C:E5:A6:61:B4:40", "WPA2PSK/AES", 60)
        );
        assert_eq!(
            rows[1].security,
            Some(ScanSecurity {
                auth: ScanAuth::Shared,
                cipher: ScanCipher::Wep
            })
        );
    }

    #[test]
    fn incomplete_rows() {
        assert_eq!(parse(b"1,home\n+ERR=-2\n,,,,\n3C:E5:A6:61:B4:40,x\n"), []);
        let rows = parse(b"x,home,3C:E5:A6:61:B4:40");
        assert_eq!(rows[0].ssid, b"home");
        assert_eq!(
            (rows[0].channel, rows[0].security, rows[0].signal),
            (None, None, None)
        );
        assert_eq!(
            parse(b"1,n,3C:E5:A6:61:B4:40,OPEN/NONE,250")[0].signal,
            Some(100)
        );
    }

    #[test]
    fn a_babbling_module_is_bounded() {
        let row = b"1,x,3C:E5:A6:61:B4:40,OPEN/NONE,1\n\r";
        assert_eq!(parse(&row.repeat(5000)).len(), MAX_NETWORKS);
    }

    proptest! {
        #[test]
        fn any_row(
            channel: u8,
            ssid in proptest::collection::vec(any::<u8>().prop_filter("line", |b| !matches!(b, b'\r' | b'\n' | 0)), 0..32),
            bssid: [u8; 6],
            signal in 0..=100u8,
        ) {
            let security = Some(ScanSecurity { auth: ScanAuth::Wpa2, cipher: ScanCipher::Aes });
            let network =
                ScannedNetwork { channel: Some(channel), ssid, bssid: Some(Mac::new(bssid)), security, signal: Some(signal) };
            let row = [
                format!("{channel},").as_bytes(),
                &network.ssid,
                format!(",{},WPA2PSK/AES,{signal}\n\r", Mac::new(bssid)).as_bytes(),
            ]
            .concat();
            prop_assert_eq!(parse(&row), vec![network]);
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
