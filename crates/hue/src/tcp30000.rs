//! The older method to start a touchlink: lines in brackets on TCP port 30000, without a key.
//!
//! A [`TouchlinkExchange`] is one attempt, without I/O: its caller sends [`REQUEST`], passes on what arrives, and supplies the time.
//! An attempt is never repeated automatically: after a capture the next nearest lamp could be taken.

use std::time::{Duration, Instant};

/// The TCP port.
pub const PORT: u16 = 30_000;

/// The request. Bridges accept any line end; most clients send this one.
pub const REQUEST: &[u8] = b"[Link,Touchlink]\n";

/// Maximum time until the bridge echoes the request.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time between the echo and the result.
const RESULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a line; real ones have about sixty bytes.
const MAX_LINE: usize = 256;

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TouchlinkOutcome {
    /// A bulb was captured; with the details that the bridge reports.
    Captured(String),
    /// No bulb was captured; with the reason that the bridge reports.
    Failed(String),
    /// The bridge has reported no result. A captured bulb blinks, and a search may find it.
    Unknown,
}

/// One attempt.
#[derive(Debug)]
pub struct TouchlinkExchange {
    deadline: Instant,
    is_echoed: bool,
    line: Vec<u8>,
    /// True while the rest of an overlong line is skipped.
    is_skipping: bool,
    outcome: Option<TouchlinkOutcome>,
}

impl TouchlinkExchange {
    /// Begins an attempt at the moment when [`REQUEST`] was sent.
    pub fn sent(now: Instant) -> Self {
        Self {
            deadline: now + ECHO_TIMEOUT + RESULT_TIMEOUT,
            is_echoed: false,
            line: Vec::new(),
            is_skipping: false,
            outcome: None,
        }
    }

    /// Processes received bytes.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(now),
                _ if self.is_skipping => {}
                _ if self.line.len() >= MAX_LINE => {
                    self.line.clear();
                    self.is_skipping = true;
                }
                _ => self.line.push(byte),
            }
        }
    }

    /// Ends the attempt because the bridge has closed the connection; the last line may lack its end.
    pub fn handle_closed(&mut self, now: Instant) {
        self.end_line(now);
        self.outcome.get_or_insert(TouchlinkOutcome::Unknown);
    }

    /// Ends the attempt if its deadline has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            self.outcome.get_or_insert(TouchlinkOutcome::Unknown);
        }
    }

    /// Returns the time to call [`TouchlinkExchange::handle_timeout`] at.
    pub fn poll_timeout(&self) -> Instant {
        self.deadline
    }

    /// Returns the outcome once the attempt is over.
    pub fn outcome(&self) -> Option<&TouchlinkOutcome> {
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
                self.deadline = now + RESULT_TIMEOUT;
            }
            return;
        };
        let (word, details) = result.split_once(',').unwrap_or((result, ""));
        self.outcome.get_or_insert_with(|| match word {
            "success" => TouchlinkOutcome::Captured(details.to_owned()),
            _ => TouchlinkOutcome::Failed(result.to_owned()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: &[u8] = b"[Link,Touchlink]\n";
    const SUCCESS: &[u8] = b"[Link,Touchlink,success,NwkAddr=0x0002,pan=0x1234]\n";
    const FAILED: &[u8] = b"\x5b\x4c\x69\x6e\x6b\x2c\x54\x6f\x75\x63\x68\x6c\x69\x6e\x6b\x2c\x66\x61\x69\x6c\x65\x64\x5d\x0a";

    fn run(pieces: &[&[u8]]) -> Option<TouchlinkOutcome> {
        let now = Instant::now();
        let mut touchlink = TouchlinkExchange::sent(now);
        for piece in pieces {
            touchlink.handle_input(now, piece);
        }
        touchlink.outcome().cloned()
    }

    fn captured() -> Option<TouchlinkOutcome> {
        Some(TouchlinkOutcome::Captured(
            "NwkAddr=0x0002,pan=0x1234".into(),
        ))
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
        let failed = |text: &str| Some(TouchlinkOutcome::Failed(text.into()));
        assert_eq!(run(&[ECHO, FAILED]), failed("failed"));
        assert_eq!(run(&[b"[Link,Touchlink,foo]\n"]), failed("foo"));
        assert_eq!(
            run(&[b"[Link,Touchlink,success]\n"]),
            Some(TouchlinkOutcome::Captured(String::new()))
        );
    }

    #[test]
    fn an_echo_is_no_result() {
        assert_eq!(run(&[ECHO, b"[Link,Other,success]\n", b"\n", ECHO]), None);
        let now = Instant::now();
        let mut touchlink = TouchlinkExchange::sent(now);
        touchlink.handle_input(now, ECHO);
        touchlink.handle_closed(now);
        assert_eq!(touchlink.outcome(), Some(&TouchlinkOutcome::Unknown));
    }

    #[test]
    fn silence_ends_after_the_echo_and_ten_seconds() {
        let begin = Instant::now();
        let mut touchlink = TouchlinkExchange::sent(begin);
        let echo = begin + Duration::from_secs(2);
        touchlink.handle_input(echo, ECHO);
        assert_eq!(touchlink.poll_timeout(), echo + Duration::from_secs(10));
        touchlink.handle_timeout(echo + Duration::from_secs(9));
        assert_eq!(touchlink.outcome(), None);
        touchlink.handle_timeout(echo + Duration::from_secs(10));
        assert_eq!(touchlink.outcome(), Some(&TouchlinkOutcome::Unknown));
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
