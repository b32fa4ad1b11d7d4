mod edges;
mod roll_back;
mod rough;

use std::time::Duration;

use super::*;
use crate::ACCESS_POINT_ADDRESS;
use crate::settings::Mode;
use crate::testing::{ModuleBench, NetworkFaults, ScriptedModule, ms};
use crate::wifi::{Ssid, WifiKey, WifiSecurity};

struct JoinRun {
    result: Result<JoinOutcome, JoinFailure>,
    rejoins: Vec<RejoinReason>,
    bench: ModuleBench<Join>,
}

impl JoinRun {
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
    JoinConfig::new(Ssid::new("home").unwrap(), Some(WifiKey::new("secret12")))
}

fn bench(
    config: JoinConfig,
    module: ScriptedModule,
    faults: NetworkFaults,
    seed: u64,
) -> ModuleBench<Join> {
    ModuleBench::new(module, faults, seed, |now| {
        Join::new(config, ACCESS_POINT_ADDRESS, now)
    })
}

/// Plays the caller, who needs a second to be back on the access point.
fn finish(mut bench: ModuleBench<Join>) -> JoinRun {
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
        return JoinRun {
            result,
            rejoins,
            bench,
        };
    }
}

fn run(config: JoinConfig, change: impl FnOnce(&mut ScriptedModule)) -> JoinRun {
    finish(bench(
        config,
        ScriptedModule::with(change),
        NetworkFaults::default(),
        1,
    ))
}

fn refuses(module: &mut ScriptedModule, line: &str) {
    module
        .replies
        .insert(line.to_owned(), vec![b"+ERR=-4\r\n\r\n".to_vec()]);
}

fn scan(module: &mut ScriptedModule, rows: &[&str]) {
    let header = crate::testing::LIST_HEADER.to_vec();
    let rows = rows.iter().map(|row| format!("{row}\n\r").into_bytes());
    let list = std::iter::once(header)
        .chain(rows)
        .chain([b"\r\n".to_vec()])
        .collect();
    module.replies.insert("AT+WSCAN".to_owned(), list);
}

/// Asserts the settings of a module before any change.
fn assert_as_before(module: &ScriptedModule) {
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
            security: WifiSecurity::Wpa2,
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
            key: Some(WifiKey::new("wrongkey")),
            security: WifiSecurity::Wpa2,
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
                key: Some(WifiKey::new("wrongkey")),
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
        key: Some(WifiKey::new("abcde")),
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
            &JoinError::Key(crate::wifi::WifiKeyError::Unexpected),
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
            security: WifiSecurity::Wpa2,
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
            security: WifiSecurity::Wpa2,
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
        let config = JoinConfig::new(Ssid::new(ssid).unwrap(), Some(WifiKey::new(key)));
        let run = run(
            JoinConfig {
                security: WifiSecurity::Wpa2,
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
        security: WifiSecurity::Wpa2,
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
        module.later_reply = Some(("AT+WMODE=APSTA".to_owned(), b"+ERR=-4\r\n\r\n".to_vec()));
    });
    let outcome = run.result.as_ref().unwrap();
    assert_eq!(outcome.path, JoinPath::Direct);
    assert_eq!(run.bench.module.mode(), "STA");
}
