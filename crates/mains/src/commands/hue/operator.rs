//! The operator of a flow at a terminal.

use std::time::Duration;

use hue::{FlowProgress, FlowQuestion, HueError, Operator};
use parking_lot::Mutex;

use crate::error::Failure;
use crate::ui::{DIM, GOOD, Ui, WARN, clean, paint};

/// Prints progress on stderr and asks on the terminal.
pub(super) struct TerminalOperator<'a> {
    ui: &'a Ui,
    state: Mutex<OperatorState>,
}

#[derive(Default)]
struct OperatorState {
    /// The reason why a question could not be asked.
    unasked: Option<Failure>,
    /// The last message of a countdown, which is printed once where a line cannot be overwritten.
    waiting: Option<&'static str>,
    /// True once a touchlink was started.
    has_touchlinked: bool,
}

impl<'a> TerminalOperator<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            state: Mutex::default(),
        }
    }

    /// Converts the error of a flow. If a question could not be asked, that is the reason of the failure.
    pub(super) fn failure(&self, error: HueError) -> Failure {
        match (error, self.state.lock().unasked.take()) {
            (HueError::NotConfirmed, Some(unasked)) => unasked,
            (error, _) => error.into(),
        }
    }

    /// Tells whether a touchlink was started, which may have captured a bulb.
    pub(super) fn has_touchlinked(&self) -> bool {
        self.state.lock().has_touchlinked
    }

    /// Shows a countdown: in place on a terminal, once elsewhere.
    fn count_down(&self, what: &'static str, left: Duration) {
        if self.ui.has_live_line() {
            return self
                .ui
                .live(&format!("\u{2026} {what} ({} s left)", left.as_secs()));
        }
        if self.state.lock().waiting.replace(what) != Some(what) {
            let line = format!("{what} (at most {} s)", left.as_secs());
            self.ui.status(paint(DIM, format_args!("\u{2026} {line}")));
        }
    }

    fn print(&self, text: &str) {
        self.state.lock().waiting = None;
        self.ui.status(text);
    }
}

impl Operator for TerminalOperator<'_> {
    fn report(&self, progress: FlowProgress) {
        tracing::debug!(?progress, "hue");
        self.state.lock().has_touchlinked |= matches!(progress, FlowProgress::Touchlink { .. });
        match &progress {
            FlowProgress::PressTheButton { left } => {
                self.count_down("press the round button on the bridge", *left);
            }
            FlowProgress::Searching { left } => self.count_down("searching for lights", *left),
            FlowProgress::Found(_)
            | FlowProgress::Captured(Some(true))
            | FlowProgress::Moved(_) => {
                let line = progress.to_string();
                self.print(&format!("{} {}", paint(GOOD, "ok"), clean(&line)));
            }
            FlowProgress::FallBack { .. } | FlowProgress::Captured(Some(false)) => {
                let line = progress.to_string();
                self.print(&format!("{} {}", paint(WARN, "--"), clean(&line)));
            }
            _ => {
                let line = progress.to_string();
                self.print(&paint(DIM, format_args!("\u{2026} {}", clean(&line))));
            }
        }
    }

    async fn confirm(&self, question: FlowQuestion) -> bool {
        let is_unattended = self.ui.agrees() || !self.ui.can_ask();
        if is_unattended && needs_hands(&question) {
            return false;
        }
        match self.ui.confirm(&lay_out(&question.to_string())).await {
            Ok(answer) => answer,
            Err(failure) => {
                self.state.lock().unasked = Some(failure);
                false
            }
        }
    }
}

/// Tells whether a person must move the bulb before the answer can be yes. Otherwise the next nearest lamp could be taken.
fn needs_hands(question: &FlowQuestion) -> bool {
    matches!(
        question,
        FlowQuestion::TryAgain { .. } | FlowQuestion::TakeBack { .. }
    )
}

/// Puts the explanation on lines of its own, before the question without its mark.
fn lay_out(text: &str) -> String {
    let text = text.trim_end_matches('?');
    match text.rsplit_once(". ") {
        None => clean(text).into_owned(),
        Some((explanation, question)) => {
            let explanation = format!("{explanation}.");
            let width = textwrap::termwidth().min(100);
            let explanation = textwrap::fill(&clean(&explanation), width);
            format!("{explanation}\n{}", clean(question))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_comes_last_and_without_its_mark() {
        assert_eq!(lay_out("Go on?"), "Go on");
        assert_eq!(
            lay_out("It is lost. Rooms lose it. Go on?"),
            "It is lost. Rooms lose it.\nGo on"
        );
        assert_eq!(lay_out("Take \u{1b}[2J?"), "Take \\u{1b}[2J");
    }
}
