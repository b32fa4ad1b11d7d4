//! One takeover, as far as it has come.

use api::{ErrorDocument, ErrorKind, Id, RequestError};
use hue::flow::{Takeover, Way};
use hue::{BridgeId, NewLight, Progress};
use jiff::Timestamp;
use serde::Serialize;

/// A takeover has a dozen steps; one that had thousands would be a mistake of ours.
const MOST_STEPS: usize = 200;

/// How far a takeover is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It is under way.
    Running,
    /// A bulb was taken over.
    Done,
    /// No bulb was taken over; the error says why.
    Failed,
}

/// Something that happened on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// In one sentence.
    pub text: String,
    #[serde(skip)]
    is_countdown: bool,
}

impl Step {
    /// Makes it from what a flow tells.
    pub fn new(progress: &Progress, at: Timestamp) -> Self {
        Self {
            at,
            text: progress.to_string(),
            is_countdown: matches!(progress, Progress::Searching { .. }),
        }
    }
}

/// One takeover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// What it is called.
    pub id: Id,
    /// The bridge that takes over.
    pub bridge: BridgeId,
    /// How far it is.
    pub state: JobState,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How the bulb was taken over, once that is known.
    pub via: Option<Way>,
    /// Whether a bulb was captured; `None` where nobody can tell.
    pub captured: Option<bool>,
    /// The lights that are new.
    pub new_lights: Vec<NewLight>,
    /// What happened so far.
    pub steps: Vec<Step>,
    /// What the person should know in the end.
    pub notes: Vec<String>,
    /// Why no bulb was taken over.
    pub error: Option<ErrorDocument>,
}

impl Job {
    /// Begins.
    pub(super) fn new(bridge: BridgeId, started: Timestamp) -> Self {
        Self {
            id: Id::random('t'),
            bridge,
            state: JobState::Running,
            started,
            ended: None,
            via: None,
            captured: None,
            new_lights: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            error: None,
        }
    }

    /// Adds a step. A countdown is one step that goes on.
    pub(super) fn tell(&mut self, step: Step) {
        if step.is_countdown && self.steps.last().is_some_and(|last| last.is_countdown) {
            self.steps.pop();
        }
        if self.steps.len() < MOST_STEPS {
            self.steps.push(step);
        }
    }

    /// Ends with what came of it.
    pub(super) fn end(&mut self, done: Result<Takeover, RequestError>, now: Timestamp) {
        self.ended = Some(now);
        let error = match done {
            Ok(takeover) => self.take(takeover),
            Err(error) => Some(error),
        };
        self.state = match error {
            None => JobState::Done,
            Some(_) => JobState::Failed,
        };
        self.error = error.map(ErrorDocument::from);
    }

    fn take(&mut self, takeover: Takeover) -> Option<RequestError> {
        let is_success = takeover.is_success();
        self.via = Some(takeover.via);
        self.captured = takeover.captured;
        self.new_lights = takeover.new_lights;
        self.notes = takeover.notes;
        (!is_success).then(|| {
            RequestError::new(ErrorKind::Refused, "no new light appeared").hint(
                "hold the bulb closer to the bridge, switch it off and on again, and begin anew; or give its serial number",
            )
        })
    }
}
