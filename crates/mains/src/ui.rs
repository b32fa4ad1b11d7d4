//! Output and questions: the only module that writes to the terminal.
//!
//! * stdout carries data: what another program could read, with `--json` only JSON documents.
//! * stderr carries everything else: status (which `-q` silences), warnings, errors.
//! * Text may hold ANSI styles; they are stripped where the stream is not to be coloured.
//! * A reader that has gone away (a closed pipe) is not an error: what follows is dropped, and [`Ui::is_closed`] tells
//!   endless verbs to stop.
//! * A question without a terminal to ask it on is a usage error.
//!
//! What comes from a device goes through [`clean`] first: its bytes must not steer the terminal.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use parking_lot::Mutex;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::service_log;
use held::HeldOutput;
use live::LiveLine;

pub use questions::Choice;
pub use terminal::Terminal;

pub(crate) mod held;
mod live;
mod questions;
pub mod screen;
pub mod table;
#[cfg_attr(unix, path = "ui/terminal/unix.rs")]
#[cfg_attr(windows, path = "ui/terminal/windows.rs")]
mod terminal;
mod waiting;

/// Style of what is on.
pub const ON: Style = AnsiColor::Green.on_default().bold();
/// Style of what is off, or of little interest.
pub const DIM: Style = Style::new().dimmed();
/// Style of names and headings.
pub const BOLD: Style = Style::new().bold();
/// Style of success.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Style of warnings.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Style of failures.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Style of hints.
pub const HINT: Style = AnsiColor::Cyan.on_default();

/// Condition for colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always, also into a file or pipe.
    Always,
    /// Never.
    Never,
}

/// Puts text into a style.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Makes text from a device safe to print: control characters become visible escapes.
pub fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe, |character| {
        character.escape_default().to_string()
    })
}

/// As [`clean`], but keeps line ends and our own styles: the last guard before the terminal, for text of others that nobody has
/// cleaned.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_foreign = |character| is_unsafe(character) && !"\n\r\t\u{1b}".contains(character);
    escaped(text, is_foreign, |character| {
        character.escape_default().to_string()
    })
}

