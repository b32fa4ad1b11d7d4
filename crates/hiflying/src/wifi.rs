//! Network names, security words and keys, and what a module can take of them.
//!
//! Facts: the `AT+WSKEY` table of the modules' manuals and clients. Nothing can be quoted or
//! escaped, so what would break a line is refused here, before anything is sent.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// The name of a Wi-Fi network: 1 to 32 bytes, usually but not necessarily UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssid(Vec<u8>);

/// No module could take this network name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SsidError {
    /// There is nothing in it.
    #[error("the network name is empty")]
    Empty,
    /// More than 32 bytes.
    #[error("the network name has {0} bytes; Wi-Fi allows 32")]
    TooLong(usize),
    /// A line end or NUL, which would end the command early.
    #[error("the network name contains a line end or NUL, which the module cannot take")]
    ControlCharacter,
}

impl Ssid {
    /// Makes a name from its bytes.
    ///
    /// # Errors
    ///
    /// [`SsidError`] says why no module could take it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SsidError> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(SsidError::Empty),
            1..=32 if bytes.iter().any(ends_line) => Err(SsidError::ControlCharacter),
            1..=32 => Ok(Self(bytes)),
            length => Err(SsidError::TooLong(length)),
        }
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Tells whether there is a `,` or `=` in it, which some firmware mangles or refuses.
    pub fn has_separator(&self) -> bool {
        self.0.iter().any(is_separator)
    }
}

impl fmt::Display for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ssid({:?})", String::from_utf8_lossy(&self.0))
    }
}

impl FromStr for Ssid {
    type Err = SsidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// A Wi-Fi key: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Takes the bytes over. Keep no other copy.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Tells whether there is a `,` or `=` in it, which some firmware mangles or refuses.
    pub fn has_separator(&self) -> bool {
        self.0.iter().any(is_separator)
    }

    fn is_hex(&self, lengths: [usize; 2]) -> bool {
        lengths.contains(&self.0.len()) && self.0.iter().all(u8::is_ascii_hexdigit)
    }

    /// The cipher word by which a module reads this key as a WEP key: hex digits or characters.
    fn wep_cipher(&self) -> Cipher {
        if self.is_hex([10, 26]) {
            Cipher::WepH
        } else {
            Cipher::WepA
        }
    }

    fn is_wep(&self) -> bool {
        self.is_hex([10, 26]) || ([5, 13].contains(&self.0.len()) && self.0.is_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// A word that is not in the module's vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word of the module's Wi-Fi vocabulary")]
pub struct WordError;

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Returns the module's word, in the upper case that every firmware accepts.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $type {
            type Err = WordError;

            /// Accepts any case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $(if text.eq_ignore_ascii_case($word) { return Ok(Self::$variant); })+
                Err(WordError)
            }
        }
    };
}

/// How a station proves itself to an access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Auth {
    /// Not at all, or by a WEP key afterwards.
    Open,
    /// By a WEP key.
    Shared,
    /// WPA with a passphrase.
    WpaPsk,
    /// WPA2 with a passphrase.
    Wpa2Psk,
}

words!(Auth { Open = "OPEN", Shared = "SHARED", WpaPsk = "WPAPSK", Wpa2Psk = "WPA2PSK" });

/// How frames are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// Not at all.
    None,
    /// WEP, the key in hex digits.
    WepH,
    /// WEP, the key in characters.
    WepA,
    /// TKIP.
    Tkip,
    /// AES.
    Aes,
    /// TKIP and AES.
    TkipAes,
}

words!(Cipher { None = "NONE", WepH = "WEP-H", WepA = "WEP-A", Tkip = "TKIP", Aes = "AES", TkipAes = "TKIPAES" });

