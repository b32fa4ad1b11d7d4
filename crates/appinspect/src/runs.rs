//! Runs of printable characters in bytes of any kind, in one byte or two a character.

use crate::limits::MAX_STRING;

/// Shortest run that can be telling: `AT+Z`.
const MIN_RUN: usize = 4;
/// Length of the end of a run that is too long, in which a place to cut is looked for.
const OVERLAP: usize = 512;

/// Collects runs from bytes that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct PrintableRuns {
    narrow: Vec<u8>,
    /// UTF-16, little-endian, as in the libraries of .NET.
    wide: Vec<u8>,
    expects_zero: bool,
}

impl PrintableRuns {
    /// Takes a piece; `found` gets every run that has ended.
    pub(crate) fn feed(&mut self, piece: &[u8], found: &mut dyn FnMut(&str)) {
        let mut rest = piece;
        loop {
            if self.is_idle() {
                // Long stretches of no text are passed over at once.
                let Some(next) = rest.iter().position(|byte| is_printable(*byte)) else {
                    return;
                };
                rest = rest.split_at(next).1;
            }
            let Some((&byte, after)) = rest.split_first() else {
                return;
            };
            rest = after;
            let is_printable = is_printable(byte);
            if is_printable {
                push(&mut self.narrow, byte, found);
            } else {
                flush(&mut self.narrow, found);
            }
            match (self.expects_zero, byte) {
                (true, 0) => self.expects_zero = false,
                (false, _) if is_printable => {
                    push(&mut self.wide, byte, found);
                    self.expects_zero = true;
                }
                _ => {
                    if self.expects_zero {
                        // The last character belongs to no wide run.
                        self.wide.pop();
                    }
                    flush(&mut self.wide, found);
                    self.expects_zero = is_printable;
                    if is_printable {
                        self.wide.push(byte);
                    }
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.narrow.is_empty() && self.wide.is_empty() && !self.expects_zero
    }

    /// Ends the runs at the end of the bytes.
    pub(crate) fn end(&mut self, found: &mut dyn FnMut(&str)) {
        if self.expects_zero {
            self.wide.pop();
        }
        flush(&mut self.narrow, found);
        flush(&mut self.wide, found);
        self.expects_zero = false;
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

fn push(run: &mut Vec<u8>, byte: u8, found: &mut dyn FnMut(&str)) {
    run.push(byte);
    if run.len() >= MAX_STRING {
        // Cut between words, so that none is found as two halves.
        let tail = run.len() - OVERLAP;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b',' | b';');
        let last = run.iter().skip(tail).rposition(blank);
        let cut = last.map_or(run.len(), |last| tail + last);
        report(run.split_at(cut).0, found);
        run.drain(..cut);
    }
}

fn flush(run: &mut Vec<u8>, found: &mut dyn FnMut(&str)) {
    report(run, found);
    run.clear();
}

fn report(run: &[u8], found: &mut dyn FnMut(&str)) {
    if run.len() >= MIN_RUN
        && let Ok(text) = std::str::from_utf8(run)
    {
        found(text);
    }
}
