//! The exchange of the S20 over UDP port 10000.

use std::time::Instant;

use hiflying::Mac;
use plugs::exchange::{Exchange as _, ExchangeAction, ExchangeError, NoReplyReason};
use plugs::orvibo::OrviboExchange;
use plugs::{Minutes, PlugCommand, PlugReply, RelayState};
use proptest::prelude::*;

use crate::bench::ExchangeBench;

const MAC: Mac = Mac::new([0xAC, 0xCF, 0x23, 0x55, 0xFE, 0x22]);
const SUBSCRIBE: &[u8] =
    b"hd\x00\x1Ecl\xAC\xCF\x23\x55\xFE\x22      \x22\xFE\x55\x23\xCF\xAC      ";
const SUBSCRIBED_OFF: &[u8] = b"hd\x00\x18cl\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\0\0";
const SUBSCRIBED_ON: &[u8] = b"hd\x00\x18cl\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\0\x01";
const SWITCH_ON: &[u8] = b"hd\x00\x17dc\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\x01";
const ECHO: &[u8] = b"hd\x00\x17dc\xAC\xCF\x23\x55\xFE\x22      \x01\0\0\0\0";
const NOW_ON: &[u8] = b"hd\x00\x17sf\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\x01";
const NOW_OFF: &[u8] = b"hd\x00\x17sf\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\0";
const OTHER_ON: &[u8] = b"hd\x00\x17sf\xAC\xCF\x23\x55\xFE\x23      \0\0\0\0\x01";
const ON_IN_300_S: &[u8] = b"hd\x00\x1Acd\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\0\x01\x2C\x01";
const OFF_IN_300_S: &[u8] = b"hd\x00\x1Acd\xAC\xCF\x23\x55\xFE\x22      \0\0\0\0\0\0\x2C\x01";

type OrviboExchangeBench = ExchangeBench<OrviboExchange>;

impl OrviboExchangeBench {
    fn new(command: PlugCommand) -> Self {
        let exchange = OrviboExchange::new(MAC, command).expect("an S20 has this command");
        let mut bench = Self::of(exchange, Instant::now());
        assert_eq!(bench.take(), [(0, ExchangeAction::Open)]);
        bench.open();
        bench
    }

    /// Returns a bench that has subscribed and sent the switch.
    fn switch_sent() -> Self {
        let mut bench = Self::new(PlugCommand::Switch(RelayState::On));
        bench.input(SUBSCRIBED_OFF);
        bench.pass(15);
        assert_eq!(bench.take(), [sent(0, SUBSCRIBE), sent(15, SWITCH_ON)]);
        bench
    }
}

fn sent(at: u128, bytes: &[u8]) -> (u128, ExchangeAction) {
    (at, ExchangeAction::Send(bytes.to_vec()))
}

#[test]
fn subscribed_then_switched_and_done_with_the_report() {
    let mut bench = OrviboExchangeBench::switch_sent();
    bench.input(ECHO);
    assert_eq!(bench.outcome, None, "the acknowledgement alone is not it");
    bench.input(NOW_OFF);
    bench.input(OTHER_ON);
    assert_eq!(bench.outcome, None);
    bench.input(NOW_ON);
    bench.ended_at(15, PlugReply::Confirmed);
    assert_eq!(bench.take(), [(15, ExchangeAction::Close)]);
    assert_eq!(bench.exchange.poll_timeout(), None);
}

#[test]
fn a_report_from_before_the_command_is_none_of_it() {
    let mut bench = OrviboExchangeBench::new(PlugCommand::Switch(RelayState::On));
    for early in [NOW_ON, ECHO, ON_IN_300_S] {
        bench.input(early);
    }
    // It is on already; the command is sent all the same.
    bench.input(SUBSCRIBED_ON);
    bench.pass(15);
    assert_eq!(bench.take(), [sent(0, SUBSCRIBE), sent(15, SWITCH_ON)]);
    assert_eq!(bench.outcome, None);
}

#[test]
fn repeated_at_once_then_after_another_subscription() {
    let mut bench = OrviboExchangeBench::switch_sent();
    bench.pass(900);
    assert_eq!(bench.take(), [sent(465, SWITCH_ON), sent(915, SUBSCRIBE)]);
    bench.pass(250);
    assert_eq!(bench.take(), [sent(1165, SUBSCRIBE)]);
    // The switch was carried out, and only its reports got lost.
    bench.input(SUBSCRIBED_ON);
    bench.ended_at(1165, PlugReply::Confirmed);
}

