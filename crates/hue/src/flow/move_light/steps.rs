//! The steps of a move, and how an interrupted move continues.

use super::types::{MoveOptions, MoveResult, MoveSource};
use crate::error::HueError;
use crate::flow::client::{BridgeClient, lights};
use crate::flow::identify::blink;
use crate::flow::search::{self, LightSearch};
use crate::journal::{Journal, MoveRecord};
use crate::lights::{Light, eui64};
use crate::operator::{FlowProgress, FlowQuestion, MoveStep, Operator};
use crate::reply::{BridgeError, BridgeErrorKind};
use crate::request::{HueRequest, Method};
use crate::transport::HueTransport;

/// Number of searches for a bulb that was reset.
const MAX_SEARCHES: u8 = 2;
const JOURNAL_FAILED: &str = "the journal of the move cannot be written";

/// One move.
pub(super) struct LightMove<'s, 'sb, 't, 'tb, S, T, J, O> {
    pub(super) source: MoveSource<'s, 'sb, S>,
    pub(super) target: &'t BridgeClient<'tb, T>,
    pub(super) journal: &'t J,
    pub(super) operator: &'t O,
    pub(super) options: &'t MoveOptions,
    pub(super) record: MoveRecord,
    pub(super) notes: Vec<String>,
}

/// The outcome of the request to delete the light.
enum Deletion {
    /// The source no longer has it.
    Done,
    /// The source's firmware cannot delete lights, so the source still has it.
    Unsupported,
    /// The source's reply was lost, and it cannot be asked.
    Unknown(HueError),
}

