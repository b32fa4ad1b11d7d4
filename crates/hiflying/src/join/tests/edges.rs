//! Unusual names, modules and ends.

use super::*;

#[test]
fn names_and_keys_with_everything_in_them() {
    for (ssid, key) in [
        ("a, b=c \"d\" 'e'", "x,y=z \"q\" \\"),
        (" ", "        "),
        ("Grüße 🏠", "pässwörter"),
        ("12345678901234567890123456789012", &"k".repeat(63)),
    ] {
        let config = JoinConfig::new(Ssid::new(ssid).unwrap(), Some(WifiKey::new(key)));
        let run = run(
            JoinConfig {
                security: WifiSecurity::Wpa2,
                ..config
            },
            |module| {
                module.home = (ssid.into(), format!("WPA2PSK,AES,{key}").into_bytes());
            },
        );
        assert!(run.result.is_ok(), "{ssid:?} {:?}", run.result);
    }
}

#[test]
fn an_unclear_link_is_proven_by_the_address() {
    type LinkForm = fn(&[u8]) -> Vec<u8>;
    let forms: [LinkForm; 6] = [
        |ssid| [b"(", ssid, b")"].concat(),
        |_| b"c0c7c0d070b0".to_vec(),
        |_| b"(c0c7c0d070b0)".to_vec(),
        |_| b"Connected".to_vec(),
        |_| Vec::new(),
        |ssid| [ssid, b" (channel 6, signal 87 %) c0:c7:c0:d0:70:b0"].concat(),
    ];
    for linked in forms {
        let run = run(config(), |module| module.linked = linked);
        assert!(run.result.is_ok(), "{:?} {:?}", linked(b"home"), run.result);
    }
    // Without an address it is none.
    for linked in forms {
        let run = run(config(), |module| {
            module.linked = linked;
            module.gives_lease = false;
        });
        assert!(matches!(
            run.failure(),
            (JoinError::WrongKey { .. }, ModuleState::Restored)
        ));
    }
}

#[test]
fn a_module_without_apsta_goes_the_direct_path() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| refuses(module, "AT+WMODE=APSTA"),
    );
    let outcome = run.result.as_ref().unwrap();
    assert_eq!(outcome.path, JoinPath::Direct);
    assert_eq!(
        run.steps().join(" "),
        "find read mode! ssid key read-back station restart"
    );
    assert_eq!(run.bench.module.mode(), "STA");
}

#[test]
fn the_old_spelling_of_apsta() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| {
            // It takes the mode only at the second time, after FAPSTA.
            module.settings.insert("FAPSTA", b"off".to_vec());
            refuses(module, "AT+WMODE=APSTA");
        },
    );
    assert_eq!(
        run.bench.module.setting("FAPSTA"),
        "off",
        "what was in vain is undone"
    );
    assert_eq!(run.result.unwrap().path, JoinPath::Direct);
}

#[test]
fn a_plug_on_a_network_moves_to_another() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| {
            module.settings.insert("WMODE", b"STA".to_vec());
            module.settings.insert(
                "WANN",
                b"static,192.168.9.13,255.255.255.0,192.168.9.1".to_vec(),
            );
            module.on_our_network = true;
        },
    );
    let outcome = run.result.as_ref().unwrap();
    assert_eq!(
        (outcome.path, outcome.mode_before),
        (JoinPath::Direct, Some(Mode::Sta))
    );
    assert_eq!(
        run.steps().join(" "),
        "find read ssid key read-back dhcp restart"
    );
    assert_eq!(run.bench.module.setting("WSSSID"), "home");
    assert_eq!(run.bench.module.setting("WANN"), "DHCP");
    assert_eq!(run.sent("AT+WMODE=STA"), 0);
}

#[test]
fn no_address_on_the_network() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| module.gives_lease = false,
    );
    assert_eq!(
        run.failure(),
        (
            &JoinError::NoLease(Ssid::new("home").unwrap()),
            ModuleState::Restored
        )
    );
    assert_as_before(&run.bench.module);
}

#[test]
fn a_router_that_answers_no_ping_is_a_remark() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| module.ping = "+ok=Timeout",
    );
    assert!(run.result.is_ok());
    assert!(run.steps().contains(&"ping!".to_owned()));
}

#[test]
fn a_lost_restart_is_sent_again_only_while_the_module_answers() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| module.ignores_restarts = 1,
    );
    assert!(run.result.is_ok(), "{:?}", run.result);
    assert_eq!((run.sent("AT+Z"), run.bench.module.restarts), (3, 2));
    let heard: Vec<_> = run
        .bench
        .module
        .log
        .iter()
        .filter(|line| line.starts_with("AT+Z"))
        .collect();
    assert_eq!(heard.len(), 3);
}

#[test]
fn a_module_that_never_restarts() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| module.ignores_restarts = 99,
    );
    assert_eq!(
        run.failure(),
        (&JoinError::NotRestarting, ModuleState::Restored)
    );
    assert_as_before(&run.bench.module);
    assert_eq!(run.sent("AT+Z"), 8);
}

#[test]
fn a_module_that_does_not_come_back() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| {
            module.restart_takes = Duration::from_secs(3600);
        },
    );
    assert_eq!(run.failure(), (&JoinError::NotBack, ModuleState::Unknown));
    assert!(run.bench.elapsed() < Duration::from_secs(70));
    run.assert_left();
}

#[test]
fn nobody_there() {
    let run = run(config(), |module| {
        module.word = b"unknown";
    });
    assert_eq!(run.failure(), (&JoinError::NoReply, ModuleState::Untouched));
    run.assert_left();
}

#[test]
fn a_clone_that_is_always_open() {
    let run = run(
        JoinConfig {
            security: WifiSecurity::Wpa2,
            ..config()
        },
        |module| {
            module.word = b"unknown";
            module.handshake = false;
        },
    );
    let outcome = run.result.as_ref().unwrap();
    assert_eq!(
        (outcome.mac.compact().as_str(), outcome.identity.is_none()),
        ("ACCF235676D6", true)
    );
    assert_eq!(run.bench.module.mode(), "STA");
}
