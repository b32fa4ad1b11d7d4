//! An operator with scripted answers.

use std::sync::Mutex;

use hue::{FlowProgress, FlowQuestion, Operator};

/// A operator who remembers all that was said.
pub(crate) struct ScriptedOperator {
    agrees: Box<dyn Fn(&FlowQuestion) -> bool + Send + Sync>,
    pub(crate) asked: Mutex<Vec<FlowQuestion>>,
    pub(crate) told: Mutex<Vec<FlowProgress>>,
}

impl ScriptedOperator {
    pub(crate) fn who(agrees: impl Fn(&FlowQuestion) -> bool + Send + Sync + 'static) -> Self {
        Self {
            agrees: Box::new(agrees),
            asked: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Agrees to everything.
    pub(crate) fn agreeing() -> Self {
        Self::who(|_| true)
    }

    /// Agrees as `--yes` does: to all but what needs a hand on the bulb meanwhile.
    pub(crate) fn absent() -> Self {
        Self::who(|question| {
            !matches!(
                question,
                FlowQuestion::TryAgain { .. } | FlowQuestion::TakeBack { .. }
            )
        })
    }

    /// All that was said, a line for each.
    pub(crate) fn heard(&self) -> String {
        let told = self.told.lock().unwrap();
        let lines: Vec<String> = told.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

impl Operator for ScriptedOperator {
    fn report(&self, progress: FlowProgress) {
        self.told.lock().unwrap().push(progress);
    }

    async fn confirm(&self, question: FlowQuestion) -> bool {
        assert!(question.to_string().ends_with('?'), "{question}");
        let agrees = (self.agrees)(&question);
        self.asked.lock().unwrap().push(question);
        agrees
    }
}
