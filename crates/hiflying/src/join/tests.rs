use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ACCESS_POINT_ADDRESS;
use crate::testing::{Bench, Faults, IDENTITY, Module, ms};
use crate::wifi::{Key, Security, Ssid};

struct Run {
    result: Result<JoinOutcome, JoinFailure>,
    rejoins: Vec<RejoinReason>,
    bench: Bench<Join>,
}

impl Run {
    fn steps(&self) -> Vec<String> {
        let steps = match &self.result {
            Ok(outcome) => &outcome.steps,
            Err(failure) => &failure.steps,
        };
        steps
            .iter()
            .map(|step| format!("{}{}", step.name, if step.ok { "" } else { "!" }))
            .collect()
    }

    fn failure(&self) -> (&JoinError, ModuleState) {
        let failure = self.result.as_ref().expect_err("a failure");
        (&failure.error, failure.left)
    }

    fn sent(&self, line: &str) -> usize {
        self.bench
            .sent
            .iter()
            .filter(|bytes| bytes.trim_ascii_end() == line.as_bytes())
            .count()
    }

    /// No join ends without leaving command mode.
    fn assert_left(&self) {
        assert!(
            self.bench
                .sent
                .last()
                .is_some_and(|bytes| bytes.starts_with(b"AT+Q"))
        );
    }
}

fn config() -> JoinConfig {
    JoinConfig::new(Ssid::new("home").unwrap(), Some(Key::new("secret12")))
}

fn bench(config: JoinConfig, module: Module, faults: Faults, seed: u64) -> Bench<Join> {
    Bench::new(module, faults, seed, |now| {
        Join::new(config, ACCESS_POINT_ADDRESS, now)
    })
}

/// Plays the caller, who needs a second to be back on the access point.
fn finish(mut bench: Bench<Join>) -> Run {
    let mut rejoins = Vec::new();
    loop {
        let mut event = None;
        assert!(
            bench.run(|join| {
                event = join.poll_event();
                event.is_some()
            }),
            "a join always ends; after {rejoins:?}"
        );
        let result = match event.unwrap() {
            JoinEvent::Rejoin(reason) => {
                rejoins.push(reason);
                bench.pass(ms(1000));
                let now = bench.now;
                bench.machine.resume(now);
                continue;
            }
            JoinEvent::Done(outcome) => Ok(*outcome),
            JoinEvent::Failed(failure) => Err(*failure),
            JoinEvent::Identified { .. } | JoinEvent::Step(_) => continue,
        };
        bench.pass(ms(50));
        return Run {
            result,
            rejoins,
            bench,
        };
    }
}

fn run(config: JoinConfig, change: impl FnOnce(&mut Module)) -> Run {
    finish(bench(config, Module::with(change), Faults::default(), 1))
}

fn refuses(module: &mut Module, line: &str) {
    module
        .replies
        .insert(line.to_owned(), vec![b"+ERR=-4\r\n\r\n".to_vec()]);
}

fn scan(module: &mut Module, rows: &[&str]) {
    let header = crate::wscan::HEADER.to_vec();
    let rows = rows.iter().map(|row| format!("{row}\n\r").into_bytes());
    let list = std::iter::once(header)
        .chain(rows)
        .chain([b"\r\n".to_vec()])
        .collect();
    module.replies.insert("AT+WSCAN".to_owned(), list);
}

/// What a faithful module holds before anything is changed.
fn assert_as_before(module: &Module) {
    assert_eq!(module.setting("WMODE"), "AP");
    assert_eq!(module.setting("WSSSID"), "factory");
    assert_eq!(module.setting("WSKEY"), "OPEN,NONE");
    assert_eq!(module.mode(), "AP");
}

