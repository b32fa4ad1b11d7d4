//! The way of one light, step by step.

use super::{MoveOptions, Moved, NOT_KEPT, Source, journal_error, ours};
use crate::call::{Call, Method};
use crate::error::HueError;
use crate::flow::identify::blink;
use crate::flow::search::{self, Hunt};
use crate::flow::{Bridge, lights};
use crate::guide::{Guide, MoveStep, NewLight, Progress, Question};
use crate::journal::{Journal, MoveRecord};
use crate::lights::Light;
use crate::reply::{ApiError, Meaning};
use crate::transport::Transport;

/// So many searches there are for a bulb that was reset.
const TRIES: u8 = 2;

/// One move.
pub(super) struct Trip<'s, 'sb, 't, 'tb, S, T, J, G> {
    pub(super) source: Source<'s, 'sb, S>,
    pub(super) target: &'t Bridge<'tb, T>,
    pub(super) journal: &'t J,
    pub(super) guide: &'t G,
    pub(super) options: &'t MoveOptions,
    pub(super) record: MoveRecord,
    pub(super) notes: Vec<String>,
}

/// What came of the request to delete the light.
enum Deletion {
    /// The source has it no more.
    Done,
    /// The source's firmware cannot delete lights. It has it still.
    Unable,
    /// The source does not say, and cannot be asked.
    Unknown(HueError),
}

impl<S: Transport, T: Transport, J: Journal, G: Guide> Trip<'_, '_, '_, '_, S, T, J, G> {
    /// Moves a light that the source has. Until the light is deleted every failure leaves all as it was.
    pub(super) async fn begin(
        mut self,
        source: &Bridge<'_, S>,
        light: &Light,
    ) -> Result<Moved, HueError> {
        self.check(source, light).await?;
        self.done(MoveStep::Checked)?;
        if let Err(error) = self.open().await {
            return Err(self.called_off(error));
        }
        let deletion = match self.delete(source, light).await {
            Ok(deletion) => deletion,
            // The source may be late, and delete it yet.
            Err(error @ HueError::NoAnswer { .. }) => return Err(self.unfinished(error)),
            Err(error) => return Err(self.called_off(error)),
        };
        let result = match deletion {
            Deletion::Done => {
                self.done_anyway(MoveStep::Deleted);
                // One that could not be reached was not reset, and hardly comes by itself.
                let is_reset = light.reachable != Some(false);
                self.fetch(if is_reset { TRIES } else { 1 }).await
            }
            Deletion::Unable => {
                self.note(format!(
                    "the firmware of bridge {} is too old to delete a light, so the bulb has to be taken over by hand",
                    self.record.from
                ));
                self.rescue().await
            }
            Deletion::Unknown(cause) => self.fetch_blindly(cause).await,
        };
        result.map_err(|cause| self.unfinished(cause))
    }

    /// Goes on where an earlier run was cut short: what the bridges list says where that is.
    pub(super) async fn resume(mut self) -> Result<Moved, HueError> {
        let there = ours(&self.record, lights(self.target).await?);
        let still = match &self.source {
            Source::Bridge(source) => match lights(source).await {
                Ok(lights) => self.still_at(lights).map(|light| (*source, light)),
                Err(error) if there.is_some() || self.record.has(MoveStep::Deleted) => {
                    let note = format!("bridge {} cannot be asked: {error}", source.name);
                    self.note(note);
                    None
                }
                Err(error) => return Err(error),
            },
            Source::Gone { .. } => None,
        };
        // Without a unique id a light that is new at the target is another one, as long as the source has this one.
        let is_known = self.record.unique_id.is_some();
        let result = match (there, still) {
            (Some(there), still) if is_known || still.is_none() => self.finish(there).await,
            (_, Some((source, light))) => {
                self.record.light.clone_from(&light.id);
                self.record.steps.clear();
                return self.begin(source, &light).await;
            }
            (_, None) => {
                self.done_anyway(MoveStep::Deleted);
                self.fetch(TRIES).await
            }
        };
        result.map_err(|cause| self.unfinished(cause))
    }

