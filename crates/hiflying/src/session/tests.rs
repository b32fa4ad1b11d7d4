mod rough;

use std::time::Duration;

use super::*;
use crate::DiscoveryWord;
use crate::command::{self, AtCommand, AtCommandError};
use crate::settings::Mode;
use crate::testing::{ConfirmReply, ModuleBench, NetworkFaults, ScriptedModule, ms};
use crate::wifi::{Credentials, WifiKey};

fn bench(module: ScriptedModule, faults: NetworkFaults, seed: u64) -> ModuleBench<AtSession> {
    ModuleBench::new(module, faults, seed, |now| {
        AtSession::new(AtSessionConfig::default(), now)
    })
}

fn faithful(change: impl FnOnce(&mut ScriptedModule)) -> ModuleBench<AtSession> {
    bench(ScriptedModule::with(change), NetworkFaults::default(), 1)
}

/// Runs one command to its end.
fn ask<C: AtCommand>(
    bench: &mut ModuleBench<AtSession>,
    command: &C,
) -> Result<Result<C::Reply, AtCommandError>, NoReply> {
    send(bench, command.request()).map(|raw| command.parse(&raw))
}

/// Runs one raw request to its end.
fn send(
    bench: &mut ModuleBench<AtSession>,
    request: AtRequest,
) -> Result<Zeroizing<Vec<u8>>, NoReply> {
    let wanted = bench.machine.submit(bench.now, request);
    let mut result = None;
    bench.run(|session| {
        while let Some(event) = session.poll_event() {
            match event {
                AtSessionEvent::Reply { id, raw } if id == wanted => result = Some(Ok(raw)),
                AtSessionEvent::Failed { id, error } if id == wanted => result = Some(Err(error)),
                _ => {}
            }
        }
        result.is_some()
    });
    result.expect("every command ends")
}

fn mode<R>(value: R) -> Result<Result<R, AtCommandError>, NoReply> {
    Ok(Ok(value))
}

fn key(text: &str) -> command::SetWskey {
    command::SetWskey(Credentials::wpa2(WifiKey::new(text)))
}

#[test]
fn a_faithful_module_is_asked_without_delay() {
    let mut bench = faithful(|_| {});
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
    assert_eq!(
        bench.sent,
        [&b"HF-A11ASSISTHREAD"[..], b"+ok", b"AT+\r", b"AT+WMODE\r"]
    );
    assert!(bench.elapsed() < ms(10), "{:?}", bench.elapsed());
    assert_eq!(
        bench.machine.identity().unwrap().mac.compact(),
        "ACCF235676D6"
    );
    let now = bench.now;
    bench.machine.close(now);
    bench.pass(ms(10));
    assert_eq!(bench.sent.last().unwrap(), b"AT+Q\r");
    bench.machine.close(now);
    assert_eq!(bench.machine.poll_transmit(), None);
}

#[test]
fn every_way_to_answer_the_confirmation() {
    for to_confirm in [ConfirmReply::Silence, ConfirmReply::Ok, ConfirmReply::Error] {
        let mut bench = faithful(|module| module.to_confirm = to_confirm);
        assert_eq!(
            ask(&mut bench, &command::Wmode),
            mode(Mode::Ap),
            "{to_confirm:?}"
        );
        assert_eq!(
            ask(&mut bench, &key("12345678")),
            mode(()),
            "{to_confirm:?}"
        );
        assert_eq!(
            ask(&mut bench, &command::Mid),
            mode("HF-LPB100".to_owned()),
            "{to_confirm:?}"
        );
        assert!(bench.elapsed() < ms(30), "{:?}", bench.elapsed());
    }
}

#[test]
fn a_session_that_is_open_already() {
    let mut bench = faithful(|module| module.to_confirm = ConfirmReply::Error);
    ask(&mut bench, &command::Wmode).unwrap().unwrap();
    // Another client of the same host begins while the module is still in command mode.
    let now = bench.now;
    bench.machine = AtSession::new(AtSessionConfig::default(), now);
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
}

#[test]
fn the_second_word_and_a_word_of_the_user() {
    let mut bench = faithful(|module| module.word = b"WIFIKIT-214028-READ");
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
    let config = AtSessionConfig {
        words: vec!["mine".parse::<DiscoveryWord>().unwrap()],
        ..AtSessionConfig::default()
    };
    let module = ScriptedModule::with(|module| module.word = b"mine");
    let mut bench = ModuleBench::new(module, NetworkFaults::default(), 1, |now| {
        AtSession::new(config, now)
    });
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
}

