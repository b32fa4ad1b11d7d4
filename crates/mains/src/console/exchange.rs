//! One command and its result, for people and as JSON.

use std::time::Duration;

use hiflying::at::masked_value;
use hiflying::{AtReply, AtRequest, ErrorCode, Terminator, wscan};
use serde::Serialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::link::ConsoleLink;
use crate::error::{Failure, Kind};
use crate::ui::clean;
use api::duration;

/// One command and its result.
#[derive(Debug)]
pub(super) struct CommandResult {
    request: AtRequest,
    /// Reply without its terminator, if there was one.
    reply: Option<Zeroizing<String>>,
    /// Failure of the command.
    pub(super) failure: Option<Failure>,
}

/// JSON of a command and its reply. Keys are `***` in both.
#[derive(Debug, Serialize)]
pub(super) struct CommandDocument {
    command: String,
    reply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

impl CommandResult {
    /// Sends a command and checks the reply.
    pub(super) async fn run(link: &mut ConsoleLink, request: AtRequest) -> Self {
        match link.send(&request).await {
            Ok(Some(raw)) => Self::replied(request, &raw),
            Ok(None) => Self {
                request,
                reply: None,
                failure: None,
            },
            Err(failure) => Self::failed(request, failure),
        }
    }

    /// Does the same with a time limit.
    pub(super) async fn run_within(
        link: &mut ConsoleLink,
        request: AtRequest,
        limit: Option<Duration>,
    ) -> Self {
        let Some(limit) = limit else {
            return Self::run(link, request).await;
        };
        match timeout(limit, Self::run(link, request.clone())).await {
            Ok(exchange) => exchange,
            Err(_) => {
                let message = format!("no reply to {request} within {}", duration::show(limit));
                Self::failed(request, Failure::new(Kind::NoAnswer, message))
            }
        }
    }

    /// Returns the result of a command without a reply.
    pub(super) fn failed(request: AtRequest, failure: Failure) -> Self {
        Self {
            request,
            reply: None,
            failure: Some(failure),
        }
    }

    fn replied(request: AtRequest, raw: &[u8]) -> Self {
        let raw = without_echo(&request, raw);
        let failure = check_reply(&request, raw);
        let text = String::from_utf8_lossy(raw);
        let reply = Zeroizing::new(text.trim_matches(['\r', '\n', '\0']).to_owned());
        Self {
            request,
            reply: Some(reply),
            failure,
        }
    }

    /// Returns the reply for people, who may see the key that they queried, without control characters.
    pub(super) fn text(&self) -> Option<Zeroizing<String>> {
        let reply = self.reply.as_ref()?;
        let lines: Vec<_> = lines(reply).map(clean).collect();
        Some(Zeroizing::new(lines.join("\n")))
    }

    /// Returns the command with its secrets masked.
    pub(super) fn command(&self) -> String {
        self.request.masked()
    }

    /// Returns the result for JSON.
    pub(super) fn document(&self) -> CommandDocument {
        let command = self.command();
        let masked = |reply: &Zeroizing<String>| {
            let reply = masked_reply(self.request.verb(), reply);
            // Device that repeats the value.
            match self.request.value().map(str::from_utf8) {
                Some(Ok(value)) if !value.is_empty() && !command.contains(value) => {
                    reply.replace(value, "***")
                }
                _ => reply,
            }
        };
        CommandDocument {
            reply: self.reply.as_ref().map(masked),
            error: self.failure.clone(),
            command,
        }
    }
}

/// Strips the echo of a module with `AT+E` on, which repeats the line in front of its reply.
fn without_echo<'a>(request: &AtRequest, raw: &'a [u8]) -> &'a [u8] {
    let line = request.emit(Terminator::None);
    match raw.strip_prefix(line.as_slice()) {
        Some(rest) if rest.starts_with(b"\r") || rest.starts_with(b"\n") => rest.trim_ascii_start(),
        _ => raw,
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\r', '\n', '\0'])
        .filter(|line| !line.trim().is_empty())
}

fn check_reply(request: &AtRequest, raw: &[u8]) -> Option<Failure> {
    let refused = |why: &str| Failure::new(Kind::Refused, format!("{request} was refused{why}"));
    match AtReply::parse(raw) {
        AtReply::Ok(_) => None,
        // `+ERROR` from the plug's own parser gives no reason.
        AtReply::Error(ErrorCode::Other(0)) => Some(refused("")),
        AtReply::Error(code) => Some(refused(&format!(": {code}"))),
        AtReply::Unknown(value) if is_valid_without_ok(request.verb(), value.as_bytes(), raw) => {
            None
        }
        AtReply::Unknown(_) => Some(Failure::new(
            Kind::BadAnswer,
            format!("the reply to {request} is neither +ok nor +ERR"),
        )),
    }
}

/// Tells whether a reply is valid without `+ok`: the form of the plug's own VER is unknown, some clones leave out the
/// `+ok=` before the state of the link, and the rows of a list can overtake its beginning.
fn is_valid_without_ok(verb: &str, first_line: &[u8], raw: &[u8]) -> bool {
    match verb {
        "VER" | "WSLK" | "H" => is_text(first_line),
        "WSCAN" => !wscan::parse(raw).is_empty(),
        _ => false,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.trim().is_empty() && !text.chars().any(char::is_control))
}

/// Masks each line, because a second line, or an echo, can hold a key as well as the first.
fn masked_reply(verb: &str, reply: &str) -> String {
    reply
        .split_inclusive(['\r', '\n', '\0'])
        .map(|line| {
            let end = line.len() - line.trim_end_matches(['\r', '\n', '\0']).len();
            let (line, end) = line.split_at(line.len() - end);
            format!("{}{end}", masked_line(verb, line))
        })
        .collect()
}