#[test]
fn the_verified_path() {
    let run = run(config(), |module| {
        scan(module, &["6,home,3C:E5:A6:61:B4:40,WPA2PSK/AES,76"]);
    });
    assert_eq!(
        run.steps().join(" "),
        "find read scan mode ssid key read-back restart return link lease ping station restart"
    );
    assert_eq!(run.rejoins, [RejoinReason::Proof]);
    let outcome = run.result.as_ref().unwrap();
    assert_eq!(outcome.path, JoinPath::Verified);
    assert_eq!(outcome.mac.compact(), "ACCF235676D6");
    assert_eq!(outcome.mode_before, Some(Mode::Ap));
    assert_eq!(outcome.lease.unwrap().address.to_string(), "192.168.1.123");
    assert_eq!(
        (run.bench.module.mode().as_str(), run.bench.module.restarts),
        ("STA", 2)
    );
    assert_eq!(run.sent("AT+Z"), 2);
    run.assert_left();
}

#[test]
fn the_order_of_the_recipe() {
    let run = run(
        JoinConfig {
            verify: false,
            security: Security::Wpa2,
            ..config()
        },
        |_| {},
    );
    let sent: Vec<_> = run
        .bench
        .sent
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    let lines: Vec<&str> = sent
        .iter()
        .map(|line| line.trim_end())
        .filter(|line| *line != "AT+")
        .collect();
    assert_eq!(
        lines,
        [
            "HF-A11ASSISTHREAD",
            "+ok",
            "AT+WMODE",
            "AT+WSSSID",
            "AT+WSKEY",
            "AT+WANN",
            "AT+WSSSID=home",
            "AT+WSKEY=WPA2PSK,AES,secret12",
            "AT+WSSSID",
            "AT+WSKEY",
            "AT+WMODE=STA",
            "AT+WMODE",
            "AT+Z",
            "AT+Q",
        ]
    );
    let outcome = run.result.unwrap();
    assert_eq!((outcome.path, outcome.lease), (JoinPath::Direct, None));
    assert_eq!(run.rejoins, []);
    assert!(
        run.bench.elapsed() < Duration::from_secs(1),
        "{:?}",
        run.bench.elapsed()
    );
}

#[test]
fn a_wrong_key_leaves_the_plug_as_it_was() {
    let run = run(
        JoinConfig {
            key: Some(Key::new("wrongkey")),
            security: Security::Wpa2,
            ..config()
        },
        |_| {},
    );
    let ssid = Ssid::new("home").unwrap();
    assert_eq!(
        run.failure(),
        (
            &JoinError::WrongKey { ssid, seen: false },
            ModuleState::Restored
        )
    );
    assert_eq!(run.rejoins, [RejoinReason::Proof, RejoinReason::RollBack]);
    assert_eq!(
        run.steps().join(" "),
        "find read mode ssid key read-back restart return link! roll-back restart return"
    );
    assert_as_before(&run.bench.module);
    assert!(
        run.bench.elapsed() < Duration::from_secs(40),
        "{:?}",
        run.bench.elapsed()
    );
    run.assert_left();
}

#[test]
fn a_network_out_of_reach_is_told_from_a_wrong_key() {
    let seen = |row: &str| {
        let run = run(
            JoinConfig {
                key: Some(Key::new("wrongkey")),
                ..config()
            },
            |module| scan(module, &[row]),
        );
        let JoinError::WrongKey { seen, .. } = *run.failure().0 else {
            panic!("{:?}", run.result)
        };
        seen
    };
    assert!(seen("6,home,3C:E5:A6:61:B4:40,WPA2PSK/AES,76"));
    assert!(!seen("6,other,3C:E5:A6:61:B4:40,WPA2PSK/AES,76"));
}

#[test]
fn the_second_security_of_a_mixed_network() {
    let run = run(config(), |module| {
        scan(
            module,
            &["6,home,3C:E5:A6:61:B4:40,WPAPSKWPA2PSK/TKIPAES,76"],
        );
        module.home.1 = b"WPAPSK,TKIP,secret12".to_vec();
    });
    assert_eq!(run.result.as_ref().unwrap().path, JoinPath::Verified);
    assert_eq!(run.rejoins, [RejoinReason::Proof, RejoinReason::Proof]);
    assert_eq!(run.bench.module.setting("WSKEY"), "WPAPSK,TKIP,secret12");
}

