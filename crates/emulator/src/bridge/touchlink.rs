//! TCP port 30000 of the round bridge: lines in brackets, no key.

use std::time::Duration;

use super::behaviour::TouchlinkBehaviour;

/// The order of clients, with any line end or none.
const ORDER: &[u8] = b"[Link,Touchlink]";
const ECHO: &str = "[Link,Touchlink]";
/// Longer lines are no orders.
const MAX_LINE: usize = 256;
/// Pieces of one line come so far apart.
const PIECE_DELAY: Duration = Duration::from_millis(20);

/// Something to be sent, and how long to wait before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TouchlinkLine {
    /// Delay after the line before it.
    pub after: Duration,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Reply of a bridge to one order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TouchlinkScript {
    pub(super) lines: Vec<TouchlinkLine>,
    /// The bridge closes the connection at the end; otherwise the client does.
    pub(super) closes: bool,
}

impl TouchlinkScript {
    /// Returns the lines for a captured bulb, or none.
    pub(super) fn new(rules: &TouchlinkBehaviour, is_captured: bool) -> Self {
        let end = if rules.crlf { "\r\n" } else { "\n" };
        let echo = format!("{ECHO}{end}");
        let result = match (&rules.word, is_captured) {
            (Some(word), _) => format!("[Link,Touchlink,{word}]{end}"),
            (None, true) => format!("[Link,Touchlink,success,NwkAddr=0x0002,pan=0x1234]{end}"),
            (None, false) => format!("[Link,Touchlink,failed]{end}"),
        };
        let line = |after, text: &str| TouchlinkLine {
            after,
            bytes: text.as_bytes().to_vec(),
        };
        let at_once = Duration::ZERO;
        let mut lines = Vec::new();
        if rules.joined {
            lines.push(line(rules.time.0, &format!("{echo}{result}")));
        } else {
            if !rules.no_echo {
                lines.push(line(at_once, &echo));
            }
            lines.push(line(rules.time.0, &result));
        }
        if rules.silent || rules.eof {
            lines = vec![line(at_once, &echo)];
        }
        if rules.split {
            lines = lines.iter().flat_map(pieces).collect();
        }
        Self {
            lines,
            closes: rules.eof,
        }
    }
}

fn pieces(line: &TouchlinkLine) -> Vec<TouchlinkLine> {
    let piece = |(number, bytes): (usize, &[u8])| TouchlinkLine {
        after: if number == 0 { line.after } else { PIECE_DELAY },
        bytes: bytes.to_vec(),
    };
    line.bytes.chunks(7).enumerate().map(piece).collect()
}

/// One connection to the port: finds orders in what arrives.
#[derive(Debug, Default)]
pub struct TouchlinkSession {
    line: Vec<u8>,
}

impl TouchlinkSession {
    /// Takes bytes; returns how many orders were completed by them. An order is complete with its bracket.
    pub fn handle_input(&mut self, bytes: &[u8]) -> usize {
        let mut orders = 0;
        for &byte in bytes {
            match byte {
                b'\r' | b'\n' => self.line.clear(),
                b']' => {
                    self.line.push(byte);
                    orders += usize::from(std::mem::take(&mut self.line) == ORDER);
                }
                // The line is not looked at any more; the bracket that begins an order is gone.
                _ if self.line.len() >= MAX_LINE => {}
                _ => self.line.push(byte),
            }
        }
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(change: impl Fn(&mut TouchlinkBehaviour), is_captured: bool) -> Vec<String> {
        let mut rules = TouchlinkBehaviour::default();
        change(&mut rules);
        let script = TouchlinkScript::new(&rules, is_captured);
        script
            .lines
            .into_iter()
            .map(|line| String::from_utf8(line.bytes).unwrap())
            .collect()
    }

    #[test]
    fn the_words_of_the_protocol_page() {
        assert_eq!(
            said(|_| {}, false),
            ["[Link,Touchlink]\n", "[Link,Touchlink,failed]\n"]
        );
        assert_eq!(
            said(|_| {}, true),
            [
                "[Link,Touchlink]\n",
                "[Link,Touchlink,success,NwkAddr=0x0002,pan=0x1234]\n"
            ]
        );
    }

    #[test]
    fn every_fault_says_it_otherwise() {
        assert_eq!(
            said(|rules| rules.no_echo = true, false),
            ["[Link,Touchlink,failed]\n"]
        );
        assert_eq!(
            said(|rules| rules.silent = true, true),
            ["[Link,Touchlink]\n"]
        );
        assert_eq!(
            said(|rules| rules.joined = true, false),
            ["[Link,Touchlink]\n[Link,Touchlink,failed]\n"]
        );
        assert_eq!(
            said(|rules| rules.crlf = true, false),
            ["[Link,Touchlink]\r\n", "[Link,Touchlink,failed]\r\n"]
        );
        assert_eq!(
            said(|rules| rules.word = Some("foo".into()), false)[1],
            "[Link,Touchlink,foo]\n"
        );
        let pieces = said(|rules| rules.split = true, false);
        assert!(
            pieces.len() > 4 && pieces.concat() == "[Link,Touchlink]\n[Link,Touchlink,failed]\n"
        );
        let eof = TouchlinkBehaviour {
            eof: true,
            ..TouchlinkBehaviour::default()
        };
        assert!(
            TouchlinkScript::new(&eof, true).closes
                && TouchlinkScript::new(&eof, true).lines.len() == 1
        );
    }

    #[test]
    fn orders_with_any_line_end_and_in_pieces() {
        for end in ["", "\n", "\r\n"] {
            let mut session = TouchlinkSession::default();
            let text = format!("[Link,Touchlink]{end}");
            assert_eq!(
                text.bytes()
                    .map(|byte| session.handle_input(&[byte]))
                    .sum::<usize>(),
                1,
                "{end:?}"
            );
        }
        let mut session = TouchlinkSession::default();
        assert_eq!(
            session.handle_input(b"GET / HTTP/1.1\r\n[Link,Other]\nx[Link,Touchlink]\n"),
            0
        );
        assert_eq!(session.handle_input(&vec![b'['; 1000]), 0);
        assert_eq!(session.handle_input(b"]\n[Link,Touchlink]"), 1);
    }
}
