//! Text for stderr while a screen has the terminal: messages appear on the screen, lines of the log after its end.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};

use anstream::adapter::strip_str;
use parking_lot::Mutex;

/// Maximum number of lines of the log that are kept for the end.
const MAX_LOG_LINES: usize = 500;
/// Maximum number of messages that wait for the screen.
const MAX_MESSAGES: usize = 16;

/// Text for stderr that waits while a screen has the terminal.
#[derive(Debug, Default)]
pub(crate) struct HeldOutput(Mutex<Option<HeldText>>);

#[derive(Debug, Default)]
struct HeldText {
    messages: VecDeque<String>,
    log: VecDeque<String>,
    /// Number of lines of the log that were dropped.
    dropped: usize,
}

impl HeldOutput {
    /// Begins to hold text back.
    pub(crate) fn begin(&self) {
        *self.0.lock() = Some(HeldText::default());
    }

    /// Ends it, and returns what is left to write to stderr.
    pub(crate) fn end(&self) -> String {
        let Some(held) = self.0.lock().take() else {
            return String::new();
        };
        let mut text = String::new();
        if held.dropped > 0 {
            text = format!("({} earlier lines of the log are left out)\n", held.dropped);
        }
        text.extend(held.log);
        text
    }

    /// Returns the messages since the last call, oldest first.
    pub(crate) fn messages(&self) -> Vec<String> {
        match self.0.lock().as_mut() {
            Some(held) => held.messages.drain(..).collect(),
            None => Vec::new(),
        }
    }

    /// Takes a message for people, to be shown on the screen. Returns false if it is to be written to stderr, which another
    /// file than the terminal is always.
    pub(super) fn take_message(&self, text: &str) -> bool {
        let mut held = self.0.lock();
        let Some(held) = held.as_mut() else {
            return false;
        };
        let message = strip_str(text).to_string();
        push(&mut held.messages, message.trim().to_owned(), MAX_MESSAGES);
        io::stderr().is_terminal()
    }

    /// Takes a line of the log. Returns false if it is to be written to stderr.
    pub(crate) fn take_log(&self, line: &str) -> bool {
        let mut held = self.0.lock();
        let Some(held) = held.as_mut() else {
            return false;
        };
        if !io::stderr().is_terminal() {
            return false;
        }
        held.dropped += push(&mut held.log, line.to_owned(), MAX_LOG_LINES);
        true
    }
}

/// Appends a line; returns how many of the oldest were dropped for it.
fn push(lines: &mut VecDeque<String>, line: String, max: usize) -> usize {
    lines.push_back(line);
    let excess = lines.len().saturating_sub(max);
    lines.drain(..excess).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_the_screen_and_only_while_there_is_one() {
        let held = HeldOutput::default();
        assert!(!held.take_message("before\n"));
        held.begin();
        held.take_message("\u{1b}[2mone\u{1b}[0m\n");
        held.take_message("two\n");
        assert_eq!(held.messages(), ["one", "two"]);
        assert!(held.messages().is_empty());
        held.end();
        assert!(!held.take_message("after\n"));
        assert!(held.messages().is_empty());
    }

    #[test]
    fn the_newest_lines_are_kept() {
        let mut lines = VecDeque::new();
        let dropped: usize = (0..7)
            .map(|number| push(&mut lines, number.to_string(), 3))
            .sum();
        assert_eq!(
            (dropped, Vec::from(lines)),
            (4, vec!["4".to_owned(), "5".to_owned(), "6".to_owned()])
        );
    }
}
