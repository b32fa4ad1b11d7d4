use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Word;
use crate::command::{self, Command, CommandError};
use crate::settings::Mode;
use crate::testing::{Bench, Faults, Module, ToConfirm, ms};
use crate::wifi::{Credentials, Key};

fn bench(module: Module, faults: Faults, seed: u64) -> Bench<Session> {
    Bench::new(module, faults, seed, |now| {
        Session::new(SessionConfig::default(), now)
    })
}

fn faithful(change: impl FnOnce(&mut Module)) -> Bench<Session> {
    bench(Module::with(change), Faults::default(), 1)
}

/// Runs one command to its end.
fn ask<C: Command>(
    bench: &mut Bench<Session>,
    command: &C,
) -> Result<Result<C::Reply, CommandError>, NoReply> {
    let wanted = bench.machine.submit(bench.now, command.request());
    let mut result = None;
    bench.run(|session| {
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Reply { id, raw } if id == wanted => {
                    result = Some(Ok(command.parse(&raw)));
                }
                SessionEvent::Failed { id, error } if id == wanted => result = Some(Err(error)),
                _ => {}
            }
        }
        result.is_some()
    });
    result.expect("every command ends")
}

fn mode<R>(value: R) -> Result<Result<R, CommandError>, NoReply> {
    Ok(Ok(value))
}