fn masked_line(verb: &str, line: &str) -> String {
    let starts = |prefix: &str| {
        line.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    match line.split_once('=') {
        _ if starts("+err") || line.trim().is_empty() => line.to_owned(),
        Some((head, value)) if starts("+ok") || starts("AT+") => {
            format!("{head}={}", masked_value(verb, value.as_bytes()))
        }
        None if starts("+ok") || starts("AT+") => line.to_owned(),
        _ => masked_value(verb, line.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(request: AtRequest, raw: &[u8]) -> String {
        serde_json::to_string(&CommandResult::replied(request, raw).document()).unwrap()
    }

    #[test]
    fn the_reply_is_given_without_its_terminator() {
        assert_eq!(
            json(AtRequest::query("MID"), b"+ok=HF-LPB100\r\n\r\n"),
            r#"{"command":"AT+MID","reply":"+ok=HF-LPB100"}"#
        );
    }

    #[test]
    fn the_echo_is_no_part_of_the_reply() {
        let text = json(AtRequest::query("E"), b"AT+E\n\r+ok\r\n\r\n");
        assert_eq!(text, r#"{"command":"AT+E","reply":"+ok"}"#);
        let text = json(AtRequest::query("WSSSID"), b"+ok=AT+WSSSID\r\n\r\n");
        assert_eq!(text, r#"{"command":"AT+WSSSID","reply":"+ok=AT+WSSSID"}"#);
    }

    #[test]
    fn what_an_unknown_verb_sets_does_not_reach_json() {
        for verb in ["SMTLKKEY", "OEM", "WIFIPW"] {
            let raw = format!("hi\r\nat+{verb}=hunter22\r\n\r\n+ok=hunter22\r\n\r\n");
            let text = json(AtRequest::set(verb, "hunter22"), raw.as_bytes());
            assert!(text.contains("***") && !text.contains("hunter22"), "{text}");
        }
    }

    #[test]
    fn keys_do_not_reach_json() {
        for raw in [
            b"+ok=WPA2PSK,AES,hunter22\r\n\r\n".as_slice(),
            b"+ok=hunter22\r\n\r\n",
            b"+ok\r\nWPA2PSK,AES,hunter22\r\n\r\n",
            b"AT+WSKEY=WPA2PSK,AES,hunter22\r\n+ok=WPA2PSK,AES,hunter22",
            b"hunter22",
        ] {
            let text = json(AtRequest::query("WSKEY"), raw);
            assert!(!text.contains("hunter22"), "{text}");
        }
        assert!(json(AtRequest::query("WSKEY"), b"+ERR=-4\r\n\r\n").contains("+ERR=-4"));
        let text = json(
            AtRequest::set("WSKEY", "WPA2PSK,AES,hunter22"),
            b"+ok\r\n\r\n",
        );
        assert_eq!(
            text,
            r#"{"command":"AT+WSKEY=WPA2PSK,AES,***","reply":"+ok"}"#
        );
    }

    #[test]
    fn a_person_sees_the_key_that_was_asked_for() {
        let exchange = CommandResult::replied(
            AtRequest::query("WSKEY"),
            b"+ok=WPA2PSK,AES,hunter22\r\n\r\n",
        );
        assert_eq!(
            exchange.text().unwrap().as_str(),
            "+ok=WPA2PSK,AES,hunter22"
        );
    }

    #[test]
    fn lists_are_shown_line_by_line_and_cannot_steer_the_terminal() {
        let raw = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r1,\x1b[2J,3C:E5:A6:61:B4:40,OPEN/NONE,74\n\r\r\n\r\n";
        let exchange = CommandResult::replied(AtRequest::query("WSCAN"), raw);
        assert_eq!(
            exchange.text().unwrap().as_str(),
            "+ok=\nCh,SSID,BSSID,Security,Indicator\n1,\\u{1b}[2J,3C:E5:A6:61:B4:40,OPEN/NONE,74"
        );
        assert!(exchange.failure.is_none());
    }

    #[test]
    fn refusals_and_nonsense_are_told_apart() {
        let kind = |verb: &str, raw: &[u8]| {
            CommandResult::replied(AtRequest::query(verb), raw)
                .failure
                .map(|failure| failure.kind())
        };
        assert_eq!(kind("MID", b"+ERR=-2\r\n\r\n"), Some(Kind::Refused));
        assert_eq!(kind("HELLO", b"+ERROR\r\n\r\n"), Some(Kind::Refused));
        assert_eq!(kind("MID", b"\x00\xff\x12"), Some(Kind::BadAnswer));
        assert_eq!(kind("VER", b"SP-2 1.0\r\n"), None);
        assert_eq!(kind("VER", b"\x01\x02"), Some(Kind::BadAnswer));
        assert_eq!(kind("WSCAN", b"\x01\x02"), Some(Kind::BadAnswer));
        let overtaken =
            b"2,b,3C:E5:A6:61:B4:40,OPEN/NONE,74\n\r+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r";
        assert_eq!(kind("WSCAN", overtaken), None);
        assert_eq!(kind("YZOUT", b"+ok\r\n\r\n+error\r\n\r\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(raw: Vec<u8>, verb in "[A-Z]{0,8}") {
            let exchange = CommandResult::replied(AtRequest::query(&verb), &raw);
            exchange.text();
            serde_json::to_string(&exchange.document()).unwrap();
        }
    }
}
