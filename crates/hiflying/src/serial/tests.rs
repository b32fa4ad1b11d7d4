//! The session in virtual time, against literal bytes of the protocol notes.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// A session with its clock; `run` jumps to the next timeout.
struct SerialBench {
    session: SerialSession,
    now: Instant,
}

impl SerialBench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            session: SerialSession::new(SerialConfig::default(), now),
            now,
        }
    }

    /// A bench whose escape was answered as the manual says.
    fn opened() -> Self {
        let mut bench = Self::new();
        bench.pass();
        assert_eq!(bench.sent(), [b"+++".to_vec()]);
        bench.receive(b"a");
        assert_eq!(bench.sent(), [b"a".to_vec()]);
        bench.receive(b"+ok\r\n\r\n");
        assert!(matches!(
            bench.events()[..],
            [SerialEvent::Opened(SerialOpening::Escaped)]
        ));
        bench
    }

    /// Lets the time pass until the next timeout.
    fn pass(&mut self) {
        self.now = self
            .session
            .poll_timeout()
            .expect("a timeout is set")
            .max(self.now);
        self.session.handle_timeout(self.now);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.session.handle_input(self.now, bytes);
    }

    fn submit(&mut self, verb: &str) -> SerialCommandId {
        self.session.submit(self.now, AtRequest::query(verb))
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.session.poll_transmit())
            .map(|bytes| bytes.to_vec())
            .collect()
    }

    fn events(&mut self) -> Vec<SerialEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn reply(&mut self) -> Vec<u8> {
        match self.events().pop() {
            Some(SerialEvent::Reply { raw, .. }) => raw.to_vec(),
            other => panic!("no reply but {other:?}"),
        }
    }
}

#[test]
fn the_escape_waits_for_the_guard_pause_and_has_no_terminator() {
    let mut bench = SerialBench::new();
    let start = bench.now;
    assert_eq!(bench.sent(), Vec::<Vec<u8>>::new());
    bench.pass();
    assert!(bench.now - start >= Duration::from_millis(500));
    assert_eq!(bench.sent(), [b"+++".to_vec()]);
}

#[test]
fn one_client_reads_only_a_bare_ok_and_another_an_upper_case_a() {
    let mut bench = SerialBench::new();
    bench.pass();
    bench.receive(b"A");
    assert_eq!(bench.sent(), [b"+++".to_vec(), b"a".to_vec()]);
    bench.receive(b"+ok");
    assert!(matches!(
        bench.events()[..],
        [SerialEvent::Opened(SerialOpening::Escaped)]
    ));
}

#[test]
fn an_a_behind_other_traffic_counts_when_the_line_is_quiet() {
    let mut bench = SerialBench::new();
    bench.pass();
    bench.receive(b"meter data\r\na");
    assert_eq!(bench.sent(), [b"+++".to_vec()]);
    bench.pass();
    assert_eq!(bench.sent(), [b"a".to_vec()]);
}

#[test]
fn a_module_in_command_mode_says_err() {
    for answer in [
        b"+ERR".as_slice(),
        b"+ERR=-1\r\n\r\n",
        b"+++\n\r+ERR=-1\r\n\r\n",
        b"+err",
    ] {
        let mut bench = SerialBench::new();
        bench.pass();
        bench.receive(answer);
        while bench.session.opening().is_none() {
            bench.pass();
        }
        assert!(
            matches!(
                bench.events()[..],
                [SerialEvent::Opened(SerialOpening::AlreadyOpen)]
            ),
            "{answer:?}"
        );
    }
}

