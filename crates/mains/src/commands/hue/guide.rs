//! The person at the terminal, as a flow sees one: hears how far it is, and is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hue::{Guide, HueError, Progress, Question};

use crate::error::Failure;
use crate::ui::{DIM, GOOD, Ui, WARN, clean, paint};

/// Tells and asks on stderr.
pub(super) struct TerminalGuide<'a> {
    ui: &'a Ui,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why a question could not be asked.
    unasked: Option<Failure>,
    /// What was told to be waited for, so that it is told once where a line cannot be written over.
    waiting: Option<&'static str>,
    /// Whether a touchlink was begun.
    has_touchlinked: bool,
}

impl<'a> TerminalGuide<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            state: Mutex::default(),
        }
    }

    /// Turns what a flow ended with into what the command ends with: a question that could not be asked is the reason for
    /// everything after it.
    pub(super) fn failure(&self, error: HueError) -> Failure {
        match (error, self.locked().unasked.take()) {
            (HueError::NotAgreed, Some(unasked)) => unasked,
            (error, _) => error.into(),
        }
    }

    /// Tells whether a touchlink was begun, which may have captured a bulb.
    pub(super) fn has_touchlinked(&self) -> bool {
        self.locked().has_touchlinked
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what is waited for and how long yet: in place on a terminal, once elsewhere.
    fn wait(&self, what: &'static str, left: Duration) {
        if self.ui.has_live_line() {
            return self
                .ui
                .live(&format!("\u{2026} {what} ({} s left)", left.as_secs()));
        }
        if self.locked().waiting.replace(what) != Some(what) {
            let most = format!("{what} (at most {} s)", left.as_secs());
            self.ui.status(paint(DIM, format_args!("\u{2026} {most}")));
        }
    }

    fn say(&self, text: &str) {
        self.locked().waiting = None;
        self.ui.status(text);
    }
}

impl Guide for TerminalGuide<'_> {
    fn tell(&self, progress: Progress) {
        tracing::debug!(?progress, "hue");
        self.locked().has_touchlinked |= matches!(progress, Progress::Touchlink { .. });
        match &progress {
            Progress::PressTheButton { left } => {
                self.wait("press the round button on the bridge", *left);
            }
            Progress::Searching { left } => self.wait("the bridge looks for lights", *left),
            Progress::Found(_) | Progress::Captured(Some(true)) | Progress::Moved(_) => {
                let line = progress.to_string();
                self.say(&format!("{} {}", paint(GOOD, "ok"), clean(&line)));
            }
            Progress::FallBack { .. } | Progress::Captured(Some(false)) => {
                let line = progress.to_string();
                self.say(&format!("{} {}", paint(WARN, "--"), clean(&line)));
            }
            _ => {
                let line = progress.to_string();
                self.say(&paint(DIM, format_args!("\u{2026} {}", clean(&line))));
            }
        }
    }

    async fn agree(&self, question: Question) -> bool {
        let by_itself = self.ui.agrees() || !self.ui.can_ask();
        if by_itself && needs_hands(&question) {
            return false;
        }
        match self.ui.confirm(&laid_out(&question.to_string())).await {
            Ok(answer) => answer,
            Err(failure) => {
                self.locked().unasked = Some(failure);
                false
            }
        }
    }
}

/// Tells whether somebody must have moved the bulb before yes can be right. Agreed to by itself, the next nearest lamp could
/// be taken.
fn needs_hands(question: &Question) -> bool {
    matches!(
        question,
        Question::TryAgain { .. } | Question::TakeBack { .. }
    )
}

/// What is to be known first on lines of its own, then the question without its mark.
fn laid_out(text: &str) -> String {
    let (before, question) = text
        .rsplit_once(". ")
        .map_or(("", text), |(before, question)| (before, question));
    let question = clean(question.trim_end_matches('?'));
    match before {
        "" => question.into_owned(),
        before => {
            let before = format!("{before}.");
            let width = textwrap::termwidth().min(100);
            format!("{}\n{question}", textwrap::fill(&clean(&before), width))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_comes_last_and_without_its_mark() {
        assert_eq!(laid_out("Go on?"), "Go on");
        assert_eq!(
            laid_out("It is lost. Rooms lose it. Go on?"),
            "It is lost. Rooms lose it.\nGo on"
        );
        assert_eq!(laid_out("Take \u{1b}[2J?"), "Take \\u{1b}[2J");
    }
}
