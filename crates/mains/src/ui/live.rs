//! A line of progress on stderr, rewritten in place: what the command waits for.
//!
//! Whatever else is printed meanwhile stands above it, and nothing of it stays on the terminal or in a log.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Ui, clean};

/// Delay before a wait is shown; most waits are shorter.
const SPINNER_DELAY: Duration = Duration::from_secs(1);
/// Interval between two pictures of the spinner.
const SPINNER_INTERVAL: Duration = Duration::from_millis(100);

impl Ui {
    /// Returns true where a line can be rewritten: stderr is a terminal that is able to, and neither `-q` nor `--json`
    /// silences it.
    pub fn has_live_line(&self) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        !self.options.quiet && !self.options.json && !dumb && io::stderr().is_terminal()
    }

    /// Shows a text in the place of the former one, until something else is printed. To be used where
    /// [`Ui::has_live_line`].
    pub fn live(&self, text: &str) {
        self.locked_live()
            .get_or_insert_with(|| LiveLine::new("{wide_msg}", false))
            .bar
            .set_message(clean(text).into_owned());
    }

    /// Runs `work`; if it takes longer than a second, a spinner shows `what` and the time passed.
    pub async fn waiting<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        if !self.has_live_line() {
            return work.await;
        }
        let mut work = pin!(work);
        if let Ok(result) = tokio::time::timeout(SPINNER_DELAY, &mut work).await {
            return result;
        }
        let spinner = LiveLine::new("{spinner} {msg} ({elapsed})", true);
        spinner.bar.set_message(clean(what).into_owned());
        spinner.bar.set_elapsed(SPINNER_DELAY);
        spinner.bar.enable_steady_tick(SPINNER_INTERVAL);
        self.end_live();
        *self.locked_live() = Some(spinner);
        // Also when `work` is dropped half-way.
        let _end = EndLive(self);
        work.await
    }

    /// Removes the line, if there is one.
    pub(super) fn end_live(&self) {
        drop(self.locked_live().take());
    }

    /// Writes to the terminal: above a spinner, and in the place of a text.
    pub(super) fn above_live<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut live = self.locked_live();
        if let Some(spinner) = live.take_if(|line| line.is_spinner) {
            let result = spinner.bar.suspend(write);
            *live = Some(spinner);
            return result;
        }
        drop(live.take());
        write()
    }

    fn locked_live(&self) -> MutexGuard<'_, Option<LiveLine>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line of progress; removed from the terminal when dropped.
#[derive(Debug)]
pub(super) struct LiveLine {
    bar: ProgressBar,
    is_spinner: bool,
}

impl LiveLine {
    fn new(template: &str, is_spinner: bool) -> Self {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self {
            bar: ProgressBar::new_spinner().with_style(style),
            is_spinner,
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Removes the line of progress when dropped.
struct EndLive<'a>(&'a Ui);

impl Drop for EndLive<'_> {
    fn drop(&mut self) {
        self.0.end_live();
    }
}
