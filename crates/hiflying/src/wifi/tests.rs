use super::*;
use proptest::prelude::*;

fn check(value: &str) -> Result<(), WifiKeyError> {
    Credentials::parse(value.as_bytes()).unwrap().check()
}

fn candidates(security: &str, key: &str) -> Vec<String> {
    let key = (!key.is_empty()).then(|| WifiKey::new(key));
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
    assert_eq!(check("OPEN,NONE,x"), Err(WifiKeyError::Unexpected));
    assert_eq!(check("OPEN,WEP-H,0123456789"), Ok(()));
    assert_eq!(check("SHARED,WEP-H,0123456789abcdefABCDEF0123"), Ok(()));
    assert_eq!(check("SHARED,WEP-H,012345678"), Err(WifiKeyError::Wep(9)));
    assert_eq!(check("SHARED,WEP-H,012345678x"), Err(WifiKeyError::Wep(10)));
    assert_eq!(check("SHARED,WEP-A,12345"), Ok(()));
    assert_eq!(check("OPEN,WEP-A,a, b, c, d, e"), Ok(()));
    assert_eq!(check("OPEN,WEP-A,123456"), Err(WifiKeyError::Wep(6)));
    assert_eq!(check("OPEN,WEP-A,ééa"), Err(WifiKeyError::Wep(5)));
    assert_eq!(check("WPAPSK,TKIP,12345678"), Ok(()));
    assert_eq!(check("WPA2PSK,TKIPAES,12345678"), Ok(()));
    assert_eq!(
        check("WPA2PSK,AES,1234567"),
        Err(WifiKeyError::WpaLength(7))
    );
    assert_eq!(check(&format!("WPA2PSK,AES,{}", "x".repeat(63))), Ok(()));
    assert_eq!(
        check(&format!("WPA2PSK,AES,{}", "a".repeat(64))),
        Err(WifiKeyError::WpaLength(64))
    );
    assert_eq!(
        check("WPA2PSK,AES"),
        Err(WifiKeyError::Missing(Auth::Wpa2Psk))
    );
    assert_eq!(
        check("WPA2PSK,AES,12345678\0"),
        Err(WifiKeyError::ControlCharacter)
    );
    assert_eq!(
        check("OPEN,AES,12345678"),
        Err(WifiKeyError::Combination(Auth::Open, Cipher::Aes))
    );
    assert_eq!(
        check("SHARED,NONE"),
        Err(WifiKeyError::Combination(Auth::Shared, Cipher::None))
    );
    assert_eq!(
        check("WPA2PSK,WEP-A,12345"),
        Err(WifiKeyError::Combination(Auth::Wpa2Psk, Cipher::WepA))
    );
}

#[test]
fn credentials_on_the_wire() {
    assert_eq!(Credentials::open().emit().as_slice(), b"OPEN,NONE");
    assert_eq!(
        Credentials::wpa2(WifiKey::new("12345678"))
            .emit()
            .as_slice(),
        b"WPA2PSK,AES,12345678"
    );
    assert_eq!(
        Credentials::parse(b"wpa2psk,aes,12345678"),
        Ok(Credentials::wpa2(WifiKey::new("12345678")))
    );
    assert_eq!(Credentials::parse(b"nonsense"), Err(CredentialsError));
    assert_eq!(Credentials::parse(b"WPA2PSK"), Err(CredentialsError));
}

#[test]
fn debug_hides_the_key() {
    let credentials = Credentials::wpa2(WifiKey::new("hunter22"));
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
    let key = WifiKey::new("12345678");
    let words = |security: WifiSecurity, key: Option<&WifiKey>| {
        security.candidates(key, None).map(|list| {
            list.iter()
                .map(|one| (one.auth, one.cipher))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        words(WifiSecurity::Auto, None),
        Ok(vec![(Auth::Open, Cipher::None)])
    );
    assert_eq!(
        words(WifiSecurity::Auto, Some(&key)),
        Ok(vec![
            (Auth::Wpa2Psk, Cipher::Aes),
            (Auth::WpaPsk, Cipher::Tkip)
        ])
    );
    assert_eq!(
        words(WifiSecurity::Auto, Some(&WifiKey::new("12345"))),
        Ok(vec![
            (Auth::Shared, Cipher::WepA),
            (Auth::Open, Cipher::WepA)
        ])
    );
    assert_eq!(
        words(WifiSecurity::Open, Some(&key)),
        Err(WifiKeyError::Unexpected)
    );
    assert_eq!(
        words(WifiSecurity::Wpa2, None),
        Err(WifiKeyError::Missing(Auth::Wpa2Psk))
    );
    assert_eq!(
        words(WifiSecurity::Wep, Some(&key)),
        Err(WifiKeyError::Wep(8))
    );
    assert_eq!(
        words(WifiSecurity::Auto, Some(&WifiKey::new("123456"))),
        Err(WifiKeyError::WpaLength(6))
    );
    let scanned = ScanSecurity::parse("OPEN/NONE");
    assert_eq!(
        WifiSecurity::Auto.candidates(Some(&key), scanned),
        Err(WifiKeyError::Unexpected)
    );
    assert_eq!("WPA2".parse(), Ok(WifiSecurity::Wpa2));
}

proptest! {
    #[test]
    fn credentials_round_trip(key in "[^\0\r\n]{8,20}") {
        let wpa2 = Credentials::wpa2(WifiKey::new(key.as_str()));
        let wpa = Credentials { auth: Auth::WpaPsk, cipher: Cipher::Tkip, ..wpa2.clone() };
        for credentials in [wpa2, wpa] {
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
        let key = WifiKey::new(bytes);
        for security in [WifiSecurity::Auto, WifiSecurity::Open, WifiSecurity::Wpa, WifiSecurity::Wpa2, WifiSecurity::Wep] {
            let _ = security.candidates(Some(&key), ScanSecurity::parse(&text));
        }
    }
}