#[test]
fn wep_is_shared_first_then_open() {
    let config = JoinConfig {
        key: Some(Key::new("abcde")),
        ..config()
    };
    let run = run(config, |module| {
        scan(module, &["6,home,3C:E5:A6:61:B4:40,SHARED/WEP,76"]);
        refuses(module, "AT+WSKEY=SHARED,WEP-A,abcde");
        module.home.1 = b"OPEN,WEP-A,abcde".to_vec();
    });
    assert!(run.result.is_ok(), "{:?}", run.result);
    assert_eq!(
        run.rejoins,
        [RejoinReason::Proof],
        "a refused one costs no restart"
    );
}

#[test]
fn open_networks() {
    let open = JoinConfig {
        key: None,
        ..config()
    };
    let run = run(open, |module| {
        scan(module, &["6,home,3C:E5:A6:61:B4:40,OPEN/NONE,76"]);
        module.home.1 = b"OPEN,NONE".to_vec();
    });
    assert!(run.result.is_ok(), "{:?}", run.result);
}

#[test]
fn a_key_that_cannot_fit_is_refused_before_anything_is_changed() {
    let run = run(config(), |module| {
        scan(module, &["6,home,3C:E5:A6:61:B4:40,OPEN/NONE,76"]);
    });
    assert_eq!(
        run.failure(),
        (
            &JoinError::Key(crate::wifi::KeyError::Unexpected),
            ModuleState::Untouched
        )
    );
    assert!(!run.bench.sent.iter().any(|bytes| bytes.contains(&b'=')));
    run.assert_left();
}

#[test]
fn a_refused_key_or_name_is_rolled_back() {
    for (line, step) in [
        ("AT+WSKEY=WPA2PSK,AES,secret12", StepName::Key),
        ("AT+WSSSID=home", StepName::Ssid),
    ] {
        let config = JoinConfig {
            security: Security::Wpa2,
            ..config()
        };
        let run = run(config, |module| refuses(module, line));
        let code = crate::ErrorCode::Parameter;
        assert_eq!(
            run.failure(),
            (&JoinError::Refused { step, code }, ModuleState::Restored)
        );
        assert_as_before(&run.bench.module);
        assert_eq!((run.bench.module.restarts, run.rejoins.len()), (0, 0));
        run.assert_left();
    }
}

#[test]
fn what_was_refused_is_not_written_back() {
    let run = run(config(), |module| {
        for line in [
            "WSCAN",
            "WMODE=APSTA",
            "FAPSTA=on",
            "FAPSTA=off",
            "WSSSID=home",
        ] {
            let refusal = vec![b"+ERR=-5\r\n\r\n".to_vec()];
            module.replies.insert(format!("AT+{line}"), refusal);
        }
    });
    let (step, code) = (StepName::Ssid, crate::ErrorCode::NotPermitted);
    assert_eq!(
        run.failure(),
        (&JoinError::Refused { step, code }, ModuleState::Untouched)
    );
    assert_eq!(run.sent("AT+WMODE=AP"), 0);
}

#[test]
fn a_clone_that_answers_the_word_and_needs_no_opening() {
    let run = run(
        JoinConfig {
            security: Security::Wpa2,
            ..config()
        },
        |module| module.handshake = false,
    );
    assert!(run.result.is_ok(), "{:?}", run.result);
    assert_eq!(
        (run.bench.module.mode().as_str(), run.bench.module.restarts),
        ("STA", 2)
    );
}

#[test]
fn a_mangled_name_or_key_is_caught_before_the_restart() {
    for (ssid, key, what) in [
        ("a,b", "secret12", StepName::Ssid),
        ("home", "secret,12", StepName::Key),
    ] {
        let config = JoinConfig::new(Ssid::new(ssid).unwrap(), Some(Key::new(key)));
        let run = run(
            JoinConfig {
                security: Security::Wpa2,
                ..config
            },
            |module| module.mangles_commas = true,
        );
        assert_eq!(
            run.failure(),
            (&JoinError::Mangled(what), ModuleState::Restored)
        );
        assert_as_before(&run.bench.module);
        assert_eq!(run.bench.module.restarts, 0);
    }
}

