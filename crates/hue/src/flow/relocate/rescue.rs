//! B10: the bulb did not come by itself, since its old bridge could not reset it, or has not let it go.

use super::arrival::rename;
use super::trip::Trip;
use super::{Moved, Source, ours};
use crate::error::HueError;
use crate::flow::search::Hunt;
use crate::flow::takeover::Catch;
use crate::guide::{Guide, MoveStep, Question};
use crate::journal::Journal;
use crate::lights::Light;
use crate::transport::Transport;

impl<S: Transport, T: Transport, J: Journal, G: Guide> Trip<'_, '_, '_, '_, S, T, J, G> {
    /// By serial number, else by touchlink, else back.
    pub(super) async fn rescue(&mut self) -> Result<Moved, HueError> {
        if let Some(light) = self.by_serial().await? {
            self.done_anyway(MoveStep::TakenOver);
            return self.finish(light).await;
        }
        if let Some(light) = self.by_touchlink().await? {
            self.done_anyway(MoveStep::TakenOver);
            return self.finish(light).await;
        }
        // What was not deleted has nowhere to be taken back to.
        if self.record.has(MoveStep::Deleted)
            && let Some(light) = self.take_back().await?
        {
            self.record.ended = true;
            self.done_anyway(MoveStep::TakenBack);
            self.note(format!(
                "the light is back at bridge {}, as number {}",
                self.record.from, light.id
            ));
            return Ok(self.report(false, Some(light)));
        }
        self.note(format!(
            "{}. Switch the bulb off and on and give the same command again, with its serial number if that can be read",
            self.whereabouts()
        ));
        Ok(self.report(false, None))
    }

    async fn by_serial(&self) -> Result<Option<Light>, HueError> {
        let Some(serial) = &self.options.serial else {
            return Ok(None);
        };
        let hunt = self.hunt();
        let serials = std::slice::from_ref(serial);
        let found = hunt.twice(serials, |found| self.has_ours(found)).await?;
        Ok(ours(&self.record, found))
    }

    async fn by_touchlink(&mut self) -> Result<Option<Light>, HueError> {
        let question = Question::NearAndFresh {
            bridge: self.target.name.clone(),
        };
        if !self.guide.agree(question).await {
            return Ok(None);
        }
        let hunt = self.hunt();
        let mut catch = Catch::new(self.target, self.guide, &hunt);
        let via = self.options.via;
        let caught = catch
            .run(via, self.options.rounds, |found| self.has_ours(found))
            .await?;
        let notes = std::mem::take(&mut catch.notes);
        self.notes.extend(notes);
        self.tell_of_others(&caught.found);
        Ok(ours(&self.record, caught.found))
    }

    fn has_ours(&self, found: &[Light]) -> bool {
        ours(&self.record, found.to_vec()).is_some()
    }

    fn tell_of_others(&mut self, found: &[Light]) {
        let is_other = |light: &&Light| {
            self.record.unique_id.is_some() && !self.has_ours(std::slice::from_ref(*light))
        };
        let others: Vec<String> = found
            .iter()
            .filter(is_other)
            .map(|light| format!("\u{2018}{}\u{2019} (number {})", light.name, light.id))
            .collect();
        if !others.is_empty() {
            self.note(format!(
                "bridge {} has taken another bulb: {}",
                self.target.name,
                others.join(", ")
            ));
        }
    }

    /// Undoes it: the bridge that had the light takes it over again.
    async fn take_back(&mut self) -> Result<Option<Light>, HueError> {
        let Source::Bridge(source) = &self.source else {
            return Ok(None);
        };
        let source = *source;
        let question = Question::TakeBack {
            light: self.record.name.clone(),
            to: source.name.clone(),
        };
        if !self.guide.agree(question).await {
            return Ok(None);
        }
        let hunt = Hunt::begin(source, self.guide).await?;
        let mut catch = Catch::new(source, self.guide, &hunt);
        let is_ours = |found: &[Light]| match self.record.unique_id {
            Some(_) => self.has_ours(found),
            None => found.len() == 1,
        };
        let caught = catch.run(None, self.options.rounds, is_ours).await?;
        let notes = std::mem::take(&mut catch.notes);
        let is_back = is_ours(&caught.found);
        self.notes.extend(notes);
        if !is_back {
            return Ok(None);
        }
        let light = match self.record.unique_id {
            Some(_) => ours(&self.record, caught.found),
            None => caught.found.into_iter().next(),
        };
        if let Some(light) = &light
            && let Err(error) = rename(source, light, &self.record.name).await
        {
            self.note(format!("it could not be given its old name: {error}"));
        }
        Ok(light)
    }
}
