//! Network names, security words and keys, and the ones that a module can take.
//!
//! Facts: the `AT+WSKEY` table of the modules' manuals and clients. Nothing can be quoted or
//! escaped, so anything that would break a line is refused here, before it is sent.

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
            type Err = WifiWordError;

            /// Accepts any case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $(if text.eq_ignore_ascii_case($word) { return Ok(Self::$variant); })+
                Err(WifiWordError)
            }
        }
    };
}

mod security;

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

pub use security::{ScanAuth, ScanCipher, ScanSecurity, WifiSecurity};

/// The name of a Wi-Fi network: 1 to 32 bytes, usually but not necessarily UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssid(Vec<u8>);

/// Reason why no module can take a network name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SsidError {
    /// The name is empty.
    #[error("the network name is empty")]
    Empty,
    /// The name is longer than 32 bytes.
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
    /// [`SsidError`] if no module could take it.
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

    /// Tells whether it contains a `,` or `=`, which some firmware mangles or refuses.
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

/// A Wi-Fi key, which is wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WifiKey(Zeroizing<Vec<u8>>);

impl WifiKey {
    /// Takes ownership of the bytes. Keep no other copy.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Tells whether it contains a `,` or `=`, which some firmware mangles or refuses.
    pub fn has_separator(&self) -> bool {
        self.0.iter().any(is_separator)
    }

    fn is_hex(&self, lengths: [usize; 2]) -> bool {
        lengths.contains(&self.0.len()) && self.0.iter().all(u8::is_ascii_hexdigit)
    }

    /// Returns the cipher word by which a module reads this key as a WEP key: hex digits or characters.
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

impl fmt::Debug for WifiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WifiKey(***)")
    }
}

/// The text is not a word of the module's Wi-Fi vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word of the module's Wi-Fi vocabulary")]
pub struct WifiWordError;

/// Authentication of a station at an access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Auth {
    /// None, or a WEP key afterwards.
    Open,
    /// WEP key.
    Shared,
    /// WPA with a passphrase.
    WpaPsk,
    /// WPA2 with a passphrase.
    Wpa2Psk,
}

words!(Auth { Open = "OPEN", Shared = "SHARED", WpaPsk = "WPAPSK", Wpa2Psk = "WPA2PSK" });

/// Encryption of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// None.
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

/// Reason why no module can take a key for a kind of network. Reveals nothing of the key but its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WifiKeyError {
    /// The network is secured and there is no key.
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
    #[error("{0} cannot be combined with {1}")]
    Combination(Auth, Cipher),
}

/// The text is not the value of `AT+WSKEY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form <auth>,<cipher>[,<key>]")]
pub struct CredentialsError;

/// The value of `AT+WSKEY`.
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
    /// Authentication.
    pub auth: Auth,
    /// Encryption.
    pub cipher: Cipher,
    /// Key; none for open networks.
    pub key: Option<WifiKey>,
}

impl Credentials {
    /// Returns the credentials of an open network.
    pub const fn open() -> Self {
        Self {
            auth: Auth::Open,
            cipher: Cipher::None,
            key: None,
        }
    }

    /// Returns the credentials of a WPA2 network.
    pub const fn wpa2(key: WifiKey) -> Self {
        Self {
            auth: Auth::Wpa2Psk,
            cipher: Cipher::Aes,
            key: Some(key),
        }
    }

    /// Parses by the first two commas only: a key may contain more of them.
    ///
    /// A trailing comma after `OPEN,NONE` means no key.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if the first two words are unknown.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialsError> {
        let mut fields = bytes.splitn(3, |&byte| byte == b',');
        let auth = parse_word(fields.next())?;
        let cipher = parse_word(fields.next())?;
        let key = fields
            .next()
            .filter(|key| !key.is_empty())
            .map(WifiKey::new);
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

    /// Checks combination and key against the table of the modules' manual.
    ///
    /// # Errors
    ///
    /// [`WifiKeyError`] if no module could take them.
    pub fn check(&self) -> Result<(), WifiKeyError> {
        let wep = matches!(self.cipher, Cipher::WepA | Cipher::WepH);
        let key = match (self.auth, self.cipher, &self.key) {
            (Auth::Open, Cipher::None, None) => return Ok(()),
            (Auth::Open, Cipher::None, Some(_)) => return Err(WifiKeyError::Unexpected),
            (Auth::Open | Auth::Shared, _, _) if !wep => {
                return Err(WifiKeyError::Combination(self.auth, self.cipher));
            }
            (Auth::WpaPsk | Auth::Wpa2Psk, Cipher::None | Cipher::WepA | Cipher::WepH, _) => {
                return Err(WifiKeyError::Combination(self.auth, self.cipher));
            }
            (auth, _, None) => return Err(WifiKeyError::Missing(auth)),
            (_, _, Some(key)) => key,
        };
        let length = key.as_bytes().len();
        match self.cipher {
            _ if key.as_bytes().iter().any(ends_line) => Err(WifiKeyError::ControlCharacter),
            Cipher::WepH if !key.is_hex([10, 26]) => Err(WifiKeyError::Wep(length)),
            Cipher::WepA if !([5, 13].contains(&length) && key.as_bytes().is_ascii()) => {
                Err(WifiKeyError::Wep(length))
            }
            Cipher::Tkip | Cipher::Aes | Cipher::TkipAes if !(8..=63).contains(&length) => {
                Err(WifiKeyError::WpaLength(length))
            }
            _ => Ok(()),
        }
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
mod tests;