impl<S: HueTransport, T: HueTransport, J: Journal, O: Operator>
    LightMove<'_, '_, '_, '_, S, T, J, O>
{
    /// Moves a light that the source has. Until the light is deleted every failure leaves everything as it was.
    pub(super) async fn begin(
        mut self,
        source: &BridgeClient<'_, S>,
        light: &Light,
    ) -> Result<MoveResult, HueError> {
        self.check(source, light).await?;
        self.complete(MoveStep::Checked)?;
        if let Err(error) = self.open().await {
            return Err(self.cancelled(error));
        }
        let deletion = match self.delete(source, light).await {
            Ok(deletion) => deletion,
            // The source may still delete it later.
            Err(error @ HueError::NoReply { .. }) => return Err(self.unfinished(error)),
            Err(error) => return Err(self.cancelled(error)),
        };
        let result = match deletion {
            Deletion::Done => {
                self.complete_or_note(MoveStep::Deleted);
                // An unreachable light was not reset, so it hardly joins by itself.
                let is_reset = light.reachable != Some(false);
                self.await_arrival(if is_reset { MAX_SEARCHES } else { 1 })
                    .await
            }
            Deletion::Unsupported => {
                self.note(format!(
                    "the firmware of bridge {} is too old to delete a light, so the bulb has to be taken over by hand",
                    self.record.from
                ));
                self.fall_back().await
            }
            // Only the arrival of the light can show that it was deleted.
            Deletion::Unknown(cause) => match self.search_moved(MAX_SEARCHES).await {
                Ok(Some(light)) => self.finish(light).await,
                Ok(None) | Err(_) => Err(cause),
            },
        };
        result.map_err(|cause| self.unfinished(cause))
    }

    /// Continues an interrupted run at the point that the lists of both bridges show.
    pub(super) async fn resume(mut self) -> Result<MoveResult, HueError> {
        let at_target = find_moved(&self.record, &lights(self.target).await?);
        let at_source = match &self.source {
            MoveSource::Bridge(source) => match lights(source).await {
                Ok(lights) => self.find_at_source(&lights).map(|light| (*source, light)),
                Err(error) if at_target.is_some() || self.record.has(MoveStep::Deleted) => {
                    let note = format!("bridge {} cannot be asked: {error}", source.name);
                    self.note(note);
                    None
                }
                Err(error) => return Err(error),
            },
            MoveSource::Gone { .. } => None,
        };
        // Without a unique id, a new light on the target is another one as long as the source has this one.
        let is_identified = self.record.unique_id.is_some();
        let result = match (at_target, at_source) {
            (Some(light), at_source) if is_identified || at_source.is_none() => {
                self.finish(light).await
            }
            (_, Some((source, light))) => {
                self.record.light.clone_from(&light.id);
                self.record.steps.clear();
                return self.begin(source, &light).await;
            }
            (_, None) => {
                self.complete_or_note(MoveStep::Deleted);
                self.await_arrival(MAX_SEARCHES).await
            }
        };
        result.map_err(|cause| self.unfinished(cause))
    }

    /// Finds the light of this move on the source.
    pub(super) fn find_at_source(&self, lights: &[Light]) -> Option<Light> {
        match self.record.unique_id {
            Some(_) => find_moved(&self.record, lights),
            None => {
                let (id, name) = (&self.record.light, &self.record.name);
                let mut matching = lights.iter();
                matching
                    .find(|light| light.id == *id && light.name == *name)
                    .cloned()
            }
        }
    }

    /// B2 to B5: confirms the light and its deletion, checks that the target has room, and waits until neither bridge searches.
    async fn check(&mut self, source: &BridgeClient<'_, S>, light: &Light) -> Result<(), HueError> {
        let reachable = light.reachable != Some(false);
        if reachable {
            blink(source, &light.id).await?;
            self.confirm(FlowQuestion::Blinked {
                light: light.name.clone(),
            })
            .await?;
        }
        self.check_target(light).await?;
        self.confirm(FlowQuestion::Delete {
            light: light.name.clone(),
            from: source.name.clone(),
            reachable,
        })
        .await?;
        require_idle(self.target, self.operator).await?;
        // A source that searches would adopt the light again.
        require_idle(source, self.operator).await
    }

    /// B4: checks that the target has room and does not list the light already, because its arrival could not be recognised then.
    async fn check_target(&mut self, light: &Light) -> Result<(), HueError> {
        let listed = lights(self.target).await?;
        self.record.known_at_target = listed.iter().map(|light| light.key().to_owned()).collect();
        let eui64 = light.eui64();
        let same = listed
            .iter()
            .find(|listed| eui64.is_some() && listed.eui64() == eui64);
        if let Some(same) = same {
            let to = &self.target.name;
            return Err(HueError::Usage(format!(
                "bridge {to} already lists \u{2018}{}\u{2019} as number {}; if that is an old entry, delete it first with \
                 `mains hue clip {to} delete lights/{}`",
                light.name, same.id, same.id
            )));
        }
        match self.target.get("/capabilities").await {
            Ok(capabilities) => {
                let lights = capabilities.get("lights");
                let room = lights.and_then(|lights| lights.get("available")?.as_u64());
                match room {
                    Some(0) => Err(self.full()),
                    _ => Ok(()),
                }
            }
            // Not every firmware has this resource; a full bridge then refuses to search.
            Err(HueError::Refused { error, .. })
                if matches!(
                    error.kind(),
                    BridgeErrorKind::NoSuchResource | BridgeErrorKind::NoSuchMethod
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn full(&self) -> HueError {
        HueError::Refused {
            at: self.target.name.clone(),
            error: BridgeError {
                number: 203,
                address: "/lights".to_owned(),
                description: "no room for another light".to_owned(),
            },
        }
    }

    async fn confirm(&self, question: FlowQuestion) -> Result<(), HueError> {
        match self.operator.confirm(question).await {
            true => Ok(()),
            false => Err(HueError::NotConfirmed),
        }
    }

    /// B6: starts a search on the target.
    async fn open(&mut self) -> Result<(), HueError> {
        search::start(self.target, &[]).await?;
        self.complete(MoveStep::Opened)
    }

    /// B7: deletes the light from the source.
    async fn delete(
        &self,
        source: &BridgeClient<'_, S>,
        light: &Light,
    ) -> Result<Deletion, HueError> {
        let request = HueRequest::keyed(Method::Delete, format!("/lights/{}", light.id));
        let error = match source.change(&request).await {
            Ok(_) => return Ok(Deletion::Done),
            Err(HueError::Refused { at, error }) => match error.kind() {
                BridgeErrorKind::NoSuchResource => return Ok(Deletion::Done),
                BridgeErrorKind::NoSuchMethod => return Ok(Deletion::Unsupported),
                _ => return Err(HueError::Refused { at, error }),
            },
            Err(error) => error,
        };
        let at_source = lights(source)
            .await
            .map(|lights| self.find_at_source(&lights));
        match at_source {
            Ok(Some(_)) => Err(error),
            Ok(None) => Ok(Deletion::Done),
            Err(_) => Ok(Deletion::Unknown(error)),
        }
    }

    /// B8: waits for the light to join the target, and falls back to B10 if it does not.
    async fn await_arrival(&mut self, searches: u8) -> Result<MoveResult, HueError> {
        match self.search_moved(searches).await? {
            Some(light) => self.finish(light).await,
            None => self.fall_back().await,
        }
    }

    async fn search_moved(&self, searches: u8) -> Result<Option<Light>, HueError> {
        let search = self.search();
        let has_moved = |found: &[Light]| find_moved(&self.record, found).is_some();
        for _ in 0..searches {
            let light = find_moved(&self.record, &search.run(&[], has_moved).await?);
            if light.is_some() {
                return Ok(light);
            }
        }
        Ok(None)
    }

    pub(super) fn search(&self) -> LightSearch<'_, '_, T, O> {
        let known = self.record.known_at_target.iter().cloned();
        LightSearch::since(self.target, self.operator, known)
    }

    pub(super) fn result(&mut self, moved: bool, now: Option<Light>) -> MoveResult {
        MoveResult {
            notes: std::mem::take(&mut self.notes),
            ..MoveResult::new(&self.record, moved, now)
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.operator.report(FlowProgress::Note(text.clone()));
        self.notes.push(text);
    }

    /// Records a step before the light is deleted; without a journal it will not be deleted.
    fn complete(&mut self, step: MoveStep) -> Result<(), HueError> {
        self.record.steps.push(step);
        self.journal
            .save(&self.record)
            .map_err(|source| HueError::Local {
                what: JOURNAL_FAILED.to_owned(),
                source,
            })?;
        self.operator.report(FlowProgress::Moved(step));
        Ok(())
    }

    /// Records a step after the light was deleted, when continuing without a journal is better than stopping.
    pub(super) fn complete_or_note(&mut self, step: MoveStep) {
        if !self.record.has(step) {
            self.record.steps.push(step);
            self.operator.report(FlowProgress::Moved(step));
        }
        self.save_or_note();
    }

    pub(super) fn save_or_note(&mut self) {
        if let Err(error) = self.journal.save(&self.record) {
            self.note(format!("{JOURNAL_FAILED}: {error}"));
        }
    }

    /// Removes the record, because nothing was changed.
    fn cancelled(&mut self, error: HueError) -> HueError {
        // A record that stays does no harm, because the lists of the bridges decide.
        if let Err(left) = self.journal.remove(&self.record) {
            self.note(format!("{JOURNAL_FAILED}: {left}"));
        }
        error
    }

    fn unfinished(&self, cause: HueError) -> HueError {
        HueError::Unfinished {
            state: format!(
                "{}; give the same command again to continue",
                self.whereabouts()
            ),
            cause: Box::new(cause),
        }
    }

    /// Describes where a bulb that has not arrived is.
    pub(super) fn whereabouts(&self) -> String {
        let MoveRecord { name, from, to, .. } = &self.record;
        match (
            self.record.has(MoveStep::Appeared),
            self.record.has(MoveStep::Deleted),
        ) {
            (true, _) => format!("\u{2018}{name}\u{2019} is on bridge {to}"),
            (false, true) => format!(
                "\u{2018}{name}\u{2019} has left bridge {from} and has not joined bridge {to}, so it belongs to neither now"
            ),
            (false, false) => format!(
                "\u{2018}{name}\u{2019} has not joined bridge {to}; bridge {from} may still have it"
            ),
        }
    }
}

async fn require_idle<T: HueTransport, O: Operator>(
    bridge: &BridgeClient<'_, T>,
    operator: &O,
) -> Result<(), HueError> {
    match search::wait_until_idle(bridge, operator).await? {
        true => Ok(()),
        false => Err(HueError::StillSearching {
            at: bridge.name.clone(),
        }),
    }
}

/// Finds the light of a move among lights of the target. Without a unique id it is the only one that was not there before.
pub(super) fn find_moved(record: &MoveRecord, lights: &[Light]) -> Option<Light> {
    let found = match record.unique_id.as_deref() {
        Some(unique_id) => {
            let bulb = eui64(unique_id);
            lights
                .iter()
                .find(|light| light.eui64().as_ref() == Some(&bulb))
        }
        None => {
            let is_new =
                |light: &&Light| !record.known_at_target.iter().any(|key| key == light.key());
            let mut new = lights.iter().filter(is_new);
            new.next().filter(|_| new.next().is_none())
        }
    };
    found.cloned()
}
