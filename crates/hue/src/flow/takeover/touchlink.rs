//! The touchlink and the search after it.

use std::time::Duration;

use serde_json::json;

use super::TakeoverMethod;
use crate::error::{HueError, HueNoReplyReason};
use crate::flow::client::{BridgeClient, lights};
use crate::flow::search::LightSearch;
use crate::identity::TouchlinkMethod;
use crate::lights::Light;
use crate::operator::{FlowProgress, FlowQuestion, Operator};
use crate::reply::{self, BridgeErrorKind};
use crate::request::{HueRequest, Method};
use crate::tcp30000::TouchlinkOutcome;
use crate::transport::HueTransport;

/// Duration of a touchlink whose end the bridge does not report.
const TOUCHLINK_DURATION: Duration = Duration::from_secs(10);

/// The outcome of a touchlink, or of a search in its place.
#[derive(Debug)]
pub(in crate::flow) struct TouchlinkCapture {
    pub(in crate::flow) method: TakeoverMethod,
    pub(in crate::flow) captured: Option<bool>,
    pub(in crate::flow) found: Vec<Light>,
    /// True if a light that was listed but unreachable before is reachable now.
    pub(in crate::flow) is_reachable_again: bool,
}

impl TouchlinkCapture {
    /// The outcome of a search.
    pub(super) fn by_search(method: TakeoverMethod, found: Vec<Light>) -> Self {
        Self {
            method,
            captured: Some(!found.is_empty()),
            found,
            is_reachable_again: false,
        }
    }
}

/// The touchlinks of one bridge.
pub(in crate::flow) struct TouchlinkTakeover<'t, 'b, T, O> {
    bridge: &'t BridgeClient<'b, T>,
    operator: &'t O,
    search: &'t LightSearch<'t, 'b, T, O>,
    /// Notes for the result.
    pub(in crate::flow) notes: Vec<String>,
}

impl<'t, 'b, T: HueTransport, O: Operator> TouchlinkTakeover<'t, 'b, T, O> {
    pub(in crate::flow) fn new(
        bridge: &'t BridgeClient<'b, T>,
        operator: &'t O,
        search: &'t LightSearch<'t, 'b, T, O>,
    ) -> Self {
        Self {
            bridge,
            operator,
            search,
            notes: Vec::new(),
        }
    }

