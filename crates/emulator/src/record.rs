//! The record of every exchange, one JSON line each, with keys and passwords masked.

use std::io::{self, Write};
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;

use hiflying::Mac;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use crate::wskey::KeySetting;

/// Writes records; clones write to the same place.
#[derive(Clone)]
pub struct RecordWriter(Arc<Mutex<Sink>>);

struct Sink {
    out: Box<dyn Write + Send>,
    failed: bool,
}

/// One exchange.
#[derive(Debug, Serialize)]
struct RecordLine {
    time: Timestamp,
    plug: Mac,
    transport: RecordTransport,
    peer: SocketAddrV4,
    direction: Direction,
    /// The bytes, where they are text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The bytes, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

/// Transport of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RecordTransport {
    /// A datagram on port 48899.
    Udp,
    /// A chunk on port 8899.
    Tcp,
    /// A request or reply of the web page.
    Http,
}

/// Direction of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// To the twin.
    In,
    /// From the twin.
    Out,
}

impl RecordWriter {
    /// Appends to a file, which is made readable for its owner alone.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = statefile::owner_only()
            .create(true)
            .append(true)
            .open(path)?;
        // One that was there before may be open to all.
        if file.metadata()?.is_file() {
            statefile::restrict_access(&file)?;
        }
        Ok(Self::new(file))
    }

    /// Writes to anything.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Sink {
            out: Box::new(out),
            failed: false,
        })))
    }

    pub(crate) fn write(
        &self,
        plug: Mac,
        transport: RecordTransport,
        peer: SocketAddrV4,
        direction: Direction,
        bytes: &[u8],
        secret: bool,
    ) {
        let shown = match direction {
            _ if transport == RecordTransport::Http => match http_summary(bytes) {
                Some(text) => RecordedBytes::Text(text),
                None => return,
            },
            Direction::Out if secret => RecordedBytes::Text(masked_reply(bytes)),
            _ => masked(bytes),
        };
        let (text, hex) = match shown {
            RecordedBytes::Text(text) => (Some(text), None),
            RecordedBytes::Hex(hex) => (None, Some(hex)),
        };
        let line = RecordLine {
            time: crate::clock::now(),
            plug,
            transport,
            peer,
            direction,
            text,
            hex,
        };
        self.append(&line);
    }

    /// Writes a line of whatever shape; secrets are masked already.
    pub(crate) fn append(&self, line: &impl Serialize) {
        let Ok(mut json) = serde_json::to_vec(line) else {
            return;
        };
        json.push(b'\n');
        self.append_bytes(&json);
    }

    /// Writes bytes of whatever format; secrets are masked already.
    pub(crate) fn append_bytes(&self, bytes: &[u8]) {
        let mut sink = self.0.lock();
        if sink.failed {
            return;
        }
        // One write for a line or block, so that a reader never sees half of one.
        if let Err(error) = sink.out.write_all(bytes).and_then(|()| sink.out.flush()) {
            tracing::warn!(%error, "the record cannot be written; going on without");
            sink.failed = true;
        }
    }
}

impl std::fmt::Debug for RecordWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordWriter")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum RecordedBytes {
    Text(String),
    Hex(String),
}

/// Verbs whose values are secrets.
pub(crate) const SECRET_VERBS: [&str; 4] = ["WSKEY", "WAKEY", "ASWD", "WEBU"];

/// Returns the reply to a verb with a secret, or a piece of it, masked.
fn masked_reply(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    // With echo on, the command comes first.
    let is_echo = |line: &&str| line.to_ascii_uppercase().contains("AT+");
    let line = text
        .split(['\r', '\n', '\0'])
        .find(|line| !line.trim().is_empty() && !is_echo(line))
        .unwrap_or_default();
    let lower = line.to_ascii_lowercase();
    let is_number = |c: char| "=-0123456789".contains(c);
    match line.split_once('=') {
        Some((ok, value)) if lower.starts_with("+ok=") => {
            format!("{ok}={}", masked_value(true, value))
        }
        _ if lower == "+ok" => line.to_owned(),
        _ if lower
            .strip_prefix("+err")
            .is_some_and(|rest| rest.chars().all(is_number)) =>
        {
            line.to_owned()
        }
        _ => masked_value(true, line),
    }
}

/// Hides the key of anything of the form `<auth>,<cipher>,<key>`, and every other value that is a secret.
fn masked_value(is_secret: bool, value: &str) -> String {
    match KeySetting::parse(value.as_bytes()) {
        Some(setting) if setting.key.is_empty() => value.to_owned(),
        Some(_) => {
            let mut words = value.splitn(3, ',').take(2).collect::<Vec<_>>();
            words.push("***");
            words.join(",")
        }
        None if is_secret => "***".to_owned(),
        None => value.to_owned(),
    }
}

