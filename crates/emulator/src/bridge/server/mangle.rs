//! Spoiling of a reply on its way, as a function of its bytes.

use std::time::Duration;

use super::super::behaviour::Mangle;

/// The bytes sent instead of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spoilt {
    /// Sent one after the other.
    pub(super) pieces: Vec<Vec<u8>>,
    /// Delay before each piece.
    pub(super) pause: Duration,
    /// End of the connection.
    pub(super) end: ConnectionEnd,
}

/// End of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    Close,
    Stay,
}

const GIANT_BODY: usize = 16 * 1024 * 1024;
const CHUNK_BYTES: usize = 7;
const TRICKLE_DELAY: Duration = Duration::from_millis(2);

/// Spoils a whole reply in all the given ways; those that leave its sense first.
pub(super) fn spoil(reply: Vec<u8>, mangles: &[Mangle]) -> Spoilt {
    let mut text = ReplyParts::split(reply);
    let mut spoilt = Spoilt {
        pieces: Vec::new(),
        pause: Duration::ZERO,
        end: ConnectionEnd::Close,
    };
    for mangle in mangles {
        match mangle {
            Mangle::Chunked => text.chunk(),
            Mangle::CloseDelimited => text.drop_header("content-length"),
            Mangle::LfOnly => text.line_end = "\n",
            Mangle::Charset => text.add_charset(),
            Mangle::NoContentType => text.drop_header("content-type"),
            Mangle::Giant => text.grow(),
            Mangle::Half => text.cut(),
            Mangle::Garbage => text = ReplyParts::garbage(),
            Mangle::Trickle => spoilt.pause = TRICKLE_DELAY,
            Mangle::Hang | Mangle::Silent => text = ReplyParts::default(),
        }
        if *mangle == Mangle::Hang {
            spoilt.end = ConnectionEnd::Stay;
        }
    }
    let whole = text.join();
    spoilt.pieces = match spoilt.pause {
        Duration::ZERO => vec![whole],
        _ => whole.chunks(1).map(<[u8]>::to_vec).collect(),
    };
    spoilt
}

/// A reply in its parts.
#[derive(Debug, Default)]
struct ReplyParts {
    head: Vec<String>,
    line_end: &'static str,
    body: Vec<u8>,
}

impl ReplyParts {
    fn split(reply: Vec<u8>) -> Self {
        if reply.is_empty() {
            return Self::default();
        }
        let at = reply.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = reply.split_at(at.unwrap_or(reply.len()));
        Self {
            head: String::from_utf8_lossy(head)
                .split("\r\n")
                .map(str::to_owned)
                .collect(),
            line_end: "\r\n",
            body: body.get(4..).unwrap_or_default().to_vec(),
        }
    }

    fn garbage() -> Self {
        Self {
            body: b"\x00\xffSSH-2.0-no bridge\r\n".to_vec(),
            ..Self::default()
        }
    }

    fn join(self) -> Vec<u8> {
        let mut reply = Vec::with_capacity(self.body.len() + 512);
        for line in &self.head {
            reply.extend_from_slice(line.as_bytes());
            reply.extend_from_slice(self.line_end.as_bytes());
        }
        if !self.head.is_empty() {
            reply.extend_from_slice(self.line_end.as_bytes());
        }
        reply.extend(self.body);
        reply
    }

    fn drop_header(&mut self, name: &str) {
        self.head.retain(|line| !is_header(line, name));
    }

    fn add_charset(&mut self) {
        for line in self
            .head
            .iter_mut()
            .filter(|line| is_header(line, "content-type"))
        {
            line.push_str("; charset=utf-8");
        }
    }

    fn chunk(&mut self) {
        self.drop_header("content-length");
        self.head.push("transfer-encoding: chunked".to_owned());
        let mut chunked = Vec::new();
        for chunk in self.body.chunks(CHUNK_BYTES) {
            chunked.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        self.body = chunked;
    }

    /// Blanks before the body: as JSON it is what it was.
    fn grow(&mut self) {
        self.drop_header("content-length");
        self.head
            .push(format!("content-length: {}", GIANT_BODY + self.body.len()));
        let mut body = vec![b' '; GIANT_BODY];
        body.append(&mut self.body);
        self.body = body;
    }

    /// The announced length is kept, so that half a reply differs from a whole one.
    fn cut(&mut self) {
        self.body.truncate(self.body.len() / 2);
    }
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n[\"a reply!\"]";

    fn text(mangles: &[Mangle]) -> String {
        let spoilt = spoil(REPLY.to_vec(), mangles);
        String::from_utf8_lossy(&spoilt.pieces.concat()).into_owned()
    }

    #[test]
    fn each_way() {
        assert_eq!(text(&[]).as_bytes(), REPLY);
        assert_eq!(
            spoil(Vec::new(), &[]).pieces.concat(),
            b"",
            "nothing stays nothing"
        );
        assert!(text(&[Mangle::Half]).ends_with("content-length: 12\r\n\r\n[\"a re"));
        assert!(!text(&[Mangle::LfOnly]).contains('\r'));
        assert!(
            text(&[Mangle::CloseDelimited]).ends_with("application/json\r\n\r\n[\"a reply!\"]")
        );
        assert!(
            text(&[Mangle::Chunked])
                .ends_with("chunked\r\n\r\n7\r\n[\"a rep\r\n5\r\nly!\"]\r\n0\r\n\r\n")
        );
        assert!(text(&[Mangle::Charset]).contains("application/json; charset=utf-8\r\n"));
        assert!(!text(&[Mangle::NoContentType]).contains("content-type"));
        assert!(text(&[Mangle::Giant]).len() > GIANT_BODY);
        assert!(!text(&[Mangle::Garbage]).contains("HTTP"));
        assert_eq!(text(&[Mangle::Silent]), "");
        assert_eq!(
            spoil(REPLY.to_vec(), &[Mangle::Hang]).end,
            ConnectionEnd::Stay
        );
        let trickle = spoil(REPLY.to_vec(), &[Mangle::Trickle]);
        assert!(trickle.pieces.len() == REPLY.len() && trickle.pieces.concat() == REPLY);
    }

    #[test]
    fn two_ways_at_once() {
        let both = text(&[Mangle::Chunked, Mangle::Charset]);
        assert!(both.contains("charset") && both.contains("chunked"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(reply: Vec<u8>) {
            for mangle in [Mangle::Half, Mangle::Chunked, Mangle::LfOnly, Mangle::CloseDelimited, Mangle::Charset] {
                spoil(reply.clone(), &[mangle]);
            }
        }
    }
}
