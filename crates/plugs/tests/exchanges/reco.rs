//! The exchange of the Reco family over TCP.

mod greeting;

use std::time::Instant;

use jiff::civil::datetime;
use plugs::exchange::{Exchange, ExchangeAction, ExchangeError, NoReplyReason, PlugTransport};
use plugs::reco::{Reco, RecoExchange};
use plugs::{Family, Measurement, PlugCommand, PlugReply, RelayState};
use proptest::prelude::*;

use crate::bench::ExchangeBench;

const ON: &[u8] = b"AT+YZSWITCH=1,ON,201704031153\r\n";

type RecoExchangeBench = ExchangeBench<RecoExchange>;

impl RecoExchangeBench {
    fn new(command: PlugCommand) -> Self {
        let start = Instant::now();
        let local = datetime(2017, 4, 3, 11, 53, 21, 0);
        let exchange = RecoExchange::new(command, local, start);
        Self::of(exchange.expect("a Reco plug has this command"), start)
    }

    fn switch() -> Self {
        Self::new(PlugCommand::Switch(RelayState::On))
    }

    /// Returns a bench that is connected and has sent the switch.
    fn switch_sent() -> Self {
        let mut bench = Self::switch();
        bench.open();
        assert_eq!(
            bench.take(),
            [
                (0, ExchangeAction::Open),
                (0, ExchangeAction::Send(ON.to_vec()))
            ]
        );
        bench
    }

    fn accepted_at(&self, milliseconds: u128) {
        self.ended_at(milliseconds, PlugReply::Accepted);
    }

    fn bad_answer(&self) -> &str {
        match &self.outcome {
            Some((_, Err(ExchangeError::BadAnswer(text)))) => text,
            other => panic!("{other:?} instead of a bad answer"),
        }
    }
}

#[test]
fn first_try_is_at_once_and_the_tail_ends_it_at_once() {
    let mut bench = RecoExchangeBench::switch_sent();
    assert_eq!(Reco.transport(), Some(PlugTransport::Tcp { port: 8899 }));
    bench.pass(4);
    bench.input(b"+ok\r\n\r\n");
    bench.accepted_at(4);
    assert_eq!(bench.done, [(4, ExchangeAction::Release)]);
    assert_eq!(bench.exchange.poll_timeout(), None);
}

#[test]
fn decided_at_the_first_line_end_and_drained_after() {
    for line in [&b"+ok\r\n"[..], b"+OK\n", b"\r\n+ok\r", b"+ok\0\r\n"] {
        let mut bench = RecoExchangeBench::switch_sent();
        bench.input(line);
        bench.accepted_at(0);
        assert_eq!(bench.done, []);
        bench.pass(1000);
        assert_eq!(bench.done, [(300, ExchangeAction::Release)]);
    }
}

#[test]
fn no_line_end_at_all() {
    let mut bench = RecoExchangeBench::switch_sent();
    bench.pass(10);
    bench.input(b"+ok");
    bench.pass(299);
    assert_eq!(bench.outcome, None);
    bench.pass(1);
    bench.accepted_at(310);
    assert_eq!(bench.done, [(310, ExchangeAction::Release)]);
}

#[test]
fn an_answer_in_pieces() {
    let mut bench = RecoExchangeBench::switch_sent();
    for piece in [&b"+"[..], b"o", b"k", b"\r", b"\n", b"\r\n"] {
        bench.pass(200);
        bench.input(piece);
    }
    bench.accepted_at(800);
}

#[test]
fn the_second_line_changes_nothing() {
    for answer in [
        &b"+ok\r\n+error\r\n"[..],
        b"+ok\r\n\r\n+error\r\n\r\n",
        b"+ok\n\r+error\n\r",
    ] {
        let mut bench = RecoExchangeBench::switch_sent();
        bench.input(answer);
        bench.accepted_at(0);
    }
    let mut bench = RecoExchangeBench::switch_sent();
    bench.input(b"+ok\r\n");
    bench.pass(20);
    bench.input(b"+error\r\n\r\n");
    bench.pass(1000);
    bench.accepted_at(0);
    assert_eq!(bench.done, [(320, ExchangeAction::Release)]);
}