#[test]
fn the_plugs_own_parser_says_error_and_gets_plain_lines() {
    let mut bench = SerialBench::new();
    bench.pass();
    bench.receive(b"+ERR");
    bench.receive(b"OR\r\n\r\n");
    assert!(matches!(
        bench.events()[..],
        [SerialEvent::Opened(SerialOpening::Line)]
    ));
    bench.sent();
    bench.submit("YZOUT");
    assert_eq!(bench.sent(), [b"AT+YZOUT\r\n".to_vec()]);
    bench.receive(b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n");
    assert_eq!(bench.reply(), b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n");
}

#[test]
fn a_device_without_escape_that_answers_lines_is_a_plain_console() {
    let mut bench = SerialBench::new();
    let mut sent = Vec::new();
    while !sent.contains(&b"AT+VER\r\n".to_vec()) {
        bench.pass();
        sent.extend(bench.sent());
    }
    assert_eq!(
        sent,
        [b"+++".to_vec(), b"+++".to_vec(), b"AT+VER\r\n".to_vec()]
    );
    bench.receive(b"+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n");
    assert!(matches!(
        bench.events()[..],
        [SerialEvent::Opened(SerialOpening::Line)]
    ));
}

#[test]
fn the_escape_is_repeated_after_a_longer_pause() {
    let mut bench = SerialBench::new();
    bench.pass();
    bench.pass();
    let before = bench.now;
    bench.pass();
    assert!(bench.now - before >= Duration::from_millis(1500));
    assert_eq!(bench.sent(), [b"+++".to_vec(), b"+++".to_vec()]);
    bench.receive(b"a");
    bench.receive(b"+ok");
    assert_eq!(bench.session.opening(), Some(SerialOpening::Escaped));
}

#[test]
fn a_silent_device_ends_the_session_and_still_gets_entm() {
    let mut bench = SerialBench::new();
    let start = bench.now;
    let id = bench.submit("VER");
    while !bench.session.is_closed() {
        bench.pass();
    }
    assert!(bench.now - start < Duration::from_secs(12));
    assert_eq!(
        bench.sent().last().map(Vec::as_slice),
        Some(b"AT+ENTM\r".as_slice())
    );
    let events = bench.events();
    assert!(
        matches!(events[..], [SerialEvent::NoReply { id: failed }, SerialEvent::Silent] if failed == id)
    );
}

#[test]
fn the_echo_is_taken_off() {
    let mut bench = SerialBench::opened();
    bench.submit("E");
    assert_eq!(bench.sent(), [b"AT+E\r".to_vec()]);
    bench.receive(b"AT+E\n\r+ok\r\n\r\n");
    assert_eq!(bench.reply(), b"+ok\r\n\r\n");
}

#[test]
fn an_echo_with_blank_lines_is_not_the_end_of_the_reply() {
    let mut bench = SerialBench::opened();
    bench.submit("MID");
    bench.receive(b"AT+MID\r\n\r\n");
    assert!(bench.events().is_empty());
    bench.receive(b"+ok=HF-LPB100\r\n\r\n");
    assert_eq!(bench.reply(), b"+ok=HF-LPB100\r\n\r\n");
}

#[test]
fn a_late_second_line_of_the_reply_before_is_not_taken_for_the_reply() {
    let mut bench = SerialBench::opened();
    bench.submit("MID");
    bench.receive(b"AT+M");
    bench.receive(b"ID\n\r+ok=HF-LPB100\r\n\r\n");
    bench.events();
    bench.submit("VER");
    bench.receive(b"+error\r\nAT+VER\n\r+ok=4.12.17\r\n\r\n");
    assert_eq!(bench.reply(), b"+ok=4.12.17\r\n\r\n");
}

#[test]
fn a_reply_without_its_end_is_ended_by_silence() {
    let mut bench = SerialBench::opened();
    bench.submit("VER");
    bench.receive(b"+ok=08_15_20210204_ZG-BL\r");
    assert!(bench.events().is_empty());
    bench.pass();
    assert_eq!(bench.reply(), b"+ok=08_15_20210204_ZG-BL\r");
}

#[test]
fn a_network_list_is_whole_only_with_its_end() {
    let list = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r\
        1,ZJSW_GUEST,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r\
        1,ZJSW,3C:E5:A6:61:B4:41,OPEN/NONE,74\n\r\r\n\r\n";
    let mut bench = SerialBench::opened();
    bench.submit("WSCAN");
    for (at, byte) in list.iter().enumerate() {
        assert!(bench.events().is_empty(), "ended at byte {at}");
        bench.now += Duration::from_millis(10);
        bench.session.handle_timeout(bench.now);
        bench.receive(&[*byte]);
    }
    assert_eq!(bench.reply(), list);
}

#[test]
fn commands_wait_for_their_turn() {
    let mut bench = SerialBench::opened();
    let first = bench.submit("MID");
    let second = bench.submit("VER");
    assert_eq!(bench.sent(), [b"AT+MID\r".to_vec()]);
    bench.receive(b"+ok=HF-LPB100\r\n\r\n");
    assert!(matches!(bench.events()[..], [SerialEvent::Reply { id, .. }] if id == first));
    assert_eq!(bench.sent(), [b"AT+VER\r".to_vec()]);
    bench.receive(b"+ok=4.12.17\r\n\r\n");
    assert!(matches!(bench.events()[..], [SerialEvent::Reply { id, .. }] if id == second));
}

#[test]
fn an_unanswered_command_fails_alone() {
    let mut bench = SerialBench::opened();
    let id = bench.submit("MID");
    bench.pass();
    assert!(matches!(bench.events()[..], [SerialEvent::NoReply { id: failed }] if failed == id));
    bench.submit("VER");
    bench.receive(b"+ok=4.12.17\r\n\r\n");
    assert_eq!(bench.reply(), b"+ok=4.12.17\r\n\r\n");
}

#[test]
fn closing_sends_entm_and_waits_for_the_answer() {
    let mut bench = SerialBench::opened();
    bench.session.close(bench.now);
    assert_eq!(bench.sent(), [b"AT+ENTM\r".to_vec()]);
    assert!(!bench.session.is_closed());
    bench.receive(b"AT+ENTM\n\r+ok\r\n\r\n");
    assert!(matches!(bench.events()[..], [SerialEvent::Closed]));
}

#[test]
fn closing_in_the_middle_of_anything_sends_entm() {
    // After `+++`, after `a`, with a command out.
    let mut escaping = SerialBench::new();
    escaping.pass();
    let mut confirming = SerialBench::new();
    confirming.pass();
    confirming.receive(b"a");
    let mut asking = SerialBench::opened();
    let asked = asking.submit("WSCAN");
    for bench in [&mut escaping, &mut confirming, &mut asking] {
        bench.sent();
        bench.session.close(bench.now);
        assert_eq!(bench.sent(), [b"AT+ENTM\r".to_vec()]);
        bench.pass();
        assert!(bench.session.is_closed());
    }
    assert!(matches!(asking.events()[0], SerialEvent::NoReply { id } if id == asked));
}

#[test]
fn closing_before_anything_was_written_writes_nothing() {
    let mut bench = SerialBench::new();
    bench.session.close(bench.now);
    assert!(bench.sent().is_empty());
    assert!(bench.session.is_closed());
}

#[test]
fn entm_by_hand_is_not_sent_twice_and_the_next_command_escapes_again() {
    let mut bench = SerialBench::opened();
    bench.submit("ENTM");
    bench.sent();
    bench.receive(b"AT+ENTM\n\r+ok\r\n\r\n");
    assert_eq!(bench.reply(), b"+ok\r\n\r\n");
    assert!(!bench.session.owes_leaving());
    bench.submit("VER");
    bench.pass();
    assert_eq!(bench.sent(), [b"+++".to_vec()]);
    bench.receive(b"a");
    bench.receive(b"+ok\r\n");
    assert_eq!(bench.sent(), [b"a".to_vec(), b"AT+VER\r".to_vec()]);
}

#[test]
fn a_restart_may_be_silent() {
    let mut bench = SerialBench::opened();
    let id = bench.submit("Z");
    bench.receive(b"AT+Z\n\r");
    bench.pass();
    while bench.session.poll_timeout().is_some() {
        bench.pass();
    }
    assert!(matches!(bench.events()[..], [SerialEvent::NoReply { id: silent }] if silent == id));
    assert!(!bench.session.owes_leaving());
}

#[test]
fn a_babbling_device_is_bounded() {
    let mut bench = SerialBench::opened();
    bench.submit("H");
    bench.receive(b"+ok=");
    for _ in 0..100 {
        bench.receive(&[b'x'; 4096]);
    }
    assert!(bench.reply().len() <= 64 * 1024);
}

#[test]
fn debug_shows_no_key() {
    let mut bench = SerialBench::opened();
    let request = AtRequest::set("WSKEY", b"WPA2PSK,AES,correct horse");
    bench.session.submit(bench.now, request.clone());
    bench.session.submit(bench.now, request);
    assert!(!format!("{:?}", bench.session).contains("horse"));
}

#[derive(Debug, Clone)]
enum SerialStep {
    Receive(Vec<u8>),
    Pass,
    Submit(u8),
    Close,
}

fn step() -> impl Strategy<Value = SerialStep> {
    let word = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"+ok\r\n\r\n".to_vec()),
        Just(b"+ERROR".to_vec()),
        Just(b"+ERR=-1\r\n\r\n".to_vec()),
        Just(b"AT+VER\n\r".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    prop_oneof![
        word.prop_map(SerialStep::Receive),
        Just(SerialStep::Pass),
        (0..4u8).prop_map(SerialStep::Submit),
        Just(SerialStep::Close),
    ]
}

proptest! {
    /// A session ends in bounded time after `close` on any input, every command is reported
    /// once, and `AT+ENTM` is the last thing written if anything was.
    #[test]
    fn every_session_ends(steps in proptest::collection::vec(step(), 0..60)) {
        let mut bench = SerialBench::new();
        let (mut submitted, mut reported, mut sent) = (0, 0, Vec::new());
        for step in steps.into_iter().chain([SerialStep::Close, SerialStep::Pass, SerialStep::Pass, SerialStep::Pass]) {
            match step {
                SerialStep::Receive(bytes) => bench.receive(&bytes),
                SerialStep::Pass if bench.session.poll_timeout().is_some() => bench.pass(),
                SerialStep::Pass => {}
                SerialStep::Submit(verb) => {
                    submitted += 1;
                    bench.submit(["VER", "Z", "ENTM", "WSCAN"][usize::from(verb)]);
                }
                SerialStep::Close => bench.session.close(bench.now),
            }
            sent.extend(bench.sent());
            reported += bench
                .events()
                .iter()
                .filter(|event| matches!(event, SerialEvent::Reply { .. } | SerialEvent::NoReply { .. }))
                .count();
        }
        prop_assert!(bench.session.is_closed());
        prop_assert_eq!(submitted, reported);
        let last = sent.last().map(Vec::as_slice);
        let left = [b"AT+ENTM\r".as_slice(), b"AT+Z\r", b"AT+ENTM\r\n", b"AT+Z\r\n"];
        prop_assert!(last.is_none_or(|last| left.contains(&last)), "last was {:?}", last);
    }
}
