//! The line itself: a text, or a spinner with the time passed.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Interval between two pictures of the spinner.
const SPINNER_INTERVAL: Duration = Duration::from_millis(100);

/// A line of progress on stderr, rewritten in place; removed from the terminal when dropped.
#[derive(Debug)]
pub(super) struct LiveLine {
    bar: ProgressBar,
    is_spinner: bool,
}

impl LiveLine {
    /// Creates a line of text, which is not drawn yet.
    pub(super) fn text() -> Self {
        Self::new("{wide_msg}", false)
    }

    /// Draws a spinner with a text and the time passed.
    pub(super) fn spinner(text: String, elapsed: Duration) -> Self {
        let line = Self::new("{spinner} {msg} ({elapsed})", true);
        line.bar.set_message(text);
        line.bar.set_elapsed(elapsed);
        line.bar.enable_steady_tick(SPINNER_INTERVAL);
        line
    }

    fn new(template: &str, is_spinner: bool) -> Self {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self {
            bar: ProgressBar::new_spinner().with_style(style),
            is_spinner,
        }
    }

    /// Draws the line with another text.
    pub(super) fn set_text(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Returns true for a line that stays below what is printed.
    pub(super) fn is_spinner(&self) -> bool {
        self.is_spinner
    }

    /// Writes to the terminal above the line.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