#[test]
fn refused() {
    for text in ["+ERROR", "+error", "+ERR=-4"] {
        let mut bench = RecoExchangeBench::switch_sent();
        bench.input(format!("{text}\r\n\r\n+ok\r\n\r\n").as_bytes());
        assert_eq!(
            bench.outcome,
            Some((0, Err(ExchangeError::Refused(text.into()))))
        );
    }
}

#[test]
fn meter() {
    let mut bench = RecoExchangeBench::new(PlugCommand::Meter);
    bench.open();
    assert_eq!(
        bench.done.last(),
        Some(&(0, ExchangeAction::Send(b"AT+YZOUT\r\n".to_vec())))
    );
    bench.input(b"+ok=3,226");
    bench.pass(50);
    bench.input(b"94,5007,0,0,3548,0\r\n\r\n");
    let expected = Measurement {
        voltage_v: Some(226.94),
        current_a: Some(0.03),
        frequency_hz: Some(50.07),
        power_w: Some(0.0),
        energy_wh: Some(3548),
    };
    assert_eq!(bench.outcome, Some((50, Ok(PlugReply::Measured(expected)))));
}

#[test]
fn a_reading_that_cannot_be() {
    for answer in [
        "+ok",
        "+ok=",
        "+ok=3,22694,5007",
        "+ok=x,-22694,-1,NaN,0,-5,0",
        "<html>",
    ] {
        let mut bench = RecoExchangeBench::new(PlugCommand::Meter);
        bench.open();
        bench.input(format!("{answer}\r\n\r\n").as_bytes());
        bench.pass(3000);
        assert_eq!(bench.bad_answer(), answer);
    }
}

#[test]
fn version_is_what_the_line_says() {
    for (answer, at, version) in [
        (
            "+ok=1.0.06a-14 (2014-10-29 21:46 1M)",
            0,
            "1.0.06a-14 (2014-10-29 21:46 1M)",
        ),
        ("RECO V1.2", 300, "RECO V1.2"),
    ] {
        let mut bench = RecoExchangeBench::new(PlugCommand::Version);
        bench.open();
        bench.input(format!("{answer}\r\n\r\n").as_bytes());
        bench.pass(1000);
        assert_eq!(
            bench.outcome,
            Some((at, Ok(PlugReply::Version(version.into()))))
        );
    }
    let mut bench = RecoExchangeBench::new(PlugCommand::Version);
    bench.open();
    bench.input(b"+o");
    bench.pass(3000);
    assert_eq!(bench.bad_answer(), "+o", "the beginning of a reply");
}

#[test]
fn part_of_a_reply_is_no_version() {
    for reply in ["+o", "+", "+ok", "+ok=", "+ok= ", "+0k=1.0"] {
        let mut bench = RecoExchangeBench::new(PlugCommand::Version);
        bench.open();
        bench.input(format!("{reply}\r\n\r\n").as_bytes());
        bench.pass(60_000);
        let outcome = bench.outcome.map(|(_, outcome)| outcome);
        let is_bad = matches!(outcome, Some(Err(ExchangeError::BadAnswer(_))));
        assert!(is_bad, "{reply}: {outcome:?}");
    }
}

#[test]
fn three_connections_with_growing_pauses() {
    let mut bench = RecoExchangeBench::switch();
    for _ in 0..3 {
        bench.open();
        bench.pass(4000);
    }
    let at: Vec<(u128, &str)> = bench
        .done
        .iter()
        .map(|(at, action)| match action {
            ExchangeAction::Open => (*at, "open"),
            ExchangeAction::Send(bytes) if bytes == ON => (*at, "send"),
            ExchangeAction::Send(_) => (*at, "something else"),
            ExchangeAction::Close => (*at, "close"),
            ExchangeAction::Release => (*at, "release"),
        })
        .collect();
    // The bench answers the second and third open 1 s late.
    assert_eq!(
        at,
        [
            (0, "open"),
            (0, "send"),
            (3000, "close"),
            (3000, "open"),
            (4200, "send"),
            (7200, "close"),
            (7200, "open"),
            (8500, "send"),
            (11500, "close"),
        ]
    );
    assert_eq!(
        bench.outcome,
        Some((11500, Err(ExchangeError::NoReply(NoReplyReason::NoReply))))
    );
}