#[test]
fn a_mode_that_did_not_arrive_is_written_again_and_then_trusted() {
    // Says `+ok` and keeps the mode, like a lost command whose answer was taken from another one.
    let config = JoinConfig {
        security: Security::Wpa2,
        ..config()
    };
    let run = run(config, |module| {
        module
            .replies
            .insert("AT+WMODE=APSTA".to_owned(), vec![b"+ok\r\n\r\n".to_vec()]);
    });
    assert_eq!(run.sent("AT+WMODE=APSTA"), 2);
    assert!(
        run.sent("AT+Z") > 0,
        "it may report the mode that it runs in"
    );
    run.assert_left();
}

#[test]
fn a_mode_that_is_refused_the_second_time_is_done_without() {
    // The module refuses, but its first answer was taken from another command.
    let run = run(config(), |module| {
        let replies = &mut module.replies;
        replies.insert("AT+WMODE=APSTA".to_owned(), vec![b"+ok\r\n\r\n".to_vec()]);
        module.changes_its_mind = Some(("AT+WMODE=APSTA".to_owned(), b"+ERR=-4\r\n\r\n".to_vec()));
    });
    let outcome = run.result.as_ref().unwrap();
    assert_eq!(outcome.path, JoinPath::Direct);
    assert_eq!(run.bench.module.mode(), "STA");
}