/// No module could take this key for this kind of network. Says nothing of the key itself but its
/// length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The network is protected and there is no key.
    #[error("a {0} network needs a key")]
    Missing(Auth),
    /// An open network has no key.
    #[error("an open network takes no key")]
    Unexpected,
    /// WPA and WPA2 keys have 8 to 63 bytes.
    #[error("the key has {0} bytes; WPA and WPA2 take 8 to 63")]
    WpaLength(usize),
    /// WEP keys have one of four forms.
    #[error("the key has {0} bytes; WEP takes 5 or 13 ASCII characters, or 10 or 26 hex digits")]
    Wep(usize),
    /// A line end or NUL, which would end the command early.
    #[error("the key contains a line end or NUL, which the module cannot take")]
    ControlCharacter,
    /// Such as `OPEN,AES`.
    #[error("{0} and {1} do not go together")]
    Combination(Auth, Cipher),
}

/// The text is not the value of `AT+WSKEY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form <auth>,<cipher>[,<key>]")]
pub struct CredentialsError;

/// What `AT+WSKEY` holds.
///
/// ```
/// use hiflying::Credentials;
///
/// let credentials = Credentials::parse(b"WPA2PSK,AES,one, two")?;
/// assert_eq!(credentials.key.as_ref().map(|key| key.as_bytes()), Some(&b"one, two"[..]));
/// assert_eq!(credentials.emit().as_slice(), b"WPA2PSK,AES,one, two");
/// assert!(credentials.check().is_ok());
/// # Ok::<(), hiflying::wifi::CredentialsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// How to prove ourselves.
    pub auth: Auth,
    /// How to encrypt.
    pub cipher: Cipher,
    /// The key; none for open networks.
    pub key: Option<Key>,
}

impl Credentials {
    /// For a network without protection.
    pub const fn open() -> Self {
        Self {
            auth: Auth::Open,
            cipher: Cipher::None,
            key: None,
        }
    }

    /// For a WPA2 network.
    pub const fn wpa2(key: Key) -> Self {
        Self {
            auth: Auth::Wpa2Psk,
            cipher: Cipher::Aes,
            key: Some(key),
        }
    }

    /// For a WPA network of the first generation.
    pub const fn wpa(key: Key) -> Self {
        Self {
            auth: Auth::WpaPsk,
            cipher: Cipher::Tkip,
            key: Some(key),
        }
    }

    /// For a WEP network; the key's form decides whether it goes as hex digits or as characters.
    pub fn wep(auth: Auth, key: Key) -> Self {
        Self {
            auth,
            cipher: key.wep_cipher(),
            key: Some(key),
        }
    }

    /// Parses by the first two commas only: a key may contain more of them.
    ///
    /// A trailing comma after `OPEN,NONE` means no key.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] when the first two words are not known.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let mut fields = bytes.splitn(3, |&byte| byte == b',');
        let auth = parse_word(fields.next())?;
        let cipher = parse_word(fields.next())?;
        let key = fields.next().filter(|key| !key.is_empty()).map(Key::new);
        Ok(Self { auth, cipher, key })
    }

    /// Writes the value of `AT+WSKEY`.
    pub fn emit(&self) -> Zeroizing<Vec<u8>> {
        let head = format!("{},{}", self.auth, self.cipher);
        let size = head.len() + self.key.as_ref().map_or(0, |key| key.as_bytes().len() + 1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(head.as_bytes());
        if let Some(key) = &self.key {
            bytes.push(b',');
            bytes.extend_from_slice(key.as_bytes());
        }
        bytes
    }

    /// Checks the combination and the key against the table of what modules take.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says what does not fit.
    pub fn check(&self) -> Result<(), KeyError> {
        let wep = matches!(self.cipher, Cipher::WepA | Cipher::WepH);
        let key = match (self.auth, self.cipher, &self.key) {
            (Auth::Open, Cipher::None, None) => return Ok(()),
            (Auth::Open, Cipher::None, Some(_)) => return Err(KeyError::Unexpected),
            (Auth::Open | Auth::Shared, _, _) if !wep => {
                return Err(KeyError::Combination(self.auth, self.cipher));
            }
            (Auth::WpaPsk | Auth::Wpa2Psk, Cipher::None | Cipher::WepA | Cipher::WepH, _) => {
                return Err(KeyError::Combination(self.auth, self.cipher));
            }
            (auth, _, None) => return Err(KeyError::Missing(auth)),
            (_, _, Some(key)) => key,
        };
        let length = key.as_bytes().len();
        match self.cipher {
            _ if key.as_bytes().iter().any(ends_line) => Err(KeyError::ControlCharacter),
            Cipher::WepH if !key.is_hex([10, 26]) => Err(KeyError::Wep(length)),
            Cipher::WepA if !([5, 13].contains(&length) && key.as_bytes().is_ascii()) => {
                Err(KeyError::Wep(length))
            }
            Cipher::Tkip | Cipher::Aes | Cipher::TkipAes if !(8..=63).contains(&length) => {
                Err(KeyError::WpaLength(length))
            }
            _ => Ok(()),
        }
    }
}

