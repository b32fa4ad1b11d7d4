//! The first line of a reply on TCP port 8899.

use hiflying::at::{strip_prefix_ignoring_case, without_prompt};

use super::text::{printable, trim};

/// The meaning of the first line of a reply.
///
/// ```
/// use plugs::reco::RecoReply;
///
/// assert_eq!(RecoReply::parse(b"+ok\r\n\r\n"), RecoReply::Ok(None));
/// assert_eq!(RecoReply::parse(b"+ok=3,22694,5007,0,0,3548,0"), RecoReply::Ok(Some("3,22694,5007,0,0,3548,0".to_owned())));
/// assert_eq!(RecoReply::parse(b"+ERROR"), RecoReply::Error("+ERROR".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoReply {
    /// `+ok`, with the text after the equals sign.
    Ok(Option<String>),
    /// `+ERROR`, `+error` or another text that begins with it; the text as received.
    Error(String),
    /// Any other text, as received.
    Unknown(String),
}

impl RecoReply {
    /// Parses a reply: its first line that is not blank decides, in any case.
    ///
    /// A second line can contradict it: a plug was seen to reply `+ok` and `+error` to the same command (`docs/protocol/reco.md`
    /// 4.5) and to have carried it out. What stands before it in that line, such as a prompt, is ignored.
    pub fn parse(answer: &[u8]) -> Self {
        let line = answer
            .split(|&byte| matches!(byte, b'\r' | b'\n'))
            .map(trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default();
        let line = without_prompt(line);
        if let Some(rest) = strip_prefix_ignoring_case(line, b"+ok") {
            let value = printable(rest.trim_ascii_start().strip_prefix(b"=").unwrap_or(rest));
            Self::Ok((!rest.is_empty()).then_some(value))
        } else if strip_prefix_ignoring_case(line, b"+err").is_some() {
            Self::Error(printable(line))
        } else {
            Self::Unknown(printable(line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r1_ok_and_two_line_ends() {
        for answer in [&b"+ok\r\n\r\n"[..], b"+ok\n\n", b"+ok\r\r", b"+ok"] {
            assert_eq!(RecoReply::parse(answer), RecoReply::Ok(None));
        }
    }

    #[test]
    fn r2_first_line_decides() {
        for answer in [
            &b"+ok\r\n+error\r\n"[..],
            b"+ok\r\n\r\n+error\r\n\r\n",
            b"+ok\r+error\r",
        ] {
            assert_eq!(RecoReply::parse(answer), RecoReply::Ok(None));
        }
        assert_eq!(
            RecoReply::parse(b"+error\r\n+ok\r\n"),
            RecoReply::Error("+error".into())
        );
    }

    #[test]
    fn r3_value() {
        assert_eq!(
            RecoReply::parse(b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n"),
            RecoReply::Ok(Some("3,22694,5007,0,0,3548,0".into()))
        );
    }

    #[test]
    fn r10_error_texts() {
        for text in ["+ERROR", "+error", "+Err", "+ERR=-1"] {
            let answer = format!("{text}\r\n\r\n");
            assert_eq!(
                RecoReply::parse(answer.as_bytes()),
                RecoReply::Error(text.into())
            );
        }
    }

    #[test]
    fn r11_version_text() {
        assert_eq!(
            RecoReply::parse(b"+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n"),
            RecoReply::Ok(Some("1.0.06a-14 (2014-10-29 21:46 1M)".into()))
        );
    }

    #[test]
    fn tolerated() {
        assert_eq!(RecoReply::parse(b"+OK\r\n"), RecoReply::Ok(None));
        assert_eq!(
            RecoReply::parse(b"\r\n \0+Ok=\r\n"),
            RecoReply::Ok(Some("".into()))
        );
        assert_eq!(
            RecoReply::parse(b"+ok 1.0"),
            RecoReply::Ok(Some(" 1.0".into()))
        );
        assert_eq!(
            RecoReply::parse(b"+ok = 1.0"),
            RecoReply::Ok(Some(" 1.0".into()))
        );
        assert_eq!(RecoReply::parse(b""), RecoReply::Unknown("".into()));
        assert_eq!(
            RecoReply::parse(b"\x1b[31mhello\r\n"),
            RecoReply::Unknown("[31mhello".into())
        );
    }

    #[test]
    fn a_prompt_before_the_reply_is_ignored() {
        for prompt in [
            &b"login: "[..],
            b"> ",
            b"\xff\xfd\x03\xff\xfb\x01",
            b"AT+VER",
            b"+o",
        ] {
            let answer = |reply: &[u8]| RecoReply::parse(&[prompt, reply, b"\r\n\r\n"].concat());
            assert_eq!(answer(b"+ok"), RecoReply::Ok(None));
            assert_eq!(answer(b"+ok=1.0"), RecoReply::Ok(Some("1.0".into())));
            assert_eq!(answer(b"+ERR=-1"), RecoReply::Error("+ERR=-1".into()));
            assert!(matches!(answer(b"+okay"), RecoReply::Unknown(_)));
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = RecoReply::parse(&bytes);
        }
    }
}