fn key(text: &str) -> command::SetWskey {
    command::SetWskey(Credentials::wpa2(Key::new(text)))
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
    for to_confirm in [ToConfirm::Silence, ToConfirm::Ok, ToConfirm::Error] {
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
    let mut bench = faithful(|module| module.to_confirm = ToConfirm::Error);
    ask(&mut bench, &command::Wmode).unwrap().unwrap();
    // Another client of the same host begins while the module is still in command mode.
    let now = bench.now;
    bench.machine = Session::new(SessionConfig::default(), now);
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
}

#[test]
fn the_second_word_and_a_word_of_the_user() {
    let mut bench = faithful(|module| module.word = b"WIFIKIT-214028-READ");
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
    let config = SessionConfig {
        words: vec!["mine".parse::<Word>().unwrap()],
        ..SessionConfig::default()
    };
    let module = Module::with(|module| module.word = b"mine");
    let mut bench = Bench::new(module, Faults::default(), 1, |now| {
        Session::new(config, now)
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
        for to_confirm in [ToConfirm::Silence, ToConfirm::Ok, ToConfirm::Error] {
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
fn nobody_there() {
    let mut bench = faithful(|module| module.restart_takes = Duration::ZERO);
    bench.module.word = b"unknown";
    assert_eq!(ask(&mut bench, &command::Wmode), Err(NoReply::Timeout));
    assert_eq!(bench.elapsed(), SessionConfig::default().handshake_timeout);
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
            SessionEvent::Failed {
                id: waiting,
                error: NoReply::Closed
            },
            SessionEvent::Closed,
            SessionEvent::Failed {
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
    let no_key = Ok(Err(CommandError::Refused(crate::ErrorCode::Parameter)));
    let no_verb = Ok(Err(CommandError::Refused(crate::ErrorCode::Verb)));
    assert_eq!(ask(&mut bench, &key("12345678")), no_key);
    assert_eq!(ask(&mut bench, &command::Lver), no_verb);
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
        .filter(|bytes| bytes.as_slice() == Word::HF_A11.as_bytes())
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
    assert_eq!(ask(&mut bench, &command::Reld), Err(NoReply::Timeout));
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
    bench.machine.submit(now, Request::set("OEM", "1"));
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
        assert_eq!(ask(&mut bench, &command::Restart), mode(()));
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
    crate::wscan::HEADER.to_vec()
}

#[test]
fn a_silent_scan_ends_after_its_budget() {
    let mut bench = faithful(|module| {
        module.replies.insert("AT+WSCAN".into(), vec![]);
    });
    assert_eq!(ask(&mut bench, &command::Wscan), Err(NoReply::Timeout));
    assert!(bench.elapsed() < Duration::from_millis(12_100));
}

#[test]
fn replies_in_pieces() {
    let faults = Faults {
        split: true,
        ..Faults::default()
    };
    let mut bench = bench(Module::default(), faults, 1);
    assert_eq!(ask(&mut bench, &command::Mid), mode("HF-LPB100".to_owned()));
    assert_eq!(ask(&mut bench, &key("12345678")), mode(()));
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
}

#[test]
fn doubled_datagrams_do_not_shift_the_replies() {
    for seed in 0..200 {
        for doubling in [0.3, 1.0] {
            let faults = Faults {
                doubling,
                ..Faults::default()
            };
            let mut bench = bench(Module::default(), faults, seed);
            assert_eq!(
                ask(&mut bench, &command::Wmode),
                mode(Mode::Ap),
                "seed {seed}"
            );
            assert_eq!(
                ask(&mut bench, &command::SetWmode(Mode::Sta)),
                mode(()),
                "seed {seed}"
            );
            assert_eq!(
                ask(&mut bench, &command::Mid),
                mode("HF-LPB100".to_owned()),
                "seed {seed}"
            );
            assert_eq!(
                ask(&mut bench, &command::Wmode),
                mode(Mode::Sta),
                "seed {seed}"
            );
            let refused = Ok(Err(CommandError::Refused(crate::ErrorCode::Verb)));
            assert_eq!(ask(&mut bench, &command::Lver), refused, "seed {seed}");
            assert_eq!(
                ask(&mut bench, &command::Mid),
                mode("HF-LPB100".to_owned()),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_slow_module_is_not_misread() {
    // Each reply comes after the command has been repeated: late copies must not answer the next
    // command.
    for slow in [ms(300), ms(700), ms(1500), ms(3000)] {
        let mut bench = faithful(|module| {
            module.slow = [("WMODE", slow), ("WSKEY", slow), ("WSSSID", slow)].into();
        });
        assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap), "{slow:?}");
        assert_eq!(
            ask(&mut bench, &command::Mid),
            mode("HF-LPB100".to_owned()),
            "{slow:?}"
        );
        assert_eq!(ask(&mut bench, &key("12345678")), mode(()), "{slow:?}");
        assert_eq!(
            ask(&mut bench, &command::Wskey),
            mode(Credentials::wpa2(Key::new("12345678"))),
            "{slow:?}"
        );
        assert_eq!(
            ask(&mut bench, &command::Mid),
            mode("HF-LPB100".to_owned()),
            "{slow:?}"
        );
    }
}

#[test]
fn a_slow_ping_does_not_slow_down_what_follows() {
    let mut bench = faithful(|module| {
        module.slow = [("PING", ms(2000))].into();
        module.replies.insert("AT+WMODE".to_owned(), Vec::new());
    });
    let router = command::Ping([192, 168, 1, 1].into());
    ask(&mut bench, &router).unwrap().unwrap();
    let before = bench.now;
    assert_eq!(ask(&mut bench, &command::Wmode), Err(NoReply::Timeout));
    assert!(bench.now - before <= Duration::from_secs(7));
    let sent = bench
        .sent
        .iter()
        .filter(|line| line.starts_with(b"AT+WMODE"));
    let sent = sent.count();
    assert!(sent >= 9, "{sent} times in six seconds");
}

#[test]
fn loss_of_forty_percent_each_way() {
    let mut answered = 0;
    for seed in 0..300 {
        let mut bench = bench(
            Module::default(),
            Faults {
                loss: 0.4,
                ..Faults::default()
            },
            seed,
        );
        for _ in 0..5 {
            if let Ok(reply) = ask(&mut bench, &command::Mid) {
                assert_eq!(reply, Ok("HF-LPB100".to_owned()), "seed {seed}");
                answered += 1;
            }
        }
    }
    assert!(answered > 1450, "{answered} of 1500");
}

#[test]
fn a_wild_network_never_brings_the_answer_to_another_question() {
    let mut answered = 0;
    for seed in 0..300 {
        let faults = Faults {
            loss: 0.2,
            doubling: 0.3,
            jitter: ms(60),
            split: false,
        };
        let module = Module::with(|module| {
            module.settings.insert("WRMID", Vec::new());
        });
        let mut bench = bench(module, faults, seed);
        for round in 0..4 {
            let name = format!("name{round}");
            if ask(&mut bench, &command::SetWrmid(name)).is_ok() {
                answered += 1;
            }
            if let Ok(reply) = ask(&mut bench, &command::Mid) {
                assert_eq!(
                    reply,
                    Ok("HF-LPB100".to_owned()),
                    "seed {seed} round {round}"
                );
                answered += 1;
            }
            if let Ok(reply) = ask(&mut bench, &command::Wmode) {
                assert_eq!(reply, Ok(Mode::Ap), "seed {seed} round {round}");
                answered += 1;
            }
        }
    }
    assert!(answered > 3500, "{answered} of 3600");
}

#[test]
fn foreign_datagrams_are_no_replies() {
    let mut bench = faithful(|_| {});
    ask(&mut bench, &command::Wmode).unwrap().unwrap();
    bench.pass(ms(200));
    let now = bench.now;
    let id = bench.machine.submit(now, command::Mid.request());
    for foreign in [
        &b"192.168.1.107,ACCF23123456,900000621,0,1,"[..],
        b"10.10.100.254,ACCF235676D6,HF-LPB100",
        b"HF-A11ASSISTHREAD",
        b"AT+MID\r",
        b"\r\n",
        b"",
        b"garbage",
    ] {
        bench.machine.handle_datagram(now, foreign);
        assert_eq!(bench.machine.poll_event(), None, "{foreign:?}");
    }
    bench.machine.handle_datagram(now, b"+ok=HF-LPB100\r\n\r\n");
    assert!(
        matches!(bench.machine.poll_event(), Some(SessionEvent::Reply { id: got, .. }) if got == id)
    );
}

#[test]
fn a_wrong_answer_given_twice_is_believed() {
    let mut bench = faithful(|module| {
        module
            .replies
            .insert("AT+WSLK".into(), vec![b"Disconnected\r".to_vec()]);
        module
            .replies
            .insert("AT+EPHY".into(), vec![b"+ok\r\n\r\n".to_vec()]);
    });
    assert_eq!(
        ask(&mut bench, &command::Wslk),
        mode(crate::settings::LinkStatus::Disconnected)
    );
    assert!(matches!(
        ask(&mut bench, &command::Ephy),
        Ok(Err(CommandError::Malformed { .. }))
    ));
    assert!(
        bench.elapsed() < Duration::from_secs(2),
        "{:?}",
        bench.elapsed()
    );
}

#[test]
fn a_babbling_module_does_not_fill_the_memory() {
    let mut bench = faithful(|_| {});
    ask(&mut bench, &command::Wmode).unwrap().unwrap();
    let now = bench.now;
    bench.machine.submit(now, command::Wscan.request());
    for _ in 0..2000 {
        bench.machine.handle_datagram(now, &[b'x'; 1400]);
    }
    bench.pass(Duration::from_secs(20));
    let longest =
        std::iter::from_fn(|| bench.machine.poll_event()).filter_map(|event| match event {
            SessionEvent::Reply { raw, .. } => Some(raw.len()),
            _ => None,
        });
    assert!(longest.max().is_some_and(|length| length <= 64 * 1024));
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(crate::testing::IDENTITY.to_vec()),
        Just(b"+ok\r\n\r\n".to_vec()),
        Just(b"+ok=AP\r\n\r\n".to_vec()),
        Just(b"+ok=AP".to_vec()),
        Just(b"+ERR=-1\r\n\r\n".to_vec()),
        Just(b"+ERR=-4\r\n\r\n".to_vec()),
        Just(wscan_header()),
        Just(b"1,ZJSW,3C:E5:A6:61:B4:41,OPEN/NONE,74\n\r".to_vec()),
        Just(b"\r\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_every_command_ends_once(
        inputs in proptest::collection::vec((0..3000u64, proptest::option::of(datagram()), 0..8usize), 1..60)
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut session = Session::new(SessionConfig::default(), now);
        let requests = [
            command::Wmode.request(), command::Mid.request(), key("12345678").request(), command::Wscan.request(),
            command::Restart.request(), command::Help.request(), command::Null.request(), Request::set("OEM", "x"),
        ];
        let mut open = std::collections::BTreeSet::new();
        let check = |session: &mut Session, open: &mut std::collections::BTreeSet<CommandId>| {
            while session.poll_transmit().is_some() {}
            while let Some(event) = session.poll_event() {
                if let SessionEvent::Reply { id, .. } | SessionEvent::Failed { id, .. } = event {
                    assert!(open.remove(&id), "{id:?} ended twice");
                }
            }
        };
        for (wait, datagram, request) in inputs {
            now += ms(wait);
            open.insert(session.submit(now, requests[request].clone()));
            session.handle_timeout(now);
            if let Some(datagram) = datagram {
                session.handle_datagram(now, &datagram);
            }
            check(&mut session, &mut open);
        }
        // Every timer moves things on; with time alone, all of them end.
        for _ in 0..5000 {
            let Some(at) = session.poll_timeout().filter(|_| !open.is_empty()) else { break };
            now = now.max(at);
            session.handle_timeout(now);
            check(&mut session, &mut open);
        }
        prop_assert!(open.is_empty(), "{open:?} never end");
        session.close(now);
        prop_assert_eq!(session.poll_transmit().map(|bytes| bytes.starts_with(b"AT+Q")), Some(true));
    }
}