/// What a scan row says of a network's protection, such as `WPAPSKWPA2PSK/AES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScanSecurity {
    /// The left half.
    pub auth: ScanAuth,
    /// The right half.
    pub cipher: ScanCipher,
}

/// The left half of a scan row's security: like [`Auth`], but an access point can offer both kinds
/// of WPA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanAuth {
    /// No authentication.
    Open,
    /// Shared WEP key.
    Shared,
    /// WPA only.
    Wpa,
    /// WPA2 only.
    Wpa2,
    /// Either.
    WpaWpa2,
}

words!(ScanAuth { Open = "OPEN", Shared = "SHARED", Wpa = "WPAPSK", Wpa2 = "WPA2PSK", WpaWpa2 = "WPAPSKWPA2PSK" });

/// The right half of a scan row's security.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanCipher {
    /// No encryption.
    None,
    /// WEP; the row does not say in which form the key is given.
    Wep,
    /// TKIP.
    Tkip,
    /// AES.
    Aes,
    /// Both.
    TkipAes,
}

words!(ScanCipher { None = "NONE", Wep = "WEP", Tkip = "TKIP", Aes = "AES", TkipAes = "TKIPAES" });

impl ScanSecurity {
    /// Parses a row's text; nothing when it is of a kind that no module can join, such as WPA3
    /// alone.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let (auth, cipher) = text.split_once('/').unwrap_or((&text, ""));
        let wpa2 = auth.contains("WPA2");
        // `WPA2PSK` contains no `WPAPSK`, so that the two can be told apart.
        let wpa = auth.contains("WPAPSK") || auth == "WPA";
        let auth = match (wpa, wpa2) {
            (true, true) => ScanAuth::WpaWpa2,
            (false, true) => ScanAuth::Wpa2,
            (true, false) => ScanAuth::Wpa,
            (false, false) if auth == "SHARED" => ScanAuth::Shared,
            (false, false) if auth == "OPEN" || auth == "WEP" => ScanAuth::Open,
            (false, false) => return None,
        };
        let cipher = match (cipher.contains("TKIP"), cipher.contains("AES")) {
            (true, true) => ScanCipher::TkipAes,
            (false, true) => ScanCipher::Aes,
            (true, false) => ScanCipher::Tkip,
            (false, false) if text.contains("WEP") || auth == ScanAuth::Shared => ScanCipher::Wep,
            (false, false) if auth == ScanAuth::Open => ScanCipher::None,
            (false, false) => ScanCipher::Aes,
        };
        Some(Self { auth, cipher })
    }

    /// Returns what to write with `AT+WSKEY` for this network, the likeliest first.
    ///
    /// The mapping is that of four clients: any WPA2 gives `WPA2PSK`, any AES gives `AES`. One app
    /// maps the mixed kind to `WPAPSK`, which follows as second choice. WEP is `SHARED`, then
    /// `OPEN`. Check each for a fitting key.
    pub fn credentials_for(self, key: Option<&Key>) -> Vec<Credentials> {
        let make = |auth, cipher| Credentials {
            auth,
            cipher,
            key: key.cloned(),
        };
        let strongest = match self.cipher {
            ScanCipher::Aes | ScanCipher::TkipAes => Cipher::Aes,
            _ => Cipher::Tkip,
        };
        let weakest = if self.cipher == ScanCipher::Aes {
            Cipher::Aes
        } else {
            Cipher::Tkip
        };
        let wep = key.map_or(Cipher::WepA, Key::wep_cipher);
        match (self.auth, self.cipher) {
            (ScanAuth::Wpa2, _) => vec![make(Auth::Wpa2Psk, strongest)],
            (ScanAuth::WpaWpa2, _) => {
                vec![make(Auth::Wpa2Psk, strongest), make(Auth::WpaPsk, weakest)]
            }
            (ScanAuth::Wpa, _) => vec![make(Auth::WpaPsk, strongest)],
            (ScanAuth::Open, ScanCipher::None) => vec![make(Auth::Open, Cipher::None)],
            (ScanAuth::Open | ScanAuth::Shared, _) => {
                vec![make(Auth::Shared, wep), make(Auth::Open, wep)]
            }
        }
    }
}

