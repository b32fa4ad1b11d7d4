//! One line of progress that is written over again and again: what is waited for, and how long yet.
//!
//! It is taken away before anything else is printed, so that it never stands in a log or between other lines.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;

use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthChar;

use super::{Ui, clean};

/// A terminal that does not tell its size.
const USUAL_WIDTH: u16 = 80;
const BEGIN_OF_LINE: &str = "\r\x1b[K";

impl Ui {
    /// Tells whether a line can be written over: stderr is a terminal that knows how, and is not silenced.
    pub fn has_live_line(&self) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        !self.options.quiet && !dumb && io::stderr().is_terminal()
    }

    /// Shows what is waited for, in place of what was shown before. To be used where [`Ui::has_live_line`].
    pub fn live(&self, text: &str) {
        let width = terminal_size_of(io::stderr()).map_or(USUAL_WIDTH, |(Width(width), _)| width);
        let line = cut(&clean(text), usize::from(width).saturating_sub(1));
        self.live.store(true, Ordering::Relaxed);
        put(&format!("{BEGIN_OF_LINE}{line}"));
    }

    /// Takes the line away, if there is one.
    pub(super) fn end_live(&self) {
        if self.live.swap(false, Ordering::Relaxed) {
            put(BEGIN_OF_LINE);
        }
    }
}

/// A line that is too long would wrap, and could not be taken away.
fn cut(text: &str, width: usize) -> String {
    let mut taken = 0;
    text.chars()
        .take_while(|character| {
            taken += character.width().unwrap_or(0);
            taken <= width
        })
        .collect()
}

fn put(text: &str) {
    let mut stderr = io::stderr().lock();
    // There is nobody else to tell.
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits() {
        assert_eq!(cut("abcdef", 4), "abcd");
        assert_eq!(cut("\u{53f0}\u{6240}x", 3), "\u{53f0}");
        assert_eq!(cut("abc", 0), "");
    }
}
