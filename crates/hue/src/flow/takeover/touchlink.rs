//! The touchlink itself, and the search behind it.

use std::time::Duration;

use serde_json::json;

use super::Way;
use crate::call::{Call, Method};
use crate::error::{HueError, Silence};
use crate::flow::search::Hunt;
use crate::flow::{Bridge, lights};
use crate::guide::{Guide, Progress, Question};
use crate::identity::Via;
use crate::lights::Light;
use crate::reply::{self, Meaning};
use crate::tcp30000::Outcome;
use crate::transport::Transport;

/// So long a touchlink takes that was started by a call, or that nobody has heard the end of.
const TOUCHLINK_TAKES: Duration = Duration::from_secs(10);

/// What a touchlink, or a search in its place, has brought.
#[derive(Debug)]
pub(in crate::flow) struct Caught {
    pub(in crate::flow) way: Way,
    pub(in crate::flow) captured: Option<bool>,
    pub(in crate::flow) found: Vec<Light>,
    /// Whether a light that was listed before, and could not be reached, can be reached now.
    pub(in crate::flow) is_reachable_again: bool,
}

impl Caught {
    /// What a search has brought.
    pub(super) fn listed(way: Way, found: Vec<Light>) -> Self {
        Self {
            way,
            captured: Some(!found.is_empty()),
            found,
            is_reachable_again: false,
        }
    }
}

/// Touchlinks of one bridge.
pub(in crate::flow) struct Catch<'c, 'b, T, G> {
    bridge: &'c Bridge<'b, T>,
    guide: &'c G,
    hunt: &'c Hunt<'c, 'b, T, G>,
    /// What the person should know afterwards, too.
    pub(in crate::flow) notes: Vec<String>,
}

impl<'c, 'b, T: Transport, G: Guide> Catch<'c, 'b, T, G> {
    pub(in crate::flow) fn new(
        bridge: &'c Bridge<'b, T>,
        guide: &'c G,
        hunt: &'c Hunt<'c, 'b, T, G>,
    ) -> Self {
        Self {
            bridge,
            guide,
            hunt,
            notes: Vec::new(),
        }
    }

