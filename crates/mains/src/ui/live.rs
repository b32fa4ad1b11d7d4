//! The line itself: a text, or a spinner with the time passed.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

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

    /// As [`LiveLine::spinner`], with the time that is left of `limit`.
    pub(super) fn countdown(text: String, elapsed: Duration, limit: Duration) -> Self {
        let left = move |state: &ProgressState, out: &mut dyn Write| {
            let left = limit.saturating_sub(state.elapsed()).as_secs();
            // A line that cannot be written is left out.
            let _ = write!(out, "{left} s left");
        };
        let line = Self::styled(
            style("{spinner} {msg} ({left})").with_key("left", left),
            true,
        );
        line.bar.set_message(text);
        line.bar.set_elapsed(elapsed);
        line.bar.enable_steady_tick(SPINNER_INTERVAL);
        line
    }

    fn new(template: &str, is_spinner: bool) -> Self {
        Self::styled(style(template), is_spinner)
    }

    fn styled(style: ProgressStyle, is_spinner: bool) -> Self {
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

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
