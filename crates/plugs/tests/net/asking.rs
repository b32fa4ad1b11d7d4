//! Requests to a plug other than switching, and the devices that reply.

use plugs::exchange::NoReplyReason;
use plugs::net::ContactError;
use plugs::{FamilyId, Minutes, RelayCommand, RelayState};

use crate::scripted::{Answer, Plug};
use crate::{BUDGET, MAC, answering, host, lan, ms, silence, sp2};

#[tokio::test]
async fn meter_version_and_delay() {
    let plug = answering(
        10,
        vec![
            Answer::says(b"+ok=8,23678,4999,74,0,22015,0\r\n\r\n"),
            Answer::says(b"+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n"),
            Answer::ok(),
            Answer::says(b"+ok=8,23678\r\n\r\n"),
        ],
    );
    let lan = lan(10).await;
    let reading = lan.plug(host(10, 2)).meter(BUDGET).await.unwrap();
    assert_eq!(reading.plug.compact(), MAC);
    assert_eq!(
        (reading.voltage_v, reading.power_w),
        (Some(236.78), Some(7.4))
    );
    let (_, version) = lan.plug(host(10, 2)).version(BUDGET).await.unwrap();
    assert_eq!(version, "1.0.06a-14 (2014-10-29 21:46 1M)");
    let minutes = Minutes::new(30).unwrap();
    lan.plug(host(10, 2))
        .delay(RelayState::Off, minutes, BUDGET)
        .await
        .unwrap();
    assert!(plug.commands()[2].starts_with("AT+YZDELAY=1,OFF,30,2"));
    let error = lan.plug(host(10, 2)).meter(BUDGET).await.unwrap_err();
    assert!(matches!(error, ContactError::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let lan = lan(11).await;
    let error = lan.presence(host(11, 2), ms(300)).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing answers at 127.61.11.2");
    let error = lan
        .plug(host(11, 2))
        .switch(RelayCommand::On, ms(300))
        .await
        .unwrap_err();
    assert_eq!(silence(&error), Some(NoReplyReason::NoReply), "{error}");
}

/// The scan still answers where the command port hangs or is closed.
#[tokio::test]
async fn a_plug_that_takes_no_commands_is_there_all_the_same() {
    let hanging = Answer {
        pieces: Vec::new(),
        moves: None,
    };
    for (network, answers, why) in [
        (45, vec![], "it refused the connection"),
        (46, vec![hanging], "nothing came back in time"),
    ] {
        let _plug = answering(network, answers);
        let lan = lan(network).await;
        let address = host(network, 2);
        let text = format!("the plug at {address} answers the scan, but takes no commands: {why}");
        let error = lan.plug(address).meter(ms(800)).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(
            error.hint().unwrap().contains("unplug it shortly"),
            "{error}"
        );
        let switched = lan.plug(address).switch(RelayCommand::On, ms(800)).await;
        assert_eq!(switched.unwrap_err().to_string(), text);
    }
}

#[tokio::test]
async fn lost_datagrams() {
    let _plug = Plug {
        ignores: 4,
        ..sp2(13)
    }
    .start();
    let found = lan(13).await.presence(host(13, 2), BUDGET).await.unwrap();
    assert_eq!(found.family, FamilyId::RECO);
}

#[tokio::test]
async fn modules_of_unknown_trade() {
    let mut identity = b"127.61.14.2,ACCF235676D6,HF-LPB100".to_vec();
    identity.resize(60, 0);
    let module = Plug {
        scan_reply: None,
        identity: Some(identity),
        answers: vec![],
        ..sp2(14)
    };
    let _module = module.start();
    let lan = lan(14).await;
    let found = lan.presence(host(14, 2), BUDGET).await.unwrap();
    assert_eq!(
        (found.family, found.model.as_deref()),
        (FamilyId::MODULE, Some("HF-LPB100"))
    );
    let error = lan
        .plug(host(14, 2))
        .switch(RelayCommand::On, BUDGET)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the device at 127.61.14.2 is of the family 'module', which cannot switch on"
    );
    assert!(matches!(error, ContactError::Unsupported { .. }));
}