    /// Repeats touchlink and search until enough lights were found, at most `rounds` times, and asks before each repetition.
    pub(in crate::flow) async fn run(
        &mut self,
        via: Option<TouchlinkMethod>,
        rounds: u8,
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<TouchlinkCapture, HueError> {
        let mut round = 1;
        loop {
            let listed = lights(self.bridge).await?;
            let (via, captured) = self.touchlink(via).await?;
            let capture = self
                .search(via, captured, &listed, &is_enough)
                .await
                .map_err(|cause| self.unfinished(captured, cause))?;
            // After a capture a further touchlink would take the next nearest lamp.
            let is_over = capture.captured == Some(true) || is_enough(&capture.found);
            let try_again = FlowQuestion::TryAgain {
                bridge: self.bridge.name.clone(),
            };
            if is_over || round >= rounds || !self.operator.confirm(try_again).await {
                return Ok(capture);
            }
            round += 1;
        }
    }

    fn note(&mut self, text: String) {
        self.operator.report(FlowProgress::Note(text.clone()));
        self.notes.push(text);
    }

    /// Starts one touchlink, by the given method or by the first that this bridge offers.
    async fn touchlink(
        &mut self,
        via: Option<TouchlinkMethod>,
    ) -> Result<(TouchlinkMethod, Option<bool>), HueError> {
        let (first, second) = match via {
            Some(only) => (only, None),
            None => self.bridge.identity.touchlink_methods(),
        };
        let error = match self.touchlink_once(first).await {
            Err(error) if is_unavailable(first, &error) => error,
            result => return result.map(|captured| (first, captured)),
        };
        let Some(second) = second else {
            return Err(self.no_touchlink(via, error));
        };
        let why = self.why_unavailable(first, &error);
        self.operator.report(FlowProgress::FallBack {
            to: second,
            why: why.clone(),
        });
        self.notes.push(format!("{why}; {second} was used instead"));
        match self.touchlink_once(second).await {
            Err(other) if is_unavailable(second, &other) => {
                // The bridge's own error says more than a closed port.
                let is_refused = matches!(error, HueError::Refused { .. });
                Err(self.no_touchlink(via, if is_refused { error } else { other }))
            }
            result => result.map(|captured| (second, captured)),
        }
    }

    /// Tries one method. Nothing of this is repeated.
    async fn touchlink_once(&mut self, via: TouchlinkMethod) -> Result<Option<bool>, HueError> {
        self.operator.report(FlowProgress::Touchlink { via });
        let captured = match via {
            TouchlinkMethod::Rest => self.touchlink_by_request().await?,
            TouchlinkMethod::Tcp30000 => match self.bridge.transport.touchlink().await? {
                TouchlinkOutcome::Captured(_) => Some(true),
                TouchlinkOutcome::Failed(_) => Some(false),
                TouchlinkOutcome::Unknown => None,
            },
        };
        self.operator.report(FlowProgress::Captured(captured));
        Ok(captured)
    }

    /// Starts a touchlink by a request, whose reply reports only that it has begun.
    async fn touchlink_by_request(&mut self) -> Result<Option<bool>, HueError> {
        let request = HueRequest::keyed(Method::Put, "/config").with(&json!({ "touchlink": true }));
        match self.bridge.send_once(&request, reply::changes).await {
            Ok(_) => Ok(None),
            // The request may have arrived, so it must not be sent again.
            Err(HueError::NoReply {
                reason: reason @ (HueNoReplyReason::TimedOut | HueNoReplyReason::Closed),
                ..
            }) => {
                let bridge = &self.bridge.name;
                self.note(format!(
                    "bridge {bridge} did not confirm the start of the touchlink ({reason}); it may have started"
                ));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Searches, even if the bridge reports that it captured nothing: a bulb that belongs to no bridge joins by itself.
    async fn search(
        &mut self,
        via: TouchlinkMethod,
        captured: Option<bool>,
        listed: &[Light],
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<TouchlinkCapture, HueError> {
        if captured.is_none() {
            self.bridge.transport.sleep(TOUCHLINK_DURATION).await;
        }
        let found = match captured {
            Some(false) => self.search.run(&[], is_enough).await?,
            Some(true) | None => self.search.run_twice(&[], is_enough).await?,
        };
        let is_reachable_again =
            found.is_empty() && captured != Some(false) && self.is_reachable_again(listed).await?;
        let has_joined = !found.is_empty() || is_reachable_again;
        Ok(TouchlinkCapture {
            method: via.into(),
            captured: if has_joined { Some(true) } else { captured },
            found,
            is_reachable_again,
        })
    }

    /// Finds lights that were lost to another bridge: they return without being new in the list.
    async fn is_reachable_again(&mut self, listed: &[Light]) -> Result<bool, HueError> {
        let was_unreachable = |light: &Light| {
            let mut before = listed.iter().filter(|before| before.key() == light.key());
            before.any(|before| before.reachable == Some(false))
        };
        let mut back = lights(self.bridge).await?;
        back.retain(|light| light.reachable == Some(true) && was_unreachable(light));
        for light in &back {
            self.note(format!(
                "\u{2018}{}\u{2019} (number {}) was listed as unreachable before, and is reachable now",
                light.name, light.id
            ));
        }
        Ok(!back.is_empty())
    }

    fn why_unavailable(&self, via: TouchlinkMethod, error: &HueError) -> String {
        let bridge = &self.bridge.name;
        match (via, error) {
            (TouchlinkMethod::Tcp30000, HueError::NoReply { reason, .. }) => {
                format!("the firmware of bridge {bridge} does not offer port 30000 ({reason})")
            }
            _ => format!("the firmware of bridge {bridge} does not support touchlink"),
        }
    }

    /// Reports what else can be tried. `only` is the method that was requested, if one was.
    fn no_touchlink(&self, only: Option<TouchlinkMethod>, error: HueError) -> HueError {
        let offers = match only {
            Some(via) => format!("no touchlink by {via}; omit `--via` to try every method, or"),
            None => "no touchlink;".to_owned(),
        };
        self.operator.report(FlowProgress::Note(format!(
            "this bridge offers {offers} read the six digits of the bulb's serial number and give them with `--serial`"
        )));
        match error {
            HueError::NoReply { reason, .. } => HueError::NoTouchlink {
                at: self.bridge.name.clone(),
                reason,
            },
            error => error,
        }
    }

    fn unfinished(&self, captured: Option<bool>, cause: HueError) -> HueError {
        let touchlink = match captured {
            Some(true) => "a bulb was captured",
            Some(false) => "no bulb was captured",
            None => "the touchlink was started and may have captured a bulb",
        };
        HueError::Unfinished {
            state: format!(
                "{touchlink}; run `mains hue search {}` before the next touchlink",
                self.bridge.name
            ),
            cause: Box::new(cause),
        }
    }
}

/// Tells whether the bridge does not have this method, so that nothing has happened.
fn is_unavailable(via: TouchlinkMethod, error: &HueError) -> bool {
    match (via, error) {
        (TouchlinkMethod::Rest, HueError::Refused { error, .. }) => matches!(
            error.kind(),
            BridgeErrorKind::NoSuchParameter | BridgeErrorKind::ReadOnly
        ),
        (TouchlinkMethod::Tcp30000, HueError::NoReply { .. }) => true,
        _ => false,
    }
}
