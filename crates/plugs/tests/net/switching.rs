//! Switching: confirmation, repetition, waiting and refusal.

use std::time::{Duration, Instant};

use plugs::exchange::NoReplyReason;
use plugs::net::ContactError;
use plugs::{RelayCommand, RelayState};

use crate::scripted::{Answer, Plug, Running};
use crate::{BUDGET, MAC, SOON, answering, host, lan, ms, silence, sp2};

#[tokio::test]
async fn switched_and_confirmed_at_once() {
    let plug = sp2(1).start();
    let lan = lan(1).await;
    let handle = lan.plug(host(1, 2));
    let switched = handle.switch(RelayCommand::On, BUDGET).await.unwrap();
    assert!(switched.confirmed);
    assert_eq!(switched.relay, Some(RelayState::On));
    let known = handle.identify(BUDGET).await.unwrap();
    assert_eq!(known.mac.compact(), MAC);
    assert_eq!(known.serial.as_deref(), Some("900000621"));
    assert!(switched.elapsed < SOON, "{:?}", switched.elapsed);
    assert!(plug.is_on());
    let [command] = &plug.commands()[..] else {
        panic!("{:?}", plug.commands())
    };
    assert_eq!(command.len(), "AT+YZSWITCH=1,ON,201704031153\r\n".len());

    let again = handle.switch(RelayCommand::Off, BUDGET).await.unwrap();
    assert!(again.confirmed && !plug.is_on());
    assert!(plug.commands()[1].starts_with("AT+YZSWITCH=1,OFF,2"));
}

#[tokio::test]
async fn on_one_runtime_a_switch_takes_a_few_milliseconds() {
    let _plug = sp2(2).start();
    let lan = lan(2).await;
    let mut quickest = Duration::MAX;
    // The quickest of some: any of them may meet a busy moment.
    for _ in 0..200 {
        let switched = lan
            .plug(host(2, 2))
            .switch(RelayCommand::On, BUDGET)
            .await
            .unwrap();
        quickest = quickest.min(switched.elapsed);
        if quickest < ms(10) {
            return;
        }
    }
    panic!("no flat sleep on the happy path: {quickest:?}");
}