fn escaped(
    text: &str,
    is_meant: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    if !text.chars().any(&is_meant) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_meant(character) {
            true => safe.push_str(&escape(character)),
            false => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

/// Returns true for control characters, and for those that turn the direction of the text after them.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Settings of output and questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UiOptions {
    /// stdout carries exactly one JSON document (or one a line, where the verb's help states it).
    pub json: bool,
    /// No status lines and warnings.
    pub quiet: bool,
    /// Agree to every question.
    pub yes: bool,
    /// Condition for colours.
    pub colour: Colour,
}

/// Output and questions, as the options ask for them.
#[derive(Debug)]
pub struct Ui {
    options: UiOptions,
    stdout_choice: ColorChoice,
    stderr_choice: ColorChoice,
    closed: AtomicBool,
    /// A question stands on the terminal: a spinner would be drawn over the answer.
    asked: AtomicBool,
    live: Mutex<Option<LiveLine>>,
    /// Text for stderr while a screen has the terminal.
    held: Arc<HeldOutput>,
}

impl Ui {
    /// Creates the user interface that these options ask for.
    pub fn new(options: UiOptions) -> Self {
        let choose = |automatic: ColorChoice| match options.colour {
            Colour::Auto => automatic,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        Self {
            options,
            stdout_choice: choose(AutoStream::choice(&io::stdout())),
            stderr_choice: choose(AutoStream::choice(&io::stderr())),
            closed: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            live: Mutex::new(None),
            held: Arc::default(),
        }
    }

    /// Returns the place where others than this module leave lines for stderr while a screen has the terminal.
    pub(crate) fn held(&self) -> Arc<HeldOutput> {
        Arc::clone(&self.held)
    }

    /// Returns true when stdout carries JSON.
    pub fn is_json(&self) -> bool {
        self.options.json
    }

    /// Returns true when questions are agreed to in advance (`--yes`).
    pub fn agrees(&self) -> bool {
        self.options.yes
    }

    /// Returns true when the reader of stdout has gone away.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Returns true when stderr is coloured.
    pub fn colours_stderr(&self) -> bool {
        self.stderr_choice != ColorChoice::Never
    }

    /// Returns true when stdout is coloured.
    pub fn colours_stdout(&self) -> bool {
        self.stdout_choice != ColorChoice::Never
    }

    /// Prints one line (or several) of data for people. With `--json` use [`Ui::document`] instead.
    pub fn data(&self, text: impl std::fmt::Display) -> Result<(), Failure> {
        self.data_raw(&format!("{text}\n"))
    }

    /// Prints data as it is, without adding a line end.
    pub fn data_raw(&self, text: &str) -> Result<(), Failure> {
        let text = match io::stdout().is_terminal() {
            true => harmless(text),
            false => Cow::Borrowed(text),
        };
        self.write_stdout(|stream| stream.write_all(text.as_bytes()))
    }

    /// Prints one JSON document on one line: the only function that writes JSON to stdout.
    pub fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(document).map_err(|error| {
            Failure::failed("the result cannot be written as JSON").caused_by(&error)
        })?;
        let mut line = escaped(&json, is_unsafe, |character| {
            format!("\\u{:04x}", u32::from(character))
        })
        .into_owned();
        line.push('\n');
        self.write_stdout(|stream| stream.write_all(line.as_bytes()))
    }

    /// Prints a status line for people on stderr, unless `-q` silences it.
    pub fn status(&self, text: impl std::fmt::Display) {
        if !self.options.quiet {
            self.write_stderr(&format!("{text}\n"));
        }
    }

    /// Prints a warning on stderr, unless `-q` silences it.
    pub fn warn(&self, text: impl std::fmt::Display) {
        if !self.options.quiet {
            self.write_stderr(&format!("{WARN}warning:{WARN:#} {text}\n"));
        }
    }

    /// Prints a hint on stderr, unless `-q` silences it.
    pub fn hint(&self, text: impl std::fmt::Display) {
        if !self.options.quiet {
            self.write_stderr(&format!("{HINT}hint:{HINT:#} {text}\n"));
        }
    }

    /// Prints a failure on stderr; `-q` does not silence it.
    pub fn error(&self, failure: &Failure) {
        let message = failure.to_string();
        self.write_stderr(&format!("{BAD}error:{BAD:#} {}\n", clean_lines(&message)));
        if let Some(hint) = failure.hint_text() {
            self.write_stderr(&format!("{HINT}hint:{HINT:#} {}\n", clean_lines(hint)));
        }
    }

    /// Prints a text that already has its form on stderr (the command-line parser's own errors).
    pub(crate) fn error_raw(&self, text: &str) {
        self.write_stderr(text);
    }

    fn write_stdout(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.is_closed() {
            return Ok(());
        }
        let written = self.above_live(|| {
            let mut stream = AutoStream::new(io::stdout().lock(), self.stdout_choice);
            write(&mut stream).and_then(|()| stream.flush())
        });
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(Failure::failed("the output cannot be written").caused_by(&error)),
        }
    }

    /// Errors are dropped: there is no other place to report them.
    fn write_stderr(&self, text: &str) {
        if self.held.take_message(text) || service_log::log(text) {
            return;
        }
        let _ = self.above_live(|| {
            let mut stream = AutoStream::new(io::stderr().lock(), self.stderr_choice);
            stream
                .write_all(harmless(text).as_bytes())
                .and_then(|()| stream.flush())
        });
    }

    /// Returns true when there is a terminal to ask on.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

/// As [`clean`], but keeps line ends: for our own messages with text of others in them.
fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// Secret typed by the user; wiped from memory when dropped.
pub type SecretText = Zeroizing<String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_device_do_not_steer_the_terminal() {
        assert_eq!(clean("kitchen"), "kitchen");
        assert_eq!(clean("K\u{fc}che \u{1f4a1}"), "K\u{fc}che \u{1f4a1}");
        assert_eq!(clean("\u{1b}[2J\r\n"), "\\u{1b}[2J\\r\\n");
        assert_eq!(clean("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(clean_lines("a\n\u{7}b"), "a\n\\u{7}b");
        assert_eq!(
            harmless("\u{1b}[1ma\u{1b}[0m\tb\n"),
            "\u{1b}[1ma\u{1b}[0m\tb\n"
        );
        for character in ['\u{202e}', '\u{2066}', '\u{61c}', '\u{9b}', '\u{7f}'] {
            let text = harmless(&format!("a{character}b")).into_owned();
            assert_eq!(text, format!("a{}b", character.escape_default()));
        }
    }

    #[test]
    fn styles_end_where_the_text_ends() {
        assert_eq!(paint(DIM, "x"), "\u{1b}[2mx\u{1b}[0m");
    }
}
