//! A picture on the terminal, redrawn in place.
//!
//! It is drawn on the terminal's alternate screen, so that the former contents come back at the end. Control sequences are
//! written whatever the colours are: without them there is no picture.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use anstream::ColorChoice;
use anstream::adapter::strip_str;
use terminal_size::{Height, terminal_size};

use super::Ui;
use crate::error::Failure;

/// Switches to the alternate screen without cursor, where lines that are too long end at the edge.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const END: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Height of a terminal whose size is unknown.
const DEFAULT_HEIGHT: u16 = 24;

/// A picture on the terminal; removed when dropped.
#[derive(Debug)]
pub struct Screen {
    coloured: bool,
}

impl Ui {
    /// Takes over the terminal if stdout is one and shows text for people.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be written to.
    pub fn screen(&self) -> Result<Option<Screen>, Failure> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if self.is_json() || dumb || !io::stdout().is_terminal() {
            return Ok(None);
        }
        write(BEGIN)?;
        Ok(Some(Screen {
            coloured: self.stdout_choice != ColorChoice::Never,
        }))
    }
}

impl Screen {
    /// Draws the picture: as many of its lines as fit.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be written to.
    pub fn draw(&mut self, picture: &str) -> Result<(), Failure> {
        let height = terminal_size().map_or(DEFAULT_HEIGHT, |(_, Height(height))| height);
        write(&frame(picture, height.into(), self.coloured))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // No stream is left to report a failure on.
        let _ = write(END);
    }
}

/// Returns the output that replaces the former picture.
fn frame(picture: &str, height: usize, coloured: bool) -> String {
    let lines: Vec<&str> = picture.lines().collect();
    let fits = lines.len() <= height;
    let shown = if fits {
        height
    } else {
        height.saturating_sub(1)
    };
    let mut frame = "\x1b[H".to_owned();
    for (index, line) in lines.iter().take(shown).enumerate() {
        let begin = if index == 0 { "" } else { "\r\n" };
        // Writing to a String cannot fail.
        let _ = match coloured {
            true => write!(frame, "{begin}{line}\x1b[K"),
            false => write!(frame, "{begin}{}\x1b[K", strip_str(line)),
        };
    }
    if !fits {
        let _ = write!(frame, "\r\n\u{2026} and {} more\x1b[K", lines.len() - shown);
    }
    frame + "\x1b[J"
}

fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::failed("the output cannot be written").caused_by(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_lines_as_fit() {
        let drawn = |height| frame("\x1b[1ma\x1b[0m\nb\nc", height, false);
        assert_eq!(drawn(3), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\nc\x1b[K\x1b[J");
        assert_eq!(drawn(9), drawn(3));
        assert_eq!(drawn(2), "\x1b[Ha\x1b[K\r\n\u{2026} and 2 more\x1b[K\x1b[J");
        assert_eq!(drawn(0), "\x1b[H\r\n\u{2026} and 3 more\x1b[K\x1b[J");
        assert!(frame("\x1b[1ma\x1b[0m", 1, true).contains("\x1b[1ma\x1b[0m"));
    }
}
