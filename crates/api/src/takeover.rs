//! Takeovers of bulbs by a Hue bridge: each a job with progress.

use hue::{BridgeId, FlowProgress, NewLight, TakeoverMethod, TakeoverResult};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ErrorDocument, ErrorKind, RequestError};
use crate::id::Id;

/// Maximum number of recorded steps; a takeover has about a dozen.
const MAX_STEPS: usize = 200;

/// The state of a takeover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TakeoverState {
    /// It is running.
    Running,
    /// A bulb was taken over.
    Done,
    /// No bulb was taken over; the error gives the reason.
    Failed,
}

/// A progress message of a takeover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakeoverStep {
    /// The time of the message.
    pub at: Timestamp,
    /// The message, one sentence.
    pub text: String,
    #[serde(skip)]
    is_countdown: bool,
}

impl TakeoverStep {
    /// Records a progress message.
    pub fn new(progress: &FlowProgress, at: Timestamp) -> Self {
        Self {
            at,
            text: progress.to_string(),
            is_countdown: matches!(progress, FlowProgress::Searching { .. }),
        }
    }
}

/// One takeover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Takeover)]
pub struct TakeoverJob {
    /// Its id.
    pub id: Id,
    /// The bridge that takes over.
    pub bridge: BridgeId,
    /// Its state.
    pub state: TakeoverState,
    /// The time when it began.
    pub started: Timestamp,
    /// The time when it ended.
    #[schema(required)]
    pub ended: Option<Timestamp>,
    /// The method by which the bulb was taken over, once known.
    #[schema(required)]
    pub via: Option<TakeoverMethod>,
    /// True if a bulb was captured; `None` if unknown.
    #[schema(required)]
    pub captured: Option<bool>,
    /// The new lights.
    pub new_lights: Vec<NewLight>,
    /// The progress so far.
    pub steps: Vec<TakeoverStep>,
    /// Notes for people about the result.
    pub notes: Vec<String>,
    /// The reason why no bulb was taken over.
    #[schema(required)]
    pub error: Option<ErrorDocument>,
}

impl TakeoverJob {
    /// Begins a takeover.
    pub fn new(bridge: BridgeId, started: Timestamp) -> Self {
        Self {
            id: Id::random('t'),
            bridge,
            state: TakeoverState::Running,
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

    /// Adds a step. A countdown is a single step that is updated.
    pub fn add_step(&mut self, step: TakeoverStep) {
        if step.is_countdown && self.steps.last().is_some_and(|last| last.is_countdown) {
            self.steps.pop();
        }
        if self.steps.len() < MAX_STEPS {
            self.steps.push(step);
        }
    }

    /// Ends the takeover with its result.
    pub fn end(&mut self, done: Result<TakeoverResult, RequestError>, now: Timestamp) {
        self.ended = Some(now);
        let error = match done {
            Ok(takeover) => self.apply(takeover),
            Err(error) => Some(error),
        };
        self.state = match error {
            None => TakeoverState::Done,
            Some(_) => TakeoverState::Failed,
        };
        self.error = error.map(ErrorDocument::from);
    }

    fn apply(&mut self, takeover: TakeoverResult) -> Option<RequestError> {
        let is_success = takeover.is_success();
        self.via = Some(takeover.via);
        self.captured = takeover.captured;
        self.new_lights = takeover.new_lights;
        self.notes = takeover.notes;
        (!is_success).then(|| {
            RequestError::new(ErrorKind::Refused, "no new light appeared").hint(
                "hold the bulb closer to the bridge, switch it off and on again, and repeat the takeover, or give its serial number",
            )
        })
    }
}