    /// Touchlinks and searches until that is enough, at most so many times, and asks before each but the first.
    pub(in crate::flow) async fn run(
        &mut self,
        via: Option<Via>,
        rounds: u8,
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<Caught, HueError> {
        let mut round = 1;
        loop {
            let listed = lights(self.bridge).await?;
            let (via, captured) = self.touchlink(via).await?;
            let caught = self
                .look(via, captured, &listed, &is_enough)
                .await
                .map_err(|cause| self.unfinished(captured, cause))?;
            // After a capture the next nearest lamp would be taken.
            let is_over = caught.captured == Some(true) || is_enough(&caught.found);
            if is_over || round >= rounds || !self.guide.agree(self.again()).await {
                return Ok(caught);
            }
            round += 1;
        }
    }

    fn again(&self) -> Question {
        Question::TryAgain {
            bridge: self.bridge.name.clone(),
        }
    }

    fn note(&mut self, text: String) {
        self.guide.tell(Progress::Note(text.clone()));
        self.notes.push(text);
    }

    /// One touchlink, on the given way or on the first that this bridge offers.
    async fn touchlink(&mut self, via: Option<Via>) -> Result<(Via, Option<bool>), HueError> {
        let ways = self.bridge.identity.ways();
        let first = via.or(ways.first().copied()).unwrap_or(Via::Rest);
        let second = ways.get(1).copied().filter(|_| via.is_none());
        let error = match self.once(first).await {
            Err(error) if is_unoffered(first, &error) => error,
            result => return result.map(|captured| (first, captured)),
        };
        let Some(second) = second else {
            return Err(self.no_way(via, error));
        };
        let why = self.why_not(first, &error);
        self.guide.tell(Progress::FallBack {
            to: second,
            why: why.clone(),
        });
        self.notes
            .push(format!("{why}; {second} was taken instead"));
        match self.once(second).await {
            Err(other) if is_unoffered(second, &other) => {
                // What the bridge says is worth more than a closed port.
                let said = matches!(error, HueError::Refused { .. });
                Err(self.no_way(via, if said { error } else { other }))
            }
            result => result.map(|captured| (second, captured)),
        }
    }

    /// Tries one way. Nothing of this is repeated.
    async fn once(&mut self, via: Via) -> Result<Option<bool>, HueError> {
        self.guide.tell(Progress::Touchlink { via });
        let captured = match via {
            Via::Rest => self.by_call().await?,
            Via::Tcp30000 => match self.bridge.transport.touchlink().await? {
                Outcome::Captured(_) => Some(true),
                Outcome::Failed(_) => Some(false),
                Outcome::Unknown => None,
            },
        };
        self.guide.tell(Progress::Captured(captured));
        Ok(captured)
    }

    /// The reply says that it has begun, and no more.
    async fn by_call(&mut self) -> Result<Option<bool>, HueError> {
        let call = Call::keyed(Method::Put, "/config").with(&json!({ "touchlink": true }));
        match self.bridge.once(&call, reply::changes).await {
            Ok(_) => Ok(None),
            // It may have arrived, and then it must not be sent again.
            Err(HueError::NoAnswer {
                how: how @ (Silence::TimedOut | Silence::Closed),
                ..
            }) => {
                let bridge = &self.bridge.name;
                self.note(format!(
                    "bridge {bridge} did not say that the touchlink has begun ({how}); it may have"
                ));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Searches, also where the bridge says that nothing was captured: a bulb that belongs to nobody comes by itself.
    async fn look(
        &mut self,
        via: Via,
        captured: Option<bool>,
        listed: &[Light],
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<Caught, HueError> {
        if captured.is_none() {
            self.bridge.transport.sleep(TOUCHLINK_TAKES).await;
        }
        let found = match captured {
            Some(false) => self.hunt.run(&[], is_enough).await?,
            Some(true) | None => self.hunt.twice(&[], is_enough).await?,
        };
        let is_reachable_again =
            found.is_empty() && captured != Some(false) && self.is_reachable_again(listed).await?;
        let came = !found.is_empty() || is_reachable_again;
        Ok(Caught {
            way: via.into(),
            captured: if came { Some(true) } else { captured },
            found,
            is_reachable_again,
        })
    }

    /// A bulb that the bridge had lost to somebody else comes back without being new in the list.
    async fn is_reachable_again(&mut self, listed: &[Light]) -> Result<bool, HueError> {
        let was_lost = |light: &&Light| {
            light.reachable == Some(true)
                && listed
                    .iter()
                    .any(|then| then.mark() == light.mark() && then.reachable == Some(false))
        };
        let now = lights(self.bridge).await?;
        let back: Vec<&Light> = now.iter().filter(was_lost).collect();
        for light in &back {
            self.note(format!(
                "\u{2018}{}\u{2019} (number {}) was listed before without being reachable, and can be reached now",
                light.name, light.id
            ));
        }
        Ok(!back.is_empty())
    }

    fn why_not(&self, via: Via, error: &HueError) -> String {
        let bridge = &self.bridge.name;
        match (via, error) {
            (Via::Tcp30000, HueError::NoAnswer { how, .. }) => {
                format!("the firmware of bridge {bridge} does not offer port 30000 ({how})")
            }
            _ => format!("the firmware of bridge {bridge} does not know touchlink"),
        }
    }

    /// `wanted` is the only way that was to be tried, if there was a wish.
    fn no_way(&self, wanted: Option<Via>, error: HueError) -> HueError {
        let offers = match wanted {
            Some(via) => format!(
                "no touchlink by {via}; without `--via` every way that it knows is tried. Or"
            ),
            None => "no touchlink;".to_owned(),
        };
        self.guide.tell(Progress::Note(format!(
            "this bridge offers {offers} read the six digits of the bulb's serial number and give them with `--serial`"
        )));
        match error {
            HueError::NoAnswer { how, .. } => HueError::NoTouchlink {
                at: self.bridge.name.clone(),
                how,
            },
            error => error,
        }
    }

    fn unfinished(&self, captured: Option<bool>, cause: HueError) -> HueError {
        let touchlink = match captured {
            Some(true) => "A bulb was captured",
            Some(false) => "No bulb was captured",
            None => "The touchlink was started, and nobody knows whether it captured a bulb",
        };
        HueError::Unfinished {
            state: format!(
                "{touchlink}; look for it with `mains hue search {}` before the next touchlink",
                self.bridge.name
            ),
            cause: Box::new(cause),
        }
    }
}

/// Tells whether a bridge says that it knows no such way, so that nothing has happened.
fn is_unoffered(via: Via, error: &HueError) -> bool {
    match (via, error) {
        (Via::Rest, HueError::Refused { error, .. }) => matches!(
            error.meaning(),
            Meaning::NoSuchParameter | Meaning::ReadOnly
        ),
        (Via::Tcp30000, HueError::NoAnswer { .. }) => true,
        _ => false,
    }
}