impl fmt::Display for ScanSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.auth, self.cipher)
    }
}

/// How the user says that a network is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Security {
    /// By what the module's scan says; without a scan by the key.
    #[default]
    Auto,
    /// Not protected.
    Open,
    /// WPA of the first generation.
    Wpa,
    /// WPA2.
    Wpa2,
    /// WEP.
    Wep,
}

words!(Security { Auto = "auto", Open = "open", Wpa = "wpa", Wpa2 = "wpa2", Wep = "wep" });

impl Security {
    /// Returns what to try with `AT+WSKEY`, the likeliest first: each fits the table of what
    /// modules take.
    ///
    /// `scanned` is what the module's scan says of the network, if it saw it; it counts for
    /// [`Security::Auto`] only.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when nothing fits the key.
    pub fn candidates(
        self,
        key: Option<&Key>,
        scanned: Option<ScanSecurity>,
    ) -> Result<Vec<Credentials>, KeyError> {
        let make = |auth, cipher| Credentials {
            auth,
            cipher,
            key: key.cloned(),
        };
        let wep = key.map_or(Cipher::WepA, Key::wep_cipher);
        let all = match (self, scanned, key) {
            (Self::Open, _, _) | (Self::Auto, None, None) => vec![make(Auth::Open, Cipher::None)],
            (Self::Wpa, _, _) => vec![
                make(Auth::WpaPsk, Cipher::Tkip),
                make(Auth::WpaPsk, Cipher::Aes),
            ],
            (Self::Wpa2, _, _) => vec![make(Auth::Wpa2Psk, Cipher::Aes)],
            (Self::Wep, _, _) => vec![make(Auth::Shared, wep), make(Auth::Open, wep)],
            (Self::Auto, Some(scanned), _) => scanned.credentials_for(key),
            // No protection but WEP has keys of five characters.
            (Self::Auto, None, Some(key)) if key.is_wep() && key.as_bytes().len() < 8 => {
                vec![make(Auth::Shared, wep), make(Auth::Open, wep)]
            }
            (Self::Auto, None, Some(_)) => vec![
                make(Auth::Wpa2Psk, Cipher::Aes),
                make(Auth::WpaPsk, Cipher::Tkip),
            ],
        };
        all.first().map_or(Ok(()), Credentials::check)?;
        Ok(all
            .into_iter()
            .filter(|credentials| credentials.check().is_ok())
            .collect())
    }
}

fn parse_word<T: FromStr>(field: Option<&[u8]>) -> Result<T, CredentialsError> {
    let text = std::str::from_utf8(field.ok_or(CredentialsError)?).map_err(|_| CredentialsError)?;
    text.trim().parse().map_err(|_| CredentialsError)
}

fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b',' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(value: &str) -> Result<(), KeyError> {
        Credentials::parse(value.as_bytes()).unwrap().check()
    }

    fn candidates(security: &str, key: &str) -> Vec<String> {
        let key = (!key.is_empty()).then(|| Key::new(key));
        let scanned = ScanSecurity::parse(security).unwrap();
        let list = scanned.credentials_for(key.as_ref());
        list.iter()
            .map(|credentials| String::from_utf8(credentials.emit().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn names() {
        assert!(Ssid::new("a").is_ok());
        assert!(Ssid::new("Café = \"quoted\", and so on").is_ok());
        assert!(Ssid::new([0xFF; 32]).is_ok());
        assert_eq!(Ssid::new(""), Err(SsidError::Empty));
        assert_eq!(Ssid::new([b'a'; 33]), Err(SsidError::TooLong(33)));
        for text in ["a\rb", "a\nb", "a\0b"] {
            assert_eq!(Ssid::new(text), Err(SsidError::ControlCharacter));
        }
        assert!(Ssid::new("a,b").unwrap().has_separator());
        assert!(!Ssid::new("a b").unwrap().has_separator());
    }

    #[test]
    fn key_table() {
        assert_eq!(check("OPEN,NONE"), Ok(()));
        assert_eq!(check("OPEN,NONE,"), Ok(()));
        assert_eq!(check("OPEN,NONE,x"), Err(KeyError::Unexpected));
        assert_eq!(check("OPEN,WEP-H,0123456789"), Ok(()));
        assert_eq!(check("SHARED,WEP-H,0123456789abcdefABCDEF0123"), Ok(()));
        assert_eq!(check("SHARED,WEP-H,012345678"), Err(KeyError::Wep(9)));
        assert_eq!(check("SHARED,WEP-H,012345678x"), Err(KeyError::Wep(10)));
        assert_eq!(check("SHARED,WEP-A,12345"), Ok(()));
        assert_eq!(check("OPEN,WEP-A,a, b, c, d, e"), Ok(()));
        assert_eq!(check("OPEN,WEP-A,123456"), Err(KeyError::Wep(6)));
        assert_eq!(check("OPEN,WEP-A,ééa"), Err(KeyError::Wep(5)));
        assert_eq!(check("WPAPSK,TKIP,12345678"), Ok(()));
        assert_eq!(check("WPA2PSK,TKIPAES,12345678"), Ok(()));
        assert_eq!(check("WPA2PSK,AES,1234567"), Err(KeyError::WpaLength(7)));
        assert_eq!(check(&format!("WPA2PSK,AES,{}", "x".repeat(63))), Ok(()));
        assert_eq!(
            check(&format!("WPA2PSK,AES,{}", "a".repeat(64))),
            Err(KeyError::WpaLength(64))
        );
        assert_eq!(check("WPA2PSK,AES"), Err(KeyError::Missing(Auth::Wpa2Psk)));
        assert_eq!(
            check("WPA2PSK,AES,12345678\0"),
            Err(KeyError::ControlCharacter)
        );
        assert_eq!(
            check("OPEN,AES,12345678"),
            Err(KeyError::Combination(Auth::Open, Cipher::Aes))
        );
        assert_eq!(
            check("SHARED,NONE"),
            Err(KeyError::Combination(Auth::Shared, Cipher::None))
        );
        assert_eq!(
            check("WPA2PSK,WEP-A,12345"),
            Err(KeyError::Combination(Auth::Wpa2Psk, Cipher::WepA))
        );
    }

    #[test]
    fn credentials_on_the_wire() {
        assert_eq!(Credentials::open().emit().as_slice(), b"OPEN,NONE");
        assert_eq!(
            Credentials::wpa2(Key::new("12345678")).emit().as_slice(),
            b"WPA2PSK,AES,12345678"
        );
        assert_eq!(
            Credentials::parse(b"wpa2psk,aes,12345678"),
            Ok(Credentials::wpa2(Key::new("12345678")))
        );
        assert_eq!(Credentials::parse(b"nonsense"), Err(CredentialsError));
        assert_eq!(Credentials::parse(b"WPA2PSK"), Err(CredentialsError));
    }

    #[test]
    fn debug_hides_the_key() {
        let credentials = Credentials::wpa2(Key::new("hunter22"));
        assert!(!format!("{credentials:?}").contains("hunter22"));
    }

    #[test]
    fn scan_rows_to_credentials() {
        assert_eq!(
            candidates("WPA2PSK/AES", "12345678"),
            ["WPA2PSK,AES,12345678"]
        );
        assert_eq!(
            candidates("WPAPSK/TKIP", "12345678"),
            ["WPAPSK,TKIP,12345678"]
        );
        assert_eq!(
            candidates("WPAPSKWPA2PSK/AES", "12345678"),
            ["WPA2PSK,AES,12345678", "WPAPSK,AES,12345678"]
        );
        assert_eq!(
            candidates("WPAPSKWPA2PSK/TKIPAES", "12345678"),
            ["WPA2PSK,AES,12345678", "WPAPSK,TKIP,12345678"]
        );
        assert_eq!(candidates("OPEN/NONE", ""), ["OPEN,NONE"]);
        assert_eq!(
            candidates("SHARED/WEP", "12345"),
            ["SHARED,WEP-A,12345", "OPEN,WEP-A,12345"]
        );
        assert_eq!(
            candidates("OPEN/WEP", "0123456789"),
            ["SHARED,WEP-H,0123456789", "OPEN,WEP-H,0123456789"]
        );
        assert_eq!(ScanSecurity::parse("WPA3SAE/AES"), None);
        assert_eq!(ScanSecurity::parse(""), None);
    }

    #[test]
    fn what_the_user_says() {
        let key = Key::new("12345678");
        let words = |security: Security, key: Option<&Key>| {
            security.candidates(key, None).map(|list| {
                list.iter()
                    .map(|one| (one.auth, one.cipher))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(
            words(Security::Auto, None),
            Ok(vec![(Auth::Open, Cipher::None)])
        );
        assert_eq!(
            words(Security::Auto, Some(&key)),
            Ok(vec![
                (Auth::Wpa2Psk, Cipher::Aes),
                (Auth::WpaPsk, Cipher::Tkip)
            ])
        );
        assert_eq!(
            words(Security::Auto, Some(&Key::new("12345"))),
            Ok(vec![
                (Auth::Shared, Cipher::WepA),
                (Auth::Open, Cipher::WepA)
            ])
        );
        assert_eq!(words(Security::Open, Some(&key)), Err(KeyError::Unexpected));
        assert_eq!(
            words(Security::Wpa2, None),
            Err(KeyError::Missing(Auth::Wpa2Psk))
        );
        assert_eq!(words(Security::Wep, Some(&key)), Err(KeyError::Wep(8)));
        assert_eq!(
            words(Security::Auto, Some(&Key::new("123456"))),
            Err(KeyError::WpaLength(6))
        );
        let scanned = ScanSecurity::parse("OPEN/NONE");
        assert_eq!(
            Security::Auto.candidates(Some(&key), scanned),
            Err(KeyError::Unexpected)
        );
        assert_eq!("WPA2".parse(), Ok(Security::Wpa2));
    }

    proptest! {
        #[test]
        fn credentials_round_trip(key in "[^\0\r\n]{8,20}") {
            for credentials in [Credentials::wpa2(Key::new(key.as_str())), Credentials::wpa(Key::new(key.as_str()))] {
                prop_assert_eq!(Credentials::parse(&credentials.emit()), Ok(credentials));
            }
        }

        #[test]
        fn security_round_trip(auth in 0..5usize, cipher in 0..5usize) {
            let auths = [ScanAuth::Open, ScanAuth::Shared, ScanAuth::Wpa, ScanAuth::Wpa2, ScanAuth::WpaWpa2];
            let ciphers =
                [ScanCipher::None, ScanCipher::Wep, ScanCipher::Tkip, ScanCipher::Aes, ScanCipher::TkipAes];
            let security = ScanSecurity { auth: auths[auth], cipher: ciphers[cipher] };
            // Without a cipher, a protected network gets the likeliest one.
            if security.cipher != ScanCipher::None || security.auth == ScanAuth::Open {
                let parsed = ScanSecurity::parse(&security.to_string()).unwrap();
                prop_assert_eq!(parsed, security);
            }
        }

        #[test]
        fn never_panics(bytes: Vec<u8>, text: String) {
            let _ = Ssid::new(bytes.clone());
            if let Ok(credentials) = Credentials::parse(&bytes) {
                let _ = credentials.check();
            }
            let key = Key::new(bytes);
            for security in [Security::Auto, Security::Open, Security::Wpa, Security::Wpa2, Security::Wep] {
                let _ = security.candidates(Some(&key), ScanSecurity::parse(&text));
            }
        }
    }
}
