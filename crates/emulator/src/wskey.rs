//! The value of `AT+WSKEY`: how a station proves itself to an access point.
//!
//! Read and written here without the client's codec, so that a mistake of either shows in the other's tests.

use std::fmt;

use zeroize::Zeroizing;

const AUTHS: [&str; 4] = ["OPEN", "SHARED", "WPAPSK", "WPA2PSK"];
const CIPHERS: [&str; 6] = ["NONE", "WEP-H", "WEP-A", "TKIP", "AES", "TKIPAES"];

/// `<auth>,<cipher>[,<key>]`. `Debug` hides the key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeySetting {
    pub(crate) auth: &'static str,
    pub(crate) cipher: &'static str,
    /// Empty where there is none.
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl KeySetting {
    pub(crate) fn new(auth: &'static str, cipher: &'static str, key: &[u8]) -> Self {
        let key = Zeroizing::new(key.to_vec());
        Self { auth, cipher, key }
    }

    /// Reads words in any case, and the rest after the second comma as the key.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = value.splitn(3, |&byte| byte == b',');
        let auth = word(fields.next()?, &AUTHS)?;
        let cipher = word(fields.next()?, &CIPHERS)?;
        Some(Self::new(auth, cipher, fields.next().unwrap_or_default()))
    }

    pub(crate) fn emit(&self) -> Zeroizing<Vec<u8>> {
        // The exact size at once: a growing buffer would leave copies of the key behind.
        let size = self.auth.len() + self.cipher.len() + self.key.len() + 2;
        let mut value = Zeroizing::new(Vec::with_capacity(size));
        for part in [self.auth.as_bytes(), b",", self.cipher.as_bytes()] {
            value.extend_from_slice(part);
        }
        if !self.key.is_empty() {
            value.push(b',');
            value.extend_from_slice(&self.key);
        }
        value
    }

    /// Tells whether words and key fit together as a module demands.
    pub(crate) fn is_valid(&self) -> bool {
        let length = self.key.len();
        let is_line = !self
            .key
            .iter()
            .any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        is_line
            && match (self.auth, self.cipher) {
                ("OPEN", "NONE") => length == 0,
                ("OPEN" | "SHARED", "WEP-H") => matches!(length, 10 | 26) && self.is_hex(),
                ("OPEN" | "SHARED", "WEP-A") => matches!(length, 5 | 13) && self.key.is_ascii(),
                ("WPAPSK" | "WPA2PSK", "TKIP" | "AES" | "TKIPAES") => (8..=63).contains(&length),
                _ => false,
            }
    }

    /// Tells whether the key is a WPA key of 64 hex digits, which some firmware takes.
    pub(crate) fn is_hex_psk(&self) -> bool {
        let is_wpa = self.auth.starts_with("WPA") && self.cipher.ends_with(['S', 'P']);
        is_wpa && self.key.len() == 64 && self.is_hex()
    }

    fn is_hex(&self) -> bool {
        self.key.iter().all(u8::is_ascii_hexdigit)
    }
}

impl fmt::Debug for KeySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySetting({},{})", self.auth, self.cipher)
    }
}

/// Finds one of some words in any case.
fn word(field: &[u8], words: &[&'static str]) -> Option<&'static str> {
    let field = field.trim_ascii();
    words
        .iter()
        .find(|word| word.as_bytes().eq_ignore_ascii_case(field))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        for (value, key) in [
            ("OPEN,NONE", ""),
            ("WPA2PSK,AES,12345678", "12345678"),
            ("WPA2PSK,AES,one, two", "one, two"),
            ("SHARED,WEP-H,0123456789", "0123456789"),
            ("OPEN,WEP-A,abcde", "abcde"),
            ("WPAPSK,TKIPAES,secret-key", "secret-key"),
        ] {
            let setting = KeySetting::parse(value.as_bytes()).unwrap();
            assert_eq!(setting.key.as_slice(), key.as_bytes(), "{value}");
            assert_eq!(setting.emit().as_slice(), value.as_bytes());
            assert!(setting.is_valid(), "{value}");
        }
        let spelt = KeySetting::parse(b"wpa2psk, aes ,x").unwrap().emit();
        assert_eq!(spelt.as_slice(), b"WPA2PSK,AES,x");
        assert_eq!(
            KeySetting::parse(b"OPEN,NONE,").unwrap().emit().as_slice(),
            b"OPEN,NONE"
        );
    }

    #[test]
    fn what_no_module_takes() {
        for value in ["", "OPEN", "WPA3,AES,secret-key", "WPA2PSK,,secret-key"] {
            assert_eq!(KeySetting::parse(value.as_bytes()), None, "{value}");
        }
        let hex = "a".repeat(64);
        for value in [
            "OPEN,NONE,key",
            "OPEN,AES,secret-key",
            "WPA2PSK,AES",
            "WPA2PSK,AES,1234567",
            &format!("WPA2PSK,AES,{hex}"),
            "WPA2PSK,NONE,secret-key",
            "SHARED,WEP-H,012345678x",
            "SHARED,WEP-A,abcd",
        ] {
            let setting = KeySetting::parse(value.as_bytes()).unwrap();
            assert!(!setting.is_valid(), "{value}");
            assert_eq!(setting.is_hex_psk(), value.ends_with(&hex));
        }
    }
}