fn masked(bytes: &[u8]) -> RecordedBytes {
    let text = String::from_utf8_lossy(bytes);
    let masked: String = text
        .split_inclusive(['\r', '\n'])
        .map(masked_line)
        .collect();
    let is_text =
        !text.contains(|c: char| c == '\u{fffd}' || (c.is_control() && !"\r\n\t".contains(c)));
    if is_text || masked != text {
        return RecordedBytes::Text(masked);
    }
    RecordedBytes::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns method and path of a request, status and body of a response: the headers can contain a login.
fn http_summary(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut words = head.lines().next()?.split(' ');
    let (first, second) = (words.next()?, words.next()?);
    if first.starts_with("HTTP/") {
        return Some(format!("{second} {body}").trim_end().to_owned());
    }
    let path = second.split('?').next()?;
    words
        .next()?
        .starts_with("HTTP/")
        .then(|| format!("{first} {path}"))
}

/// Finds the secret wherever it stands in a line, also where the line is not one that a module would take.
fn masked_line(line: &str) -> String {
    let content = line.trim_end_matches(['\r', '\n']);
    let end = line.get(content.len()..).unwrap_or_default();
    let upper = content.to_ascii_uppercase();
    for verb in SECRET_VERBS {
        let start = upper.find(verb).map(|at| at + verb.len());
        if let Some((head, rest)) = start.and_then(|start| content.split_at_checked(start))
            && let Some(value) = rest.trim_start().strip_prefix('=')
        {
            return format!("{head}={}{end}", masked_value(true, value));
        }
    }
    format!("{}{end}", masked_value(false, content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        match masked(bytes) {
            RecordedBytes::Text(text) => text,
            RecordedBytes::Hex(hex) => panic!("hex {hex}"),
        }
    }

    #[test]
    fn requests_with_secrets_are_masked_in_any_dress() {
        for (bytes, shown) in [
            (
                "AT+WSKEY=WPA2PSK,AES,secret-key\r",
                "AT+WSKEY=WPA2PSK,AES,***\r",
            ),
            (
                "at+wskey=wpa2psk,aes,secret,key",
                "at+wskey=wpa2psk,aes,***",
            ),
            (" AT+WSKEY = secret-key\r\n", " AT+WSKEY=***\r\n"),
            (
                "AT+VER\r\nAT+WAKEY=WPA2PSK,AES,secret-key\r\n",
                "AT+VER\r\nAT+WAKEY=WPA2PSK,AES,***\r\n",
            ),
            (
                "\0AT+WSKEY=WPA2PSK,AES,secret-key",
                "\0AT+WSKEY=WPA2PSK,AES,***",
            ),
            ("AT+WEBU=admin,secret", "AT+WEBU=***"),
            ("AT+ASWD=secret", "AT+ASWD=***"),
            ("AT+WSKEY=OPEN,NONE\r", "AT+WSKEY=OPEN,NONE\r"),
            ("AT+WSKEY\r", "AT+WSKEY\r"),
            ("YZ-RECOSCAN", "YZ-RECOSCAN"),
        ] {
            assert_eq!(text(bytes.as_bytes()), shown);
        }
    }

    #[test]
    fn what_is_no_text_is_hex() {
        assert_eq!(
            masked(b"\x00\xffA"),
            RecordedBytes::Hex("00ff41".to_owned())
        );
    }

    #[test]
    fn replies_with_secrets_are_masked_also_in_pieces() {
        for (piece, shown) in [
            (
                b"+ok=WPA2PSK,AES,secret-key\r\n\r\n".as_slice(),
                "+ok=WPA2PSK,AES,***",
            ),
            (b"+ok=WPA2PSK,AES,sec", "+ok=WPA2PSK,AES,***"),
            (b"+ok=WPA2P", "+ok=***"),
            (b"ret-key\r\n\r\n", "***"),
            (b"+ok=OPEN,NONE\r\n\r\n", "+ok=OPEN,NONE"),
            (b"+ok\r\n\r\n", "+ok"),
        ] {
            assert_eq!(masked_reply(piece), shown);
        }
    }

    #[test]
    fn of_http_no_header_is_recorded() {
        for (bytes, shown) in [
            (
                "GET /index.html?a=b HTTP/1.1\r\nAuthorization: Basic QURNSU46QURNSU4=\r\n\r\n",
                Some("GET /index.html"),
            ),
            ("Authorization: Basic QURNSU46QURNSU4=\r\n\r\n", None),
            (
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 22\r\n\r\nERROR:401 Unauthorized",
                Some("401 ERROR:401 Unauthorized"),
            ),
            ("HTTP/1.1 400 Bad Request\r\n\r\n", Some("400")),
        ] {
            assert_eq!(http_summary(bytes.as_bytes()).as_deref(), shown);
        }
    }

    #[test]
    fn a_line_holds_who_when_how_and_what() {
        let path = tempfile::tempdir().unwrap();
        let path = path.path().join("record.jsonl");
        let recorder = RecordWriter::create(&path).unwrap();
        let peer = SocketAddrV4::new([127, 0, 0, 1].into(), 48899);
        let mac = Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56]);
        recorder.write(
            mac,
            RecordTransport::Udp,
            peer,
            Direction::In,
            b"YZ-RECOSCAN",
            false,
        );
        let line: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(line["plug"], "AC:CF:23:12:34:56");
        assert_eq!(
            (&line["transport"], &line["direction"]),
            (&"udp".into(), &"in".into())
        );
        assert_eq!(
            (&line["peer"], &line["text"]),
            (&"127.0.0.1:48899".into(), &"YZ-RECOSCAN".into())
        );
        assert!(line["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    proptest! {
        #[test]
        fn no_dress_shows_the_key(head in "[ -~\r\n\0]{0,12}", auth in "(?i)(WPA2PSK|OPEN|x)", tail in "[ -~\r\n]{0,12}") {
            let request = format!("{head}AT+WSKEY={auth},AES,Tr0ub4dor&3{tail}");
            let shown = match masked(request.as_bytes()) {
                RecordedBytes::Text(text) | RecordedBytes::Hex(text) => text,
            };
            prop_assert!(!shown.contains("Tr0ub4dor") && !shown.contains("54723075623464"));
        }
    }
}