#[test]
fn a_clone_without_handshake() {
    let mut bench = faithful(|module| {
        module.word = b"unknown";
        module.handshake = false;
        module.tail = "\r";
    });
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
    assert!(
        bench.elapsed() < Duration::from_secs(1),
        "{:?}",
        bench.elapsed()
    );
    assert_eq!(bench.machine.identity(), None);
}

#[test]
fn line_ends_are_tried_in_turn() {
    for terminator in ["\r", "\n", "\r\n"] {
        for to_confirm in [ConfirmReply::Silence, ConfirmReply::Ok, ConfirmReply::Error] {
            let mut bench = faithful(|module| {
                module.terminators = vec![terminator];
                module.to_confirm = to_confirm;
            });
            assert_eq!(
                ask(&mut bench, &command::Wmode),
                mode(Mode::Ap),
                "{terminator:?} {to_confirm:?}"
            );
            let before = bench.sent.len();
            assert_eq!(ask(&mut bench, &command::Mid), mode("HF-LPB100".to_owned()));
            assert_eq!(bench.sent.len(), before + 1, "the line end is remembered");
        }
    }
}

#[test]
fn greeting_and_echo_before_a_reply_are_skipped() {
    for replies in [
        &[&b"AT+YZCMPVER=MW3\r\n\r\n"[..], b"+ok=HF-LPB100\r\n\r\n"][..],
        &[b"welcome\r\n\r\n", b"+ok=HF-LPB100\r\n\r\n"],
        &[b"welcome", b"+ok=HF-LPB100\r\n\r\n"],
        &[b"AT+MID\r\n\r\n+ok=HF-LPB100\r\n\r\n"],
        &[b"welcome\r\n+ok=HF-LPB100\r\n\r\n"],
    ] {
        let mut bench = faithful(|module| {
            let replies = replies.iter().map(|bytes| bytes.to_vec()).collect();
            module.replies.insert("AT+MID".into(), replies);
        });
        assert_eq!(
            ask(&mut bench, &command::Mid),
            mode("HF-LPB100".to_owned()),
            "{replies:?}"
        );
    }
}

#[test]
fn nobody_there() {
    let mut bench = faithful(|module| module.restart_takes = Duration::ZERO);
    bench.module.word = b"unknown";
    assert_eq!(ask(&mut bench, &command::Wmode), Err(NoReply::Timeout));
    assert_eq!(
        bench.elapsed(),
        AtSessionConfig::default().handshake_timeout
    );
    assert!(!bench.machine.is_open());
    assert_eq!(bench.machine.poll_timeout(), None);
    // The next command looks again.
    bench.module.word = b"HF-A11ASSISTHREAD";
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
    // Leaving, always.
    let now = bench.now;
    bench.machine.close(now);
    bench.pass(ms(1));
    assert!(bench.sent.last().unwrap().starts_with(b"AT+Q"));
}

#[test]
fn commands_after_leaving_fail() {
    let mut bench = faithful(|_| {});
    let now = bench.now;
    let waiting = bench.machine.submit(now, command::Wmode.request());
    bench.machine.close(now);
    let late = bench.machine.submit(now, command::Wmode.request());
    let events: Vec<_> = std::iter::from_fn(|| bench.machine.poll_event()).collect();
    assert_eq!(
        events,
        [
            AtSessionEvent::Failed {
                id: waiting,
                error: NoReply::Closed
            },
            AtSessionEvent::Closed,
            AtSessionEvent::Failed {
                id: late,
                error: NoReply::Closed
            },
        ]
    );
}

#[test]
fn refusals_are_replies() {
    let mut bench = faithful(|module| {
        module.replies.insert(
            "AT+WSKEY=WPA2PSK,AES,12345678".into(),
            vec![b"+ERR=-4\r\n\r\n".to_vec()],
        );
    });
    let no_key = Ok(Err(AtCommandError::Refused(crate::ErrorCode::Parameter)));
    let no_verb = Ok(Err(AtCommandError::Refused(crate::ErrorCode::Verb)));
    assert_eq!(ask(&mut bench, &key("12345678")), no_key);
    assert_eq!(ask(&mut bench, &command::Aswd), no_verb);
}

