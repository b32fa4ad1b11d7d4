//! Bad networks, odd modules, and whatever comes.

use proptest::prelude::*;

use super::*;

#[test]
fn replies_in_pieces() {
    let faults = NetworkFaults {
        split: true,
        ..NetworkFaults::default()
    };
    let mut bench = bench(ScriptedModule::default(), faults, 1);
    assert_eq!(ask(&mut bench, &command::Mid), mode("HF-LPB100".to_owned()));
    assert_eq!(ask(&mut bench, &key("12345678")), mode(()));
    assert_eq!(ask(&mut bench, &command::Wmode), mode(Mode::Ap));
}

#[test]
fn doubled_datagrams_do_not_shift_the_replies() {
    for seed in 0..200 {
        for doubling in [0.3, 1.0] {
            let faults = NetworkFaults {
                doubling,
                ..NetworkFaults::default()
            };
            let mut bench = bench(ScriptedModule::default(), faults, seed);
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
            let refused = Ok(Err(AtCommandError::Refused(crate::ErrorCode::Verb)));
            assert_eq!(ask(&mut bench, &command::Aswd), refused, "seed {seed}");
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
            mode(Credentials::wpa2(WifiKey::new("12345678"))),
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
            ScriptedModule::default(),
            NetworkFaults {
                loss: 0.4,
                ..NetworkFaults::default()
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
        let faults = NetworkFaults {
            loss: 0.2,
            doubling: 0.3,
            jitter: ms(60),
            split: false,
        };
        let module = ScriptedModule::with(|module| {
            module.settings.insert("SOCKB", Vec::new());
        });
        let mut bench = bench(module, faults, seed);
        for round in 0..4 {
            let name = format!("name{round}");
            if ask(&mut bench, &command::SetSockb(name)).is_ok() {
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
        matches!(bench.machine.poll_event(), Some(AtSessionEvent::Reply { id: got, .. }) if got == id)
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
            .insert("AT+FAPSTA".into(), vec![b"+ok\r\n\r\n".to_vec()]);
    });
    assert_eq!(
        ask(&mut bench, &command::Wslk),
        mode(crate::settings::LinkStatus::Disconnected)
    );
    assert!(matches!(
        ask(&mut bench, &command::Fapsta),
        Ok(Err(AtCommandError::Malformed { .. }))
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
            AtSessionEvent::Reply { raw, .. } => Some(raw.len()),
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
        let mut session = AtSession::new(AtSessionConfig::default(), now);
        let requests = [
            command::Wmode.request(), command::Mid.request(), key("12345678").request(), command::Wscan.request(),
            AtRequest::query("Z"), AtRequest::query("H"), AtRequest::null(), AtRequest::set("OEM", "x"),
        ];
        let mut open = std::collections::BTreeSet::new();
        let check = |session: &mut AtSession, open: &mut std::collections::BTreeSet<CommandId>| {
            while session.poll_transmit().is_some() {}
            while let Some(event) = session.poll_event() {
                if let AtSessionEvent::Reply { id, .. } | AtSessionEvent::Failed { id, .. } = event {
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