    /// Finds the light of this move at the source.
    pub(super) fn still_at(&self, lights: Vec<Light>) -> Option<Light> {
        match self.record.unique_id {
            Some(_) => ours(&self.record, lights),
            None => lights
                .into_iter()
                .find(|light| light.id == self.record.light && light.name == self.record.name),
        }
    }

    /// B2 to B5: is it the right light, has the target room for it, does the person agree, and does nobody search?
    async fn check(&mut self, source: &Bridge<'_, S>, light: &Light) -> Result<(), HueError> {
        let reachable = light.reachable != Some(false);
        if reachable {
            blink(source, &light.id).await?;
            self.ask(Question::Blinked {
                light: light.name.clone(),
            })
            .await?;
        }
        self.check_target(light).await?;
        self.ask(Question::Delete {
            light: light.name.clone(),
            from: source.name.clone(),
            reachable,
        })
        .await?;
        // A source that searches would adopt again what it has just let go.
        for_idle(self.target, self.guide).await?;
        for_idle(source, self.guide).await
    }

    /// B4. A light that the target lists already could not be told from one that has arrived.
    async fn check_target(&mut self, light: &Light) -> Result<(), HueError> {
        let there = lights(self.target).await?;
        self.record.known_at_target = there.iter().map(|light| light.mark().to_owned()).collect();
        let twin = there
            .iter()
            .find(|twin| twin.eui64().is_some() && twin.eui64() == light.eui64());
        if let Some(twin) = twin {
            let to = &self.target.name;
            return Err(HueError::Usage(format!(
                "bridge {to} lists \u{2018}{}\u{2019} already, as number {}: if it is an old entry, delete it first with \
                 `mains hue clip {to} delete lights/{}`",
                light.name, twin.id, twin.id
            )));
        }
        match self.target.ask("/capabilities").await {
            Ok(told) => match told
                .get("lights")
                .and_then(|lights| lights.get("available"))
            {
                Some(room) if room.as_u64() == Some(0) => Err(self.full()),
                _ => Ok(()),
            },
            // Not every firmware offers it; a full bridge then says so when it is to search.
            Err(HueError::Refused { error, .. })
                if matches!(
                    error.meaning(),
                    Meaning::NoSuchResource | Meaning::NoSuchMethod
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
            error: ApiError {
                number: 203,
                address: "/lights".to_owned(),
                description: "it has no room for another light".to_owned(),
            },
        }
    }

    async fn ask(&self, question: Question) -> Result<(), HueError> {
        match self.guide.agree(question).await {
            true => Ok(()),
            false => Err(HueError::NotAgreed),
        }
    }

    /// B6.
    async fn open(&mut self) -> Result<(), HueError> {
        search::start(self.target, &[]).await?;
        self.done(MoveStep::Opened)
    }

    /// B7.
    async fn delete(&self, source: &Bridge<'_, S>, light: &Light) -> Result<Deletion, HueError> {
        let call = Call::keyed(Method::Delete, format!("/lights/{}", light.id));
        let error = match source.change(&call).await {
            Ok(_) => return Ok(Deletion::Done),
            Err(HueError::Refused { at, error }) => match error.meaning() {
                Meaning::NoSuchResource => return Ok(Deletion::Done),
                Meaning::NoSuchMethod => return Ok(Deletion::Unable),
                _ => return Err(HueError::Refused { at, error }),
            },
            Err(error) => error,
        };
        let still = lights(source).await.map(|lights| self.still_at(lights));
        match still {
            Ok(Some(_)) => Err(error),
            Ok(None) => Ok(Deletion::Done),
            Err(_) => Ok(Deletion::Unknown(error)),
        }
    }

    /// B8, and what there is when that brings nothing.
    async fn fetch(&mut self, tries: u8) -> Result<Moved, HueError> {
        match self.search(tries).await? {
            Some(light) => self.finish(light).await,
            None => self.rescue().await,
        }
    }

    /// B8 when nobody knows whether the source has deleted it.
    async fn fetch_blindly(&mut self, cause: HueError) -> Result<Moved, HueError> {
        match self.search(TRIES).await {
            Ok(Some(light)) => self.finish(light).await,
            Ok(None) | Err(_) => Err(cause),
        }
    }

    async fn search(&self, tries: u8) -> Result<Option<Light>, HueError> {
        let hunt = self.hunt();
        let is_ours = |found: &[Light]| ours(&self.record, found.to_vec()).is_some();
        for _ in 0..tries {
            let light = ours(&self.record, hunt.run(&[], is_ours).await?);
            if light.is_some() {
                return Ok(light);
            }
        }
        Ok(None)
    }

    pub(super) fn hunt(&self) -> Hunt<'_, '_, T, G> {
        Hunt::since(
            self.target,
            self.guide,
            self.record.known_at_target.iter().cloned(),
        )
    }

    pub(super) fn report(&mut self, moved: bool, now: Option<Light>) -> Moved {
        let record = &self.record;
        Moved {
            light: record.unique_id.clone().unwrap_or(record.name.clone()),
            from: record.from.clone(),
            to: record.to.clone(),
            moved,
            steps: record.steps.clone(),
            now: now.map(NewLight::from),
            notes: std::mem::take(&mut self.notes),
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.guide.tell(Progress::Note(text.clone()));
        self.notes.push(text);
    }

    /// Notes a step before the light is deleted: without a journal it is not.
    fn done(&mut self, step: MoveStep) -> Result<(), HueError> {
        self.record.steps.push(step);
        self.journal.keep(&self.record).map_err(journal_error)?;
        self.guide.tell(Progress::Moved(step));
        Ok(())
    }

    /// Notes a step after the light was deleted: then it is better to go on without a journal than to stop.
    pub(super) fn done_anyway(&mut self, step: MoveStep) {
        if !self.record.has(step) {
            self.record.steps.push(step);
            self.guide.tell(Progress::Moved(step));
        }
        self.keep_anyway();
    }

    pub(super) fn keep_anyway(&mut self) {
        if let Err(error) = self.journal.keep(&self.record) {
            self.note(format!("{NOT_KEPT}: {error}"));
        }
    }

    /// Nothing was changed: there is nothing to go on with.
    fn called_off(&self, error: HueError) -> HueError {
        match self.journal.forget(&self.record) {
            Ok(()) => error,
            // The record does no harm: what the bridges list decides.
            Err(left) => {
                self.guide
                    .tell(Progress::Note(format!("{NOT_KEPT}: {left}")));
                error
            }
        }
    }

    fn unfinished(&self, cause: HueError) -> HueError {
        HueError::Unfinished {
            state: format!(
                "{}; give the same command again to go on",
                self.whereabouts()
            ),
            cause: Box::new(cause),
        }
    }

    /// Says where the bulb is when it has not arrived.
    pub(super) fn whereabouts(&self) -> String {
        let MoveRecord { name, from, to, .. } = &self.record;
        match (
            self.record.has(MoveStep::Appeared),
            self.record.has(MoveStep::Deleted),
        ) {
            (true, _) => format!("\u{2018}{name}\u{2019} is at bridge {to}"),
            (false, true) => format!(
                "\u{2018}{name}\u{2019} has left bridge {from} and has not come to bridge {to}: it belongs to neither now"
            ),
            (false, false) => format!(
                "\u{2018}{name}\u{2019} has not come to bridge {to}; bridge {from} may have it still"
            ),
        }
    }
}

async fn for_idle<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
) -> Result<(), HueError> {
    match search::idle(bridge, guide).await? {
        true => Ok(()),
        false => Err(HueError::StillSearching {
            at: bridge.name.clone(),
        }),
    }
}