#[tokio::test]
async fn a_stuck_relay_is_not_confirmed() {
    let plug = answering(3, vec![Answer::ok().moves(None)]);
    let switched = lan(3)
        .await
        .plug(host(3, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap();
    assert!(!switched.confirmed);
    assert_eq!(switched.relay, Some(RelayState::Off));
    assert!(switched.elapsed >= ms(4400), "{:?}", switched.elapsed);
    assert_eq!(plug.commands().len(), 2, "repeated once");
}

#[tokio::test]
async fn a_slow_relay_is_waited_for() {
    let _plug = answering(4, vec![Answer::ok().moves(Some(2000))]);
    let switched = lan(4)
        .await
        .plug(host(4, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert!(
        (1900..4000).contains(&switched.elapsed.as_millis()),
        "{:?}",
        switched.elapsed
    );
}

#[tokio::test]
async fn an_order_that_was_lost_in_the_plug_is_repeated() {
    let plug = answering(5, vec![Answer::ok().moves(None), Answer::ok()]);
    let switched = lan(5)
        .await
        .plug(host(5, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert_eq!(plug.commands().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_does_not_matter_when_the_relay_moved() {
    let silent = Answer {
        pieces: vec![],
        moves: Some(100),
    };
    let plug = answering(6, vec![silent]);
    let switched = lan(6)
        .await
        .plug(host(6, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap();
    assert!(switched.confirmed);
    assert!(switched.elapsed < SOON, "{:?}", switched.elapsed);
    assert_eq!(plug.commands().len(), 1);
}

#[tokio::test]
async fn a_plug_that_takes_orders_and_is_silent() {
    let silent = Answer {
        pieces: vec![],
        moves: None,
    };
    let _plug = answering(7, vec![silent]);
    let start = Instant::now();
    let error = lan(7)
        .await
        .plug(host(7, 2))
        .switch(RelayCommand::On, ms(1500))
        .await
        .unwrap_err();
    assert_eq!(silence(&error), Some(NoReplyReason::NoReply), "{error}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[tokio::test]
async fn answers_of_every_kind() {
    let accepted: [&[u8]; 5] = [
        b"+ok\r\n+error\r\n",
        b"+OK\r\n",
        b"+ok\r\n\r\n+error\r\n\r\n",
        b"+ok",
        b"\r\n+ok=\r\n\r\n",
    ];
    let lan = lan(8).await;
    for answer in accepted {
        let _plug = answering(8, vec![Answer::says(answer)]);
        let switched = lan
            .plug(host(8, 2))
            .switch(RelayCommand::On, BUDGET)
            .await
            .unwrap();
        assert!(switched.confirmed, "{}", answer.escape_ascii());
        assert!(switched.elapsed < SOON, "{:?}", switched.elapsed);
    }
    let split = Answer {
        pieces: vec![(5, b"+"), (30, b"ok\r"), (5, b"\n\r\n")],
        moves: Some(0),
    };
    let _plug = answering(8, vec![split]);
    assert!(
        lan.plug(host(8, 2))
            .switch(RelayCommand::On, BUDGET)
            .await
            .unwrap()
            .confirmed
    );
}

#[tokio::test]
async fn refused_and_babbled() {
    let _plug = answering(
        9,
        vec![
            Answer::says(b"+ERROR\r\n\r\n").moves(None),
            Answer::says(b"%&/()\r\n\r\n").moves(None),
        ],
    );
    let lan = lan(9).await;
    let error = lan
        .plug(host(9, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plug at 127.61.9.2 refused to switch on: it answered '+ERROR'"
    );
    let error = lan
        .plug(host(9, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ContactError::BadAnswer { reply, .. } if reply == "%&/()"),
        "{error}"
    );
}

#[tokio::test]
async fn the_scan_decides_after_babble() {
    let _plug = answering(30, vec![Answer::says(b"%&/()\r\n\r\n").moves(Some(3200))]);
    let lan = lan(30).await;
    let switched = lan.plug(host(30, 2)).switch(RelayCommand::On, BUDGET).await;
    assert!(switched.unwrap().confirmed);
}

#[tokio::test]
async fn a_plug_that_refuses_tcp() {
    let _plug = answering(12, vec![]);
    let start = Instant::now();
    let error = lan(12)
        .await
        .plug(host(12, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap_err();
    assert_eq!(silence(&error), Some(NoReplyReason::Refused), "{error}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[tokio::test]
async fn toggling() {
    let plug = sp2(15).start();
    let lan = lan(15).await;
    plug.turn(true);
    let switched = lan
        .plug(host(15, 2))
        .switch(RelayCommand::Toggle, BUDGET)
        .await
        .unwrap();
    assert_eq!(
        (switched.relay, switched.confirmed),
        (Some(RelayState::Off), true)
    );
    let switched = lan
        .plug(host(15, 2))
        .switch(RelayCommand::Toggle, Duration::MAX)
        .await
        .unwrap();
    assert_eq!(
        (switched.relay, switched.confirmed),
        (Some(RelayState::On), true)
    );
    assert!(plug.is_on());
}

#[tokio::test]
async fn several_plugs_at_the_same_time() {
    let plugs: Vec<Running> = (2..12)
        .map(|number| {
            let slow = Answer::ok().moves(Some(u64::from(number) * 100));
            let mac = format!("ACCF231234{number:02X}");
            Plug {
                answers: vec![slow],
                ..Plug::new(host(16, number), &mac)
            }
            .start()
        })
        .collect();
    let lan = lan(16).await;
    // One after the other they would take six seconds.
    let start = Instant::now();
    let orders = (2..12).map(async |number| {
        let handle = lan.plug(host(16, number));
        handle.switch(RelayCommand::On, BUDGET).await
    });
    for switched in futures_util::future::join_all(orders).await {
        assert!(switched.unwrap().confirmed);
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(plugs.iter().all(Running::is_on));
}

#[tokio::test]
async fn another_plug_at_that_address() {
    let known = sp2(17).start();
    let lan = lan(17).await;
    let before = lan.presence(host(17, 2), BUDGET).await.unwrap();
    drop(known);
    let _other = Plug::new(host(17, 2), "ACCF23FFFFFF").start();
    let switched = lan
        .plug(before.clone())
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap();
    assert!(!switched.confirmed);
    assert_eq!(switched.relay, None, "another plug's relay says nothing");
    let error = lan
        .plug(before.clone())
        .switch(RelayCommand::Toggle, BUDGET)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.61.17.2 does not answer: another plug has this address now"
    );
}
