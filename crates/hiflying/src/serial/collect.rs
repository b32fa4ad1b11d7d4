//! Gathers the bytes from the port until they make a complete reply, and separates its parts.

use zeroize::Zeroizing;

use crate::at::strip_prefix_ignoring_case;

/// Maximum size of a reply; a long network list has some 6,000 bytes.
const MAX_REPLY: usize = 64 * 1024;
const END: &[u8] = b"\r\n\r\n";

/// Bytes received since the last thing was sent.
#[derive(Default)]
pub(super) struct ReplyCollector {
    /// The line that was sent, without its terminator: a module with echo on repeats it.
    echo: Zeroizing<Vec<u8>>,
    bytes: Zeroizing<Vec<u8>>,
}

/// Shows lengths only, because the echo may hold a Wi-Fi key.
impl std::fmt::Debug for ReplyCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl ReplyCollector {
    pub(super) fn new(echo: &[u8]) -> Self {
        Self {
            echo: Zeroizing::new(echo.to_vec()),
            bytes: Zeroizing::default(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = MAX_REPLY.saturating_sub(self.bytes.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            // By hand, because a growing Vec leaves its old place unwiped.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2048) * 2));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns all received bytes.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body().is_empty()
    }

    /// Returns the bytes after the echo and the blanks that follow it.
    fn body(&self) -> &[u8] {
        let (_, rest) = self.bytes.split_at(self.echo_end());
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        rest.split_at(blanks).1
    }

    /// Returns the end of the echo, which stands at the start of a line; the bytes before it belong to an earlier
    /// command.
    fn echo_end(&self) -> usize {
        if self.echo.is_empty() {
            return 0;
        }
        self.bytes
            .windows(self.echo.len())
            .enumerate()
            .position(|(at, window)| {
                let line_start = at.checked_sub(1).and_then(|before| self.bytes.get(before));
                window == self.echo.as_slice() && line_start.is_none_or(|byte| is_blank(*byte))
            })
            .map_or(0, |start| start + self.echo.len())
    }

    /// Tells whether the reply has its terminator, or the maximum size.
    pub(super) fn is_ended(&self) -> bool {
        self.bytes.len() >= MAX_REPLY || (self.is_reply() && find(self.body(), END).is_some())
    }

    /// Tells whether the received bytes look like a reply, so that silence ends it.
    pub(super) fn is_reply(&self) -> bool {
        let starts = |prefix| strip_prefix_ignoring_case(self.body(), prefix).is_some();
        starts(b"+ok") || starts(b"+err")
    }

    pub(super) fn contains_ok(&self) -> bool {
        self.bytes
            .windows(3)
            .any(|window| window.eq_ignore_ascii_case(b"+ok"))
    }

    /// Returns the reply with its terminator and drops the rest.
    pub(super) fn into_reply(self) -> Zeroizing<Vec<u8>> {
        let body = self.body();
        let end = find(body, END).map_or(body.len(), |at| at + END.len());
        Zeroizing::new(body.get(..end).unwrap_or(body).to_vec())
    }
}

/// Source of an error reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorSource {
    /// The plug's own parser, with `+ERROR`.
    Plug,
    /// The module's engine, with `+ERR` or `+ERR=-1`.
    Module,
}

/// Returns the source of an error reply, if there is one. Undecided while the word may still grow.
pub(super) fn error_source(bytes: &[u8], quiet: bool) -> Option<ErrorSource> {
    let at = bytes
        .windows(4)
        .position(|window| window.eq_ignore_ascii_case(b"+err"))?;
    let rest = bytes.get(at + 4..)?;
    if strip_prefix_ignoring_case(rest, b"or").is_some() {
        return Some(ErrorSource::Plug);
    }
    let may_grow = rest.is_empty() || rest.eq_ignore_ascii_case(b"o");
    (quiet || !may_grow).then_some(ErrorSource::Module)
}

/// Tells whether the module has replied to the escape. After other traffic the `a` counts only once the line
/// has gone quiet.
pub(super) fn ends_in_lone_a(bytes: &[u8], quiet: bool) -> bool {
    let bytes = bytes.strip_prefix(b"+++").unwrap_or(bytes);
    let mut letters = bytes.iter().filter(|byte| !is_blank(**byte)).rev();
    let last = letters.next();
    last.is_some_and(|byte| byte.eq_ignore_ascii_case(&b'a')) && (quiet || letters.next().is_none())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b'\0' | b' ')
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}
