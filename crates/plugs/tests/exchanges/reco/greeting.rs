//! Plugs that greet each connection, or echo the command before they reply.

use super::*;

/// Lines that devices of the family were seen to send before a reply.
const BEFORE: [&[u8]; 9] = [
    b"AT+YZCMPVER=MW3_16U_5408_5.0B-S\r\n\r\n",
    b"AT+YZOUT\n\r",
    b"AT+VER\r\n\r\n",
    b"welcome\r\n",
    b"AT+YZCMPVER=MW3_16U\r\n\r\nAT+YZSWITCH=1,ON,201704031153\r\n",
    b"a\nb\n\0c\r",
    // Without a line end: prompts, and the options of a telnet server.
    b"login: ",
    b"> ",
    b"\xff\xfd\x03\xff\xfb\x01",
];

#[test]
fn greeting_and_echo_are_skipped() {
    for before in BEFORE {
        for pause in [0, 100, 250] {
            let mut bench = RecoExchangeBench::switch_sent();
            bench.input(before);
            bench.pass(pause);
            bench.input(b"+ok\r\n\r\n");
            bench.accepted_at(u128::from(pause));

            let mut bench = RecoExchangeBench::new(PlugCommand::Version);
            bench.open();
            bench.input(before);
            bench.pass(pause);
            bench.input(b"+ok=1.0.06a-14\r\n\r\n");
            let version = PlugReply::Version("1.0.06a-14".into());
            assert_eq!(bench.outcome, Some((u128::from(pause), Ok(version))));
        }
        let mut bench = RecoExchangeBench::switch_sent();
        bench.input(before);
        bench.pass(2500);
        bench.input(b"+ERROR\r\n\r\n");
        let refused = ExchangeError::Refused("+ERROR".into());
        assert_eq!(bench.outcome, Some((2500, Err(refused))));
    }
}

#[test]
fn greeting_in_pieces() {
    let mut bench = RecoExchangeBench::new(PlugCommand::Meter);
    bench.open();
    for piece in [
        &b"AT+YZCMP"[..],
        b"VER=MW3\r",
        b"\n\r\n+o",
        b"k=3,22694,5007,0,0,3548,0\r\n",
    ] {
        bench.input(piece);
        bench.pass(400);
    }
    assert!(
        matches!(bench.outcome, Some((1200, Ok(PlugReply::Measured(_))))),
        "{:?}",
        bench.outcome
    );
}

#[test]
fn a_greeting_alone_is_no_answer() {
    for command in [PlugCommand::Version, PlugCommand::Meter] {
        let mut bench = RecoExchangeBench::new(command);
        for _ in 0..3 {
            bench.open();
            bench.pass(900);
            bench.input(BEFORE[0]);
            bench.pass(3000);
        }
        let outcome = bench.outcome.map(|(_, outcome)| outcome);
        let silence = ExchangeError::NoReply(NoReplyReason::NoReply);
        assert_eq!(outcome, Some(Err(silence)), "{command}");
    }
    let mut bench = RecoExchangeBench::switch_sent();
    bench.input(BEFORE[0]);
    bench.closed(NoReplyReason::Closed);
    assert_eq!(bench.outcome, None, "it tries anew");
}
