//! The old way to take a bulb over: lines in brackets on TCP port 30000, without a key.
//!
//! One [`Touchlink`] is one try. It says what to send, takes what arrives, and knows when it is over; whoever owns the socket
//! tells it the time. It is never repeated by itself: after a capture the next nearest lamp could be taken.

use std::time::{Duration, Instant};

/// The port.
pub const PORT: u16 = 30_000;

/// What is sent; bridges accept it with any line end, and this one is what most clients send.
pub const REQUEST: &[u8] = b"[Link,Touchlink]\n";

/// How long the echo may take, and the result after it.
const ECHO_WITHIN: Duration = Duration::from_secs(5);
const RESULT_WITHIN: Duration = Duration::from_secs(10);
/// Lines have some sixty bytes.
const LONGEST_LINE: usize = 256;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A bulb was captured; what the bridge says of its network address, for the log.
    Captured(String),
    /// No bulb was captured; what the bridge says.
    Failed(String),
    /// The bridge has not said. Look whether the bulb blinked, and search anyway.
    Unknown,
}

/// One try.
#[derive(Debug)]
pub struct Touchlink {
    deadline: Instant,
    is_echoed: bool,
    line: Vec<u8>,
    /// The rest of a line that is too long is not looked at.
    is_skipping: bool,
    outcome: Option<Outcome>,
}

impl Touchlink {
    /// Begins at the moment when [`REQUEST`] has been sent.
    pub fn sent(now: Instant) -> Self {
        Self {
            deadline: now + ECHO_WITHIN + RESULT_WITHIN,
            is_echoed: false,
            line: Vec::new(),
            is_skipping: false,
            outcome: None,
        }
    }

    /// Takes what has arrived.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(now),
                _ if self.is_skipping => {}
                _ if self.line.len() >= LONGEST_LINE => {
                    self.line.clear();
                    self.is_skipping = true;
                }
                _ => self.line.push(byte),
            }
        }
    }

    /// Notes that the bridge has closed the connection. A last line may have come without an end.
    pub fn handle_closed(&mut self, now: Instant) {
        self.end_line(now);
        self.outcome.get_or_insert(Outcome::Unknown);
    }

    /// Notes that time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            self.outcome.get_or_insert(Outcome::Unknown);
        }
    }

    /// Returns when to call [`Touchlink::handle_timeout`].
    pub fn poll_timeout(&self) -> Instant {
        self.deadline
    }

    /// Returns what came of it, when it is over.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    fn end_line(&mut self, now: Instant) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_skipping) {
            return;
        }
        let line = String::from_utf8_lossy(&line);
        let Some(rest) = line.trim_end_matches('\r').strip_prefix("[Link,Touchlink") else {
            return;
        };
        let rest = rest.trim_end_matches(']');
        let Some(result) = rest.strip_prefix(',') else {
            if !self.is_echoed {
                self.is_echoed = true;
                self.deadline = now + RESULT_WITHIN;
            }
            return;
        };
        let (word, details) = result.split_once(',').unwrap_or((result, ""));
        self.outcome.get_or_insert_with(|| match word {
            "success" => Outcome::Captured(details.to_owned()),
            _ => Outcome::Failed(result.to_owned()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: &[u8] = b"[Link,Touchlink]\n";
    const SUCCESS: &[u8] = b"[Link,Touchlink,success,NwkAddr=0x0002,pan=0x1234]\n";
    const FAILED: &[u8] = b"\x5b\x4c\x69\x6e\x6b\x2c\x54\x6f\x75\x63\x68\x6c\x69\x6e\x6b\x2c\x66\x61\x69\x6c\x65\x64\x5d\x0a";

    fn run(pieces: &[&[u8]]) -> Option<Outcome> {
        let now = Instant::now();
        let mut touchlink = Touchlink::sent(now);
        for piece in pieces {
            touchlink.handle_input(now, piece);
        }
        touchlink.outcome().cloned()
    }

    fn captured() -> Option<Outcome> {
        Some(Outcome::Captured("NwkAddr=0x0002,pan=0x1234".into()))
    }

    #[test]
    fn the_request_is_the_seventeen_bytes() {
        assert_eq!(
            REQUEST,
            b"\x5b\x4c\x69\x6e\x6b\x2c\x54\x6f\x75\x63\x68\x6c\x69\x6e\x6b\x5d\x0a"
        );
    }

    #[test]
    fn success_however_it_arrives() {
        assert_eq!(run(&[ECHO, SUCCESS]), captured());
        assert_eq!(run(&[&[ECHO, SUCCESS].concat()]), captured());
        assert_eq!(run(&[SUCCESS]), captured(), "without an echo");
        let all = [ECHO, SUCCESS].concat();
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(run(&bytes), captured());
        let crlf = b"[Link,Touchlink]\r\n[Link,Touchlink,success,NwkAddr=0x0002,pan=0x1234]\r\n";
        assert_eq!(run(&[crlf]), captured());
    }

    #[test]
    fn failure_in_any_word() {
        let failed = |text: &str| Some(Outcome::Failed(text.into()));
        assert_eq!(run(&[ECHO, FAILED]), failed("failed"));
        assert_eq!(run(&[b"[Link,Touchlink,foo]\n"]), failed("foo"));
        assert_eq!(
            run(&[b"[Link,Touchlink,success]\n"]),
            Some(Outcome::Captured(String::new()))
        );
    }

    #[test]
    fn an_echo_is_no_result() {
        assert_eq!(run(&[ECHO, b"[Link,Other,success]\n", b"\n", ECHO]), None);
        let now = Instant::now();
        let mut touchlink = Touchlink::sent(now);
        touchlink.handle_input(now, ECHO);
        touchlink.handle_closed(now);
        assert_eq!(touchlink.outcome(), Some(&Outcome::Unknown));
    }

    #[test]
    fn silence_ends_after_the_echo_and_ten_seconds() {
        let begin = Instant::now();
        let mut touchlink = Touchlink::sent(begin);
        let echo = begin + Duration::from_secs(2);
        touchlink.handle_input(echo, ECHO);
        assert_eq!(touchlink.poll_timeout(), echo + Duration::from_secs(10));
        touchlink.handle_timeout(echo + Duration::from_secs(9));
        assert_eq!(touchlink.outcome(), None);
        touchlink.handle_timeout(echo + Duration::from_secs(10));
        assert_eq!(touchlink.outcome(), Some(&Outcome::Unknown));
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let giant = vec![b'x'; 1 << 20];
        assert_eq!(run(&[&giant, b"\n", SUCCESS]), captured());
        let mut long = b"[Link,Touchlink,success".to_vec();
        long.extend(&giant);
        long.push(b'\n');
        assert_eq!(run(&[&long]), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(pieces: Vec<Vec<u8>>) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = run(&pieces);
        }
    }
}
