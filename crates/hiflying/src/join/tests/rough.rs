//! Stopped anywhere, on bad networks, fed with anything.

use proptest::prelude::*;

use super::*;
use crate::testing::IDENTITY;

#[test]
fn stopping_writes_back_what_was_there() {
    // At every moment of a join, from the first datagram to the last.
    for milliseconds in (0..12_000).step_by(97) {
        let config = JoinConfig {
            security: WifiSecurity::Wpa2,
            link_timeout: Duration::from_secs(5),
            ..config()
        };
        let mut bench = bench(
            config,
            ScriptedModule::default(),
            NetworkFaults::default(),
            1,
        );
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
    let mut bench = bench(
        config(),
        ScriptedModule::default(),
        NetworkFaults::default(),
        1,
    );
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
                security: WifiSecurity::Wpa2,
                ..config()
            };
            let run = finish(bench(
                config,
                ScriptedModule::default(),
                NetworkFaults {
                    loss,
                    ..NetworkFaults::default()
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
                        JoinError::NoReply
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
            security: WifiSecurity::Wpa2,
            ..config()
        };
        // Pieces out of order cannot be put together; whole datagrams out of order can be told
        // apart.
        let split = seed % 2 == 0;
        let jitter = if split { ms(0) } else { ms(20) };
        let faults = NetworkFaults {
            loss: 0.1,
            doubling: 0.3,
            jitter,
            split,
        };
        let run = finish(bench(config, ScriptedModule::default(), faults, seed));
        assert!(run.result.is_ok(), "seed {seed}: {:?}", run.result);
        assert_eq!(run.bench.module.setting("WSSSID"), "home");
    }
}

#[test]
fn keys_never_appear_in_what_a_join_tells() {
    for key in ["secret12", "wrongkey"] {
        let config = JoinConfig {
            key: Some(WifiKey::new(key)),
            security: WifiSecurity::Wpa2,
            ..config()
        };
        assert!(!format!("{config:?}").contains(key));
        let mut bench = bench(
            config,
            ScriptedModule::default(),
            NetworkFaults::default(),
            1,
        );
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