#[test]
fn a_lost_session_is_opened_again() {
    let mut bench = faithful(|_| {});
    ask(&mut bench, &command::Wmode).unwrap().unwrap();
    bench.module.forget_session();
    assert_eq!(ask(&mut bench, &command::Mid), mode("HF-LPB100".to_owned()));
    let words = bench
        .sent
        .iter()
        .filter(|bytes| bytes.as_slice() == DiscoveryWord::HF_A11.as_bytes())
        .count();
    assert_eq!(words, 2);
}

#[test]
fn an_idle_session_is_kept_alive() {
    let mut bench = faithful(|_| {});
    ask(&mut bench, &command::Wmode).unwrap().unwrap();
    bench.pass(Duration::from_secs(100));
    let kept = bench
        .sent
        .iter()
        .filter(|bytes| bytes.as_slice() == b"AT+W\r")
        .count();
    assert_eq!(kept, 2);
    assert_eq!(ask(&mut bench, &command::Mid), mode("HF-LPB100".to_owned()));
}

#[test]
fn a_factory_reset_is_sent_once() {
    let mut bench = faithful(|module| {
        module.replies.insert("AT+RELD".into(), vec![]);
    });
    assert_eq!(
        send(&mut bench, AtRequest::query("RELD")),
        Err(NoReply::Timeout)
    );
    bench.pass(Duration::from_secs(30));
    assert_eq!(
        bench
            .sent
            .iter()
            .filter(|bytes| bytes.starts_with(b"AT+RELD"))
            .count(),
        1
    );
}

#[test]
fn an_unknown_verb_is_sent_once() {
    let mut bench = faithful(|module| {
        module.replies.insert("AT+OEM=1".into(), vec![]);
    });
    let now = bench.now;
    bench.machine.submit(now, AtRequest::set("OEM", "1"));
    bench.pass(Duration::from_secs(30));
    assert_eq!(
        bench
            .sent
            .iter()
            .filter(|bytes| bytes.starts_with(b"AT+OEM"))
            .count(),
        1
    );
}

#[test]
fn a_restart_without_answer_is_a_success() {
    for answers in [true, false] {
        let mut bench = faithful(|module| module.answers_restart = answers);
        let reply = send(&mut bench, AtRequest::query("Z")).unwrap();
        assert_eq!(reply.is_empty(), !answers, "{reply:?}");
        assert!(bench.elapsed() < Duration::from_secs(1));
        assert_eq!(bench.module.restarts, 1);
    }
}

#[test]
fn a_scan_in_several_datagrams() {
    let rows: Vec<Vec<u8>> = vec![
        wscan_header(),
        b"1,ZJSW_GUEST,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r".to_vec(),
        b"1,ZJSW,3C:E5:A6:61:B4:41,OPEN/NONE,74\n\r".to_vec(),
    ];
    let with = |rest: &[&[u8]]| {
        let rest = rest.iter().map(|bytes| bytes.to_vec());
        let rows = rows.clone().into_iter().chain(rest).collect();
        faithful(|module| {
            module.replies.insert("AT+WSCAN".into(), rows);
        })
    };
    // A blank datagram ends it at once.
    let mut bench = with(&[b"\r\n"]);
    assert_eq!(ask(&mut bench, &command::Wscan).unwrap().unwrap().len(), 2);
    assert!(bench.elapsed() < ms(100), "{:?}", bench.elapsed());
    // Silence ends it as well.
    let mut bench = with(&[]);
    assert_eq!(ask(&mut bench, &command::Wscan).unwrap().unwrap().len(), 2);
    assert!(
        (ms(1500)..ms(1600)).contains(&bench.elapsed()),
        "{:?}",
        bench.elapsed()
    );
    // One datagram with everything.
    let mut bench = faithful(|module| {
        module.replies.insert(
            "AT+WSCAN".into(),
            vec![[rows.concat(), b"\r\n\r\n".to_vec()].concat()],
        );
    });
    assert_eq!(ask(&mut bench, &command::Wscan).unwrap().unwrap().len(), 2);
    assert!(bench.elapsed() < ms(100), "{:?}", bench.elapsed());
}

fn wscan_header() -> Vec<u8> {
    crate::testing::LIST_HEADER.to_vec()
}

#[test]
fn a_silent_scan_ends_after_its_budget() {
    let mut bench = faithful(|module| {
        module.replies.insert("AT+WSCAN".into(), vec![]);
    });
    assert_eq!(ask(&mut bench, &command::Wscan), Err(NoReply::Timeout));
    assert!(bench.elapsed() < Duration::from_millis(12_100));
}
