//! Security of a network: in a scan, in the user's words, and the credentials to write for it.

use std::fmt;
use std::str::FromStr;

use super::{Auth, Cipher, Credentials, WifiKey, WifiKeyError, WifiWordError};

/// Security of a network in a scan row, such as `WPAPSKWPA2PSK/AES`.
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
    /// WEP; the row does not show the form of the key.
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
    /// Parses a row's text; `None` for a kind that no module can join, such as WPA3 alone.
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

    /// Returns the credentials to try with `AT+WSKEY` for this network, the likeliest first.
    ///
    /// The mapping is that of four clients: any WPA2 gives `WPA2PSK`, any AES gives `AES`. One app
    /// maps the mixed kind to `WPAPSK`, which follows as second choice. WEP is `SHARED`, then
    /// `OPEN`. Check each for a fitting key.
    pub fn credentials_for(self, key: Option<&WifiKey>) -> Vec<Credentials> {
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
        let wep = key.map_or(Cipher::WepA, WifiKey::wep_cipher);
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

/// Security of a network in the user's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WifiSecurity {
    /// As the module's scan shows; without a scan by the form of the key.
    #[default]
    Auto,
    /// No security.
    Open,
    /// WPA of the first generation.
    Wpa,
    /// WPA2.
    Wpa2,
    /// WEP.
    Wep,
}

words!(WifiSecurity { Auto = "auto", Open = "open", Wpa = "wpa", Wpa2 = "wpa2", Wep = "wep" });

impl WifiSecurity {
    /// Returns the credentials to try with `AT+WSKEY`, the likeliest first. There is at least one, and each passes
    /// [`Credentials::check`].
    ///
    /// `scanned` is the security in the module's scan, if it saw the network; it counts for
    /// [`WifiSecurity::Auto`] only.
    ///
    /// # Errors
    ///
    /// [`WifiKeyError`] if the key fits none.
    pub fn candidates(
        self,
        key: Option<&WifiKey>,
        scanned: Option<ScanSecurity>,
    ) -> Result<Vec<Credentials>, WifiKeyError> {
        let make = |auth, cipher| Credentials {
            auth,
            cipher,
            key: key.cloned(),
        };
        let wep = key.map_or(Cipher::WepA, WifiKey::wep_cipher);
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