#[test]
fn names_and_keys_with_everything_in_them() {
    for (ssid, key) in [
        ("a, b=c \"d\" 'e'", "x,y=z \"q\" \\"),
        (" ", "        "),
        ("Grüße 🏠", "pässwörter"),
        ("12345678901234567890123456789012", &"k".repeat(63)),
    ] {
        let config = JoinConfig::new(Ssid::new(ssid).unwrap(), Some(Key::new(key)));
        let run = run(
            JoinConfig {
                security: Security::Wpa2,
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
fn a_module_without_apsta_goes_the_direct_path() {
    let run = run(
        JoinConfig {
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
            security: Security::Wpa2,
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
    assert_eq!(
        run.failure(),
        (&JoinError::NoAnswer, ModuleState::Untouched)
    );
    run.assert_left();
}

#[test]
fn a_clone_that_is_always_open() {
    let run = run(
        JoinConfig {
            security: Security::Wpa2,
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

#[test]
fn stopping_writes_back_what_was_there() {
    // At every moment of a join, from the first datagram to the last.
    for milliseconds in (0..12_000).step_by(97) {
        let config = JoinConfig {
            security: Security::Wpa2,
            link_timeout: Duration::from_secs(5),
            ..config()
        };
        let mut bench = bench(config, Module::default(), Faults::default(), 1);
        bench.pass(ms(milliseconds));
        // The caller comes back late or never; either way it can be stopped.
        if milliseconds % 2 == 0 {
            let now = bench.now;
            bench.machine.resume(now);
            bench.pass(ms(milliseconds / 2));
        }
        let now = bench.now;
        bench.machine.cancel(now);
        let run = finish(bench);
        match &run.result {
            Ok(_) => assert_eq!(run.bench.module.mode(), "STA", "{milliseconds}"),
            Err(failure) => {
                assert_eq!(failure.error, JoinError::Cancelled, "{milliseconds}");
                assert_ne!(failure.left, ModuleState::Unknown, "{milliseconds}");
                assert_as_before(&run.bench.module);
            }
        }
        run.assert_left();
    }
}

#[test]
fn giving_up_the_way_back() {
    let mut bench = bench(config(), Module::default(), Faults::default(), 1);
    bench.run(|join| {
        std::iter::from_fn(|| join.poll_event()).any(|event| matches!(event, JoinEvent::Rejoin(_)))
    });
    let now = bench.now;
    bench.machine.give_up(now);
    let run = finish(bench);
    assert_eq!(run.failure(), (&JoinError::NotBack, ModuleState::Unknown));
    run.assert_left();
}

#[test]
fn lossy_networks() {
    for loss in [0.2, 0.4] {
        let mut joined = 0;
        for seed in 0..100 {
            let config = JoinConfig {
                security: Security::Wpa2,
                ..config()
            };
            let run = finish(bench(
                config,
                Module::default(),
                Faults {
                    loss,
                    ..Faults::default()
                },
                seed,
            ));
            match &run.result {
                Ok(_) => {
                    assert_eq!(run.bench.module.setting("WSKEY"), "WPA2PSK,AES,secret12");
                    joined += 1;
                }
                Err(failure) => assert!(
                    matches!(
                        failure.error,
                        JoinError::NoAnswer
                            | JoinError::Lost(_)
                            | JoinError::NotBack
                            | JoinError::NotRestarting
                    ),
                    "seed {seed}: {failure:?}"
                ),
            }
        }
        assert!(joined >= 97, "{joined} of 100 at a loss of {loss}");
    }
}

#[test]
fn doubled_delayed_and_split_datagrams() {
    for seed in 0..100 {
        let config = JoinConfig {
            security: Security::Wpa2,
            ..config()
        };
        // Pieces out of order cannot be put together; whole datagrams out of order can be told
        // apart.
        let split = seed % 2 == 0;
        let jitter = if split { ms(0) } else { ms(20) };
        let faults = Faults {
            loss: 0.1,
            doubling: 0.3,
            jitter,
            split,
        };
        let run = finish(bench(config, Module::default(), faults, seed));
        assert!(run.result.is_ok(), "seed {seed}: {:?}", run.result);
        assert_eq!(run.bench.module.setting("WSSSID"), "home");
    }
}

#[test]
fn keys_never_appear_in_what_a_join_tells() {
    for key in ["secret12", "wrongkey"] {
        let config = JoinConfig {
            key: Some(Key::new(key)),
            security: Security::Wpa2,
            ..config()
        };
        assert!(!format!("{config:?}").contains(key));
        let mut bench = bench(config, Module::default(), Faults::default(), 1);
        let mut told = String::new();
        for _ in 0..200 {
            bench.pass(ms(300));
            while let Some(event) = bench.machine.poll_event() {
                told.push_str(&format!("{event:?} "));
                if let JoinEvent::Failed(failure) = &event {
                    told.push_str(&failure.to_string());
                }
            }
            told.push_str(&format!("{:?}", bench.machine));
            let now = bench.now;
            bench.machine.resume(now);
        }
        assert!(told.contains("Done") || told.contains("Failed"));
        assert!(!told.contains(key));
        let bytes: Vec<String> = key.bytes().map(|byte| byte.to_string()).collect();
        assert!(
            !told.contains(&bytes.join(", ")),
            "nor as a list of numbers"
        );
    }
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(IDENTITY.to_vec()),
        Just(b"+ok\r\n\r\n".to_vec()),
        Just(b"+ok=AP\r\n\r\n".to_vec()),
        Just(b"+ok=home\r\n\r\n".to_vec()),
        Just(b"+ok=WPA2PSK,AES,secret12\r\n\r\n".to_vec()),
        Just(b"+ok=home(D0C7C0CCA010)\r\n\r\n".to_vec()),
        Just(b"+ok=DHCP,192.168.1.123,255.255.255.0,192.168.1.1\r\n\r\n".to_vec()),
        Just(b"+ERR=-4\r\n\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_a_join_ends_once(
        inputs in proptest::collection::vec((0..2000u64, datagram(), 0..40u8), 0..120)
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut join = Join::new(config(), ACCESS_POINT_ADDRESS, now);
        let mut ends = 0;
        let drain = |join: &mut Join| {
            while join.poll_transmit().is_some() {}
            std::iter::from_fn(|| join.poll_event())
                .filter(|event| matches!(event, JoinEvent::Done(_) | JoinEvent::Failed(_)))
                .count()
        };
        for (wait, datagram, action) in inputs {
            now += ms(wait);
            join.handle_timeout(now);
            join.handle_datagram(now, &datagram);
            match action {
                0 => join.cancel(now),
                1 => join.give_up(now),
                2..10 => join.resume(now),
                _ => {}
            }
            ends += drain(&mut join);
        }
        for _ in 0..20_000 {
            join.resume(now);
            ends += drain(&mut join);
            let Some(at) = join.poll_timeout() else { break };
            now = now.max(at);
            join.handle_timeout(now);
        }
        ends += drain(&mut join);
        prop_assert_eq!(ends, 1);
    }
}
