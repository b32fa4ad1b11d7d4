//! Progress on stderr: what the command waits for, on a line that is rewritten in place.
//!
//! Whatever else is printed meanwhile stands above it, and nothing of it stays on the terminal or in a log.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::live::LiveLine;
use super::{Ui, clean};

/// Delay before a wait is shown; most waits are shorter.
const SPINNER_DELAY: Duration = Duration::from_secs(1);

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
        self.live
            .lock()
            .get_or_insert_with(LiveLine::text)
            .set_text(clean(text).into_owned());
    }

    /// Runs `work`; if it takes longer than a second, a spinner shows `what` and the time passed.
    pub async fn waiting<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let spinner = || LiveLine::spinner(clean(what).into_owned(), SPINNER_DELAY);
        self.waiting_with(spinner, work).await
    }

    /// As [`Ui::waiting`], for work that ends after `limit`: shows the time that is left.
    pub async fn waiting_at_most<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> T {
        let spinner = || LiveLine::countdown(clean(what).into_owned(), SPINNER_DELAY, limit);
        self.waiting_with(spinner, work).await
    }

    async fn waiting_with<T>(
        &self,
        spinner: impl FnOnce() -> LiveLine,
        work: impl Future<Output = T>,
    ) -> T {
        if !self.has_live_line() {
            return work.await;
        }
        let mut work = pin!(work);
        if let Ok(result) = tokio::time::timeout(SPINNER_DELAY, &mut work).await {
            return result;
        }
        if self.asked.load(Ordering::Relaxed) {
            return work.await;
        }
        self.end_live();
        *self.live.lock() = Some(spinner());
        // Also when `work` is dropped half-way.
        let _end = EndLive(self);
        work.await
    }

    /// Removes a spinner and shows no further one, before a question is asked.
    pub(super) fn end_spinners(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.end_live();
    }

    /// Allows spinners again, after the answer.
    pub(super) fn resume_spinners(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Removes the line, if there is one.
    fn end_live(&self) {
        drop(self.live.lock().take());
    }

    /// Writes to the terminal: above a spinner, and in the place of a text.
    pub(super) fn above_live<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut live = self.live.lock();
        if let Some(spinner) = live.take_if(|line| line.is_spinner()) {
            let result = spinner.above(write);
            *live = Some(spinner);
            return result;
        }
        drop(live.take());
        write()
    }
}

/// Removes the line of progress when dropped.
struct EndLive<'a>(&'a Ui);

impl Drop for EndLive<'_> {
    fn drop(&mut self) {
        self.0.end_live();
    }
}
