//! The text of an AT command and of its answer.

use std::time::Duration;

use zeroize::Zeroizing;

use super::behaviour::ReplyWording;

/// Longest command, from `HFAT_MAX_CMD_DATA_LEN` of the vendor's SDK.
const MAX_COMMAND: usize = 255;

/// One command: `AT+<VERB>[=<value>]`.
pub(super) struct AtLine<'a> {
    /// In upper case; empty for the null command.
    pub(super) verb: String,
    pub(super) value: Option<&'a [u8]>,
}

impl<'a> AtLine<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, AtError> {
        if line.len() > MAX_COMMAND || !starts_like_a_command(line) {
            return Err(AtError::Format);
        }
        let mut parts = line
            .get(3..)
            .unwrap_or_default()
            .splitn(2, |&byte| byte == b'=');
        let verb = parts.next().unwrap_or_default().trim_ascii_end();
        let value = parts.next();
        if verb.is_empty() && value.is_some() {
            return Err(AtError::Format);
        }
        let verb = String::from_utf8_lossy(verb).to_ascii_uppercase();
        Ok(Self { verb, value })
    }
}

/// Number of a refusal, `+ERR=<n>`.
#[derive(Debug, Clone, Copy)]
pub(super) enum AtError {
    Format = -1,
    Verb = -2,
    Operator = -3,
    Parameter = -4,
    NotPermitted = -5,
}

/// Result of a command.
#[derive(Debug)]
pub(super) struct AtAnswer {
    pub(super) content: AnswerContent,
    /// Delay of the answer.
    pub(super) after: Duration,
    pub(super) then: FollowUp,
}

#[derive(Debug)]
pub(super) enum AnswerContent {
    Silence,
    Ok,
    Value(Zeroizing<Vec<u8>>),
    Refusal(AtError),
    /// Verbatim datagrams, each with its delay after the one before.
    Verbatim(Vec<(Duration, Vec<u8>)>),
}

/// Action of the module after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FollowUp {
    Stay,
    Leave,
    Restart,
    Reset,
}

impl AtAnswer {
    pub(super) fn new(content: AnswerContent) -> Self {
        Self {
            content,
            after: Duration::ZERO,
            then: FollowUp::Stay,
        }
    }

    pub(super) fn ok() -> Self {
        Self::new(AnswerContent::Ok)
    }

    pub(super) fn value(value: impl AsRef<[u8]>) -> Self {
        Self::new(AnswerContent::Value(Zeroizing::new(
            value.as_ref().to_vec(),
        )))
    }

    pub(super) fn refusal(code: AtError) -> Self {
        Self::new(AnswerContent::Refusal(code))
    }

    pub(super) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    pub(super) fn then(self, then: FollowUp) -> Self {
        Self { then, ..self }
    }
}

impl ReplyWording {
    pub(super) fn ok(&self, value: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
        let value = value.or_else(|| self.empty_value.then_some(b""));
        let mut reply = Zeroizing::new(self.ok.as_bytes().to_vec());
        if let Some(value) = value {
            reply.reserve_exact(1 + value.len() + self.end.len());
            reply.push(b'=');
            reply.extend_from_slice(value);
        }
        reply.extend_from_slice(self.end);
        reply
    }

    pub(super) fn refusal(&self, error: AtError) -> Zeroizing<Vec<u8>> {
        let mut reply = format!("{}={}", self.err, error as i32).into_bytes();
        reply.extend_from_slice(self.end);
        reply.into()
    }
}

pub(super) fn starts_like_a_command(bytes: &[u8]) -> bool {
    bytes
        .get(..3)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"AT+"))
}
