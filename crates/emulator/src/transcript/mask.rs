//! Masks keys and passwords in what is recorded, and leaves all other bytes as they are.

use hiflying::at::{masked_value, strip_prefix_ignoring_case, without_prompt};
use hiflying::verb;
use zeroize::Zeroizing;

const MASK: &[u8] = b"***";
/// Longest line that is kept to recognise a key that comes in pieces.
const MAX_LINE: usize = 4096;
/// Maximum number of discovery words that are kept secret.
const MAX_WORDS: usize = 16;

/// Discovery words that somebody has given a module, as against those of its maker.
#[derive(Debug, Default)]
pub(crate) struct SecretWords(Vec<Zeroizing<Vec<u8>>>);

impl SecretWords {
    fn learn(&mut self, verb: &str, value: &[u8]) {
        let word = value.trim_ascii();
        if verb == "ASWD" && !word.is_empty() && !self.knows(word) && self.0.len() < MAX_WORDS {
            self.0.push(Zeroizing::new(word.to_vec()));
        }
    }

    fn knows(&self, word: &[u8]) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(word))
    }
}

/// Masks one conversation: what a peer sends on one transport, and the replies to it.
#[derive(Debug, Default)]
pub(crate) struct ConversationMask {
    /// Verb of the last request.
    verb: String,
    request: PartialLine,
    reply: PartialLine,
}

/// Line of a stream whose end has not come yet.
#[derive(Debug, Default)]
struct PartialLine {
    line: Zeroizing<Vec<u8>>,
    shown: Vec<u8>,
}

impl PartialLine {
    /// Takes a further piece of the line and returns what is shown of the piece.
    fn extend(&mut self, piece: &[u8], mask: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        if self.line.len() + piece.len() > MAX_LINE {
            self.end();
        }
        self.line.extend_from_slice(piece);
        let masked = mask(&self.line);
        let further = match masked.strip_prefix(self.shown.as_slice()) {
            Some(further) => further.to_vec(),
            // What was shown already has turned out to be the beginning of a secret.
            None => MASK.to_vec(),
        };
        self.shown = masked;
        further
    }

    fn end(&mut self) {
        self.line.clear();
        self.shown.clear();
    }
}

impl ConversationMask {
    /// Masks a datagram of the app.
    pub(crate) fn request(&mut self, words: &mut SecretWords, bytes: &[u8]) -> Vec<u8> {
        self.request.end();
        let masked = self.request_piece(words, bytes);
        self.request.end();
        masked
    }

    /// Masks a piece of a stream of the app.
    pub(crate) fn request_piece(&mut self, words: &mut SecretWords, bytes: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(bytes.len());
        for (content, end) in lines(bytes) {
            // A request without a line end is ended by the next one.
            if strip_prefix_ignoring_case(content, b"AT+").is_some() {
                self.request.end();
            }
            if !content.is_empty() {
                let verb = &mut self.verb;
                masked.extend(
                    self.request
                        .extend(content, |line| request_line(line, words, verb)),
                );
            }
            if !end.is_empty() {
                self.request.end();
                masked.extend_from_slice(end);
            }
        }
        masked
    }

    /// Masks a datagram of the plug.
    pub(crate) fn reply(&mut self, words: &mut SecretWords, bytes: &[u8]) -> Vec<u8> {
        self.reply.end();
        let masked = self.reply_piece(words, bytes);
        self.reply.end();
        masked
    }

    /// Masks a piece of a stream of the plug.
    pub(crate) fn reply_piece(&mut self, words: &mut SecretWords, bytes: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(bytes.len());
        for (content, end) in lines(bytes) {
            if !content.is_empty() {
                let verb = &self.verb;
                masked.extend(
                    self.reply
                        .extend(content, |line| reply_line(line, words, verb)),
                );
            }
            if !end.is_empty() {
                self.reply.end();
                masked.extend_from_slice(end);
            }
        }
        masked
    }
}

/// Splits bytes into lines, each as its content and its end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    bytes.split_inclusive(is_end).map(move |line| {
        let length = line.len() - usize::from(line.last().is_some_and(is_end));
        line.split_at(length)
    })
}

/// Returns where `AT+` begins in a line.
fn command_start(line: &[u8]) -> Option<usize> {
    line.windows(3)
        .position(|window| window.eq_ignore_ascii_case(b"AT+"))
}

fn request_line(line: &[u8], words: &mut SecretWords, last_verb: &mut String) -> Vec<u8> {
    let Some(start) = command_start(line) else {
        last_verb.clear();
        let is_secret = words.knows(line.trim_ascii());
        return if is_secret {
            MASK.to_vec()
        } else {
            masked("", line)
        };
    };
    let (before, command) = line.split_at(start + 3);
    let equals = command.iter().position(|byte| *byte == b'=');
    let (name, rest) = command.split_at(equals.unwrap_or(command.len()));
    *last_verb = String::from_utf8_lossy(name).trim().to_ascii_uppercase();
    let Some((equals, value)) = rest.split_first() else {
        return line.to_vec();
    };
    words.learn(last_verb, value);
    [before, name, &[*equals], &masked(last_verb, value)].concat()
}

fn reply_line(line: &[u8], words: &mut SecretWords, verb: &str) -> Vec<u8> {
    if command_start(line).is_some() {
        // The echo of the request.
        return request_line(line, words, &mut String::new());
    }
    let reply = without_prompt(line);
    let (prompt, _) = line.split_at(line.len() - reply.len());
    if let Some(rest) = strip_prefix_ignoring_case(reply, b"+ok") {
        let Some((b'=', value)) = rest.split_first() else {
            return line.to_vec();
        };
        words.learn(verb, value);
        let (ok, _) = reply.split_at(reply.len() - value.len());
        return [prompt, ok, &masked(verb, value)].concat();
    }
    let is_start = |whole: &[u8]| {
        whole
            .get(..line.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(line))
    };
    if strip_prefix_ignoring_case(line, b"+err").is_some() || is_start(b"+ok") || is_start(b"+err")
    {
        return line.to_vec();
    }
    masked(verb, line)
}

/// Returns a value with its secrets masked; one without secrets byte for byte.
fn masked(verb: &str, value: &[u8]) -> Vec<u8> {
    // Its text form has no length or content in common with bytes that are no text, so those are compared as text.
    let shown = masked_value(verb, value);
    if shown.as_bytes() == String::from_utf8_lossy(value).as_bytes() && !verb::is_secret(verb) {
        return value.to_vec();
    }
    shown.into_bytes()
}