#[test]
fn an_acknowledgement_is_enough_when_no_report_follows() {
    let mut bench = OrviboExchangeBench::switch_sent();
    bench.input(ECHO);
    bench.pass(1000);
    bench.ended_at(465, PlugReply::Accepted);
}

#[test]
fn silence_ends() {
    let silence = ExchangeError::NoReply(NoReplyReason::NoReply);
    let mut bench = OrviboExchangeBench::new(PlugCommand::Switch(RelayState::On));
    bench.pass(60_000);
    assert_eq!(bench.outcome, Some((4000, Err(silence.clone()))));
    let subscriptions = bench.take().len() - 1;
    assert_eq!(subscriptions, 16);

    let mut bench = OrviboExchangeBench::switch_sent();
    for _ in 0..200 {
        bench.pass(50);
        bench.input(SUBSCRIBED_OFF);
    }
    let (at, outcome) = bench.outcome.unwrap();
    assert_eq!(outcome, Err(silence));
    assert!(at < 8_000, "{at}");
    let commands = bench
        .done
        .iter()
        .filter(|(_, action)| *action == sent(0, SWITCH_ON).1);
    assert_eq!(commands.count(), 11, "after the first");
}

#[test]
fn a_countdown_is_compared() {
    let minutes = Minutes::new(5).unwrap();
    let begin = |relay| {
        let mut bench = OrviboExchangeBench::new(PlugCommand::Delay(relay, minutes));
        bench.input(SUBSCRIBED_OFF);
        bench.pass(15);
        bench
    };
    let mut bench = begin(RelayState::On);
    assert_eq!(bench.take()[1], sent(15, ON_IN_300_S));
    bench.input(ON_IN_300_S);
    bench.ended_at(15, PlugReply::Accepted);

    let mut bench = begin(RelayState::On);
    for _ in 0..200 {
        bench.pass(50);
        bench.input(OFF_IN_300_S);
        bench.input(SUBSCRIBED_OFF);
    }
    let (_, outcome) = bench.outcome.unwrap();
    let refused = ExchangeError::Refused("off in 300 s".into());
    assert_eq!(outcome, Err(refused));
    // More than the plug counts.
    let long = PlugCommand::Delay(RelayState::On, Minutes::new(1093).unwrap());
    assert!(OrviboExchange::new(MAC, long).is_none());
}

#[test]
fn pieces_are_put_together_and_a_new_beginning_drops_the_old_one() {
    let mut bench = OrviboExchangeBench::switch_sent();
    for piece in [&NOW_ON[..10], &NOW_ON[..15], &NOW_ON[15..20], &NOW_ON[20..]] {
        assert_eq!(bench.outcome, None);
        bench.input(piece);
    }
    bench.ended_at(15, PlugReply::Confirmed);

    let mut bench = OrviboExchangeBench::switch_sent();
    bench.input(&NOW_ON[..10]);
    bench.pass(60_000);
    let (_, outcome) = bench.outcome.unwrap();
    assert!(
        matches!(outcome, Err(ExchangeError::BadAnswer(_))),
        "{outcome:?}"
    );
}

proptest! {
    #[test]
    fn whatever_comes_it_ends_once(
        inputs in prop::collection::vec(
            (prop_oneof![
                prop::sample::select(vec![
                    SUBSCRIBED_OFF, SUBSCRIBED_ON, ECHO, NOW_ON, NOW_OFF, OTHER_ON, ON_IN_300_S, OFF_IN_300_S,
                    &NOW_ON[..10], &NOW_ON[10..], SUBSCRIBE,
                ]).prop_map(<[u8]>::to_vec),
                any::<Vec<u8>>(),
            ], 0..800u64),
            0..40,
        ),
        command in prop::sample::select(vec![
            PlugCommand::Switch(RelayState::On),
            PlugCommand::Switch(RelayState::Off),
            PlugCommand::Delay(RelayState::On, Minutes::MIN),
            PlugCommand::Version,
            PlugCommand::Label,
        ]),
    ) {
        let mut bench = OrviboExchangeBench::new(command);
        for (bytes, pause) in inputs {
            bench.input(&bytes);
            bench.pass(pause);
        }
        bench.pass(60_000);
        let (at, _) = bench.outcome.expect("it ends");
        prop_assert!(at < 10_000, "{} ms", at);
        prop_assert_eq!(bench.exchange.poll_timeout(), None);
    }
}