#[test]
fn a_plug_whose_slots_are_taken_at_first() {
    let mut bench = RecoExchangeBench::switch();
    bench.closed(NoReplyReason::Refused);
    assert_eq!(bench.outcome, None);
    bench.pass(200);
    assert_eq!(
        bench.done,
        [(0, ExchangeAction::Open), (200, ExchangeAction::Open)]
    );
    bench.open();
    bench.pass(200);
    bench.input(b"+ok\r\n\r\n");
    bench.accepted_at(400);
}

#[test]
fn silent_in_four_ways() {
    for how in [
        NoReplyReason::Refused,
        NoReplyReason::Unreachable,
        NoReplyReason::Closed,
    ] {
        let mut bench = RecoExchangeBench::switch();
        for _ in 0..3 {
            bench.closed(how);
            bench.pass(200);
        }
        assert_eq!(bench.outcome, Some((400, Err(ExchangeError::NoReply(how)))));
    }
    let mut bench = RecoExchangeBench::switch();
    bench.pass(60_000);
    assert_eq!(
        bench.outcome,
        Some((
            9000,
            Err(ExchangeError::NoReply(NoReplyReason::NoConnection))
        ))
    );
}

#[test]
fn closed_after_part_of_an_answer() {
    let mut bench = RecoExchangeBench::switch_sent();
    bench.input(b"+ok");
    bench.closed(NoReplyReason::Closed);
    bench.accepted_at(0);

    let mut bench = RecoExchangeBench::switch_sent();
    bench.input(b"\r\n");
    bench.closed(NoReplyReason::Closed);
    assert_eq!(
        bench.outcome, None,
        "blank lines are no answer: it tries anew"
    );
}

#[test]
fn a_banner_is_no_answer() {
    let mut bench = RecoExchangeBench::switch();
    bench.closed(NoReplyReason::Closed);
    bench.pass(200);
    bench.open();
    bench.input(b"+ok\r\n\r\n");
    assert_eq!(bench.outcome, None, "the command has not been sent yet");
}

#[test]
fn babbling_without_a_line_end() {
    let mut bench = RecoExchangeBench::switch_sent();
    bench.input(&[b'x'; 4095]);
    assert_eq!(bench.outcome, None);
    bench.input(&[b'x'; 1_000_000]);
    assert_eq!(bench.bad_answer().len(), 83);
    assert_eq!(bench.done, [(0, ExchangeAction::Close)]);
}

#[test]
fn babbling_slowly() {
    let mut bench = RecoExchangeBench::switch_sent();
    for _ in 0..20 {
        bench.input(b"x");
        bench.pass(200);
    }
    assert_eq!(bench.outcome.as_ref().map(|(at, _)| *at), Some(3000));
    assert!(bench.bad_answer().starts_with("xxx"));

    let mut bench = RecoExchangeBench::switch_sent();
    bench.input(b"+ok\r\n");
    for _ in 0..20 {
        bench.pass(200);
        bench.input(b"x\r\n");
    }
    bench.accepted_at(0);
    assert_eq!(bench.done, [(3000, ExchangeAction::Close)]);
}

#[derive(Debug, Clone)]
enum Step {
    Open,
    Input(Vec<u8>),
    Closed,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = prop_oneof![
        "[+okerOKER=0-9,\r\n\0]{0,30}".prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ];
    let step = prop_oneof![
        Just(Step::Open),
        text.prop_map(Step::Input),
        Just(Step::Closed),
        (0..5000u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    /// Any course of events causes no panic, at most one outcome and at most three connections; and a minute without data ends the
    /// exchange.
    #[test]
    fn any_course_of_events(steps in steps(), kind in 0..3u8) {
        let mut bench = match kind {
            0 => RecoExchangeBench::switch(),
            1 => RecoExchangeBench::new(PlugCommand::Meter),
            _ => RecoExchangeBench::new(PlugCommand::Version),
        };
        for step in steps {
            match step {
                Step::Open => bench.open(),
                Step::Input(bytes) => bench.input(&bytes),
                Step::Closed => bench.closed(NoReplyReason::Closed),
                Step::Pass(milliseconds) => bench.pass(milliseconds),
            }
        }
        bench.pass(60_000);
        prop_assert!(bench.outcome.is_some());
        prop_assert_eq!(bench.exchange.poll_timeout(), None);
        let opens = bench.done.iter().filter(|(_, action)| *action == ExchangeAction::Open).count();
        prop_assert!(opens <= 3);
    }
}
