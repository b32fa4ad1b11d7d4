//! Gathers what the port delivers until it is a whole reply, and tells its parts apart.

use zeroize::Zeroizing;

/// More than the longest network list; whoever sends more is not answering.
const LIMIT: usize = 64 * 1024;
const END: &[u8] = b"\r\n\r\n";

/// Bytes received since the last thing was sent.
#[derive(Default)]
pub(super) struct Collector {
    /// The line that was sent, without its terminator: a module with echo on repeats it.
    echo: Zeroizing<Vec<u8>>,
    bytes: Zeroizing<Vec<u8>>,
}

/// Lengths only: the echo may hold a Wi-Fi key.
impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Collector {
    pub(super) fn new(echo: &[u8]) -> Self {
        Self {
            echo: Zeroizing::new(echo.to_vec()),
            bytes: Zeroizing::default(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = LIMIT.saturating_sub(self.bytes.len());
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

    /// Everything received, as it came.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body().is_empty()
    }

    /// What was received after the echo and the blanks that follow it.
    fn body(&self) -> &[u8] {
        let rest = match self.echo_end() {
            Some(end) => self.bytes.get(end..).unwrap_or_default(),
            None => &self.bytes,
        };
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        rest.get(blanks..).unwrap_or_default()
    }

    /// Behind the echo, which stands at the start of a line; what comes before it belongs to an
    /// earlier command.
    fn echo_end(&self) -> Option<usize> {
        if self.echo.is_empty() {
            return None;
        }
        let start = self
            .bytes
            .windows(self.echo.len())
            .enumerate()
            .position(|(at, window)| {
                let line_start = at.checked_sub(1).and_then(|before| self.bytes.get(before));
                window == self.echo.as_slice() && line_start.is_none_or(|byte| is_blank(*byte))
            })?;
        Some(start + self.echo.len())
    }

    /// Whether the reply has its terminator, or more than a reply can have.
    pub(super) fn is_ended(&self) -> bool {
        self.bytes.len() >= LIMIT || (self.is_answer() && find(self.body(), END).is_some())
    }

    /// Whether what was received looks like a reply, so that silence ends it.
    pub(super) fn is_answer(&self) -> bool {
        let body = self.body();
        has_prefix(body, b"+ok") || has_prefix(body, b"+err")
    }

    pub(super) fn contains_ok(&self) -> bool {
        self.bytes
            .windows(3)
            .any(|window| window.eq_ignore_ascii_case(b"+ok"))
    }

    /// The reply with its terminator; what follows that is dropped.
    pub(super) fn into_reply(self) -> Zeroizing<Vec<u8>> {
        let body = self.body();
        let end = find(body, END).map_or(body.len(), |at| at + END.len());
        Zeroizing::new(body.get(..end).unwrap_or(body).to_vec())
    }
}

/// Whether an error was said, and by whom: `Some(true)` for the plug's own parser (`+ERROR`),
/// `Some(false)` for the module (`+ERR`, `+ERR=-1`). Undecided while the word may still grow.
pub(super) fn error_word(bytes: &[u8], quiet: bool) -> Option<bool> {
    let at = bytes
        .windows(4)
        .position(|window| window.eq_ignore_ascii_case(b"+err"))?;
    let rest = bytes.get(at + 4..).unwrap_or_default();
    if has_prefix(rest, b"or") {
        return Some(true);
    }
    let may_grow = rest.is_empty() || rest.eq_ignore_ascii_case(b"o");
    (quiet || !may_grow).then_some(false)
}

/// Whether the module has answered the escape. Behind the tail of other traffic the `a` counts
/// only once the line has gone quiet.
pub(super) fn ends_in_lone_a(bytes: &[u8], quiet: bool) -> bool {
    let bytes = bytes.strip_prefix(b"+++").unwrap_or(bytes);
    let mut letters = bytes.iter().filter(|byte| !is_blank(**byte)).rev();
    let last = letters.next();
    last.is_some_and(|byte| byte.eq_ignore_ascii_case(&b'a')) && (quiet || letters.next().is_none())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b'\0' | b' ')
}

fn has_prefix(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}
