//! B10: the bulb did not join by itself, because its old bridge could not reset it, or has not deleted it.

use super::arrival::rename;
use super::steps::{LightMove, find_moved};
use super::types::{MoveResult, MoveSource};
use crate::error::HueError;
use crate::flow::search::LightSearch;
use crate::flow::takeover::TouchlinkTakeover;
use crate::journal::Journal;
use crate::lights::Light;
use crate::operator::{FlowQuestion, MoveStep, Operator};
use crate::transport::HueTransport;

impl<S: HueTransport, T: HueTransport, J: Journal, O: Operator>
    LightMove<'_, '_, '_, '_, S, T, J, O>
{
    /// Tries the serial number, then a touchlink, and otherwise returns the bulb to its old bridge.
    pub(super) async fn fall_back(&mut self) -> Result<MoveResult, HueError> {
        let mut light = self.by_serial().await?;
        if light.is_none() {
            light = self.by_touchlink().await?;
        }
        if let Some(light) = light {
            self.complete_or_note(MoveStep::TakenOver);
            return self.finish(light).await;
        }
        // A light that was not deleted is still on its old bridge.
        if self.record.has(MoveStep::Deleted)
            && let Some(light) = self.take_back().await?
        {
            self.record.ended = true;
            self.complete_or_note(MoveStep::TakenBack);
            self.note(format!(
                "the light is back on bridge {}, as number {}",
                self.record.from, light.id
            ));
            return Ok(self.result(false, Some(light)));
        }
        self.note(format!(
            "{}; switch the bulb off and on and repeat the command, with its serial number if you can read it",
            self.whereabouts()
        ));
        Ok(self.result(false, None))
    }

    async fn by_serial(&self) -> Result<Option<Light>, HueError> {
        let Some(serial) = &self.options.serial else {
            return Ok(None);
        };
        let serials = std::slice::from_ref(serial);
        let has_moved = |found: &[Light]| find_moved(&self.record, found).is_some();
        let found = self.search().run_twice(serials, has_moved).await?;
        Ok(find_moved(&self.record, &found))
    }

    async fn by_touchlink(&mut self) -> Result<Option<Light>, HueError> {
        let question = FlowQuestion::NearAndFresh {
            bridge: self.target.name.clone(),
        };
        if !self.operator.confirm(question).await {
            return Ok(None);
        }
        let search = self.search();
        let mut touchlink = TouchlinkTakeover::new(self.target, self.operator, &search);
        let has_moved = |found: &[Light]| find_moved(&self.record, found).is_some();
        let (via, rounds) = (self.options.via, self.options.rounds);
        let capture = touchlink.run(via, rounds, has_moved).await?;
        self.notes.extend(touchlink.notes);
        self.note_other_bulbs(&capture.found);
        Ok(find_moved(&self.record, &capture.found))
    }

    fn note_other_bulbs(&mut self, found: &[Light]) {
        if self.record.unique_id.is_none() {
            return;
        }
        let moved = find_moved(&self.record, found);
        let is_other = |light: &&Light| moved.as_ref() != Some(light);
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

    /// Has the old bridge take the light over again.
    async fn take_back(&mut self) -> Result<Option<Light>, HueError> {
        let MoveSource::Bridge(source) = self.source else {
            return Ok(None);
        };
        let question = FlowQuestion::TakeBack {
            light: self.record.name.clone(),
            to: source.name.clone(),
        };
        if !self.operator.confirm(question).await {
            return Ok(None);
        }
        let search = LightSearch::begin(source, self.operator).await?;
        let mut touchlink = TouchlinkTakeover::new(source, self.operator, &search);
        let find_back = |found: &[Light]| match (&self.record.unique_id, found) {
            (Some(_), found) => find_moved(&self.record, found),
            // Without a unique id the light is recognised as the only one.
            (None, [light]) => Some(light.clone()),
            (None, _) => None,
        };
        let is_back = |found: &[Light]| find_back(found).is_some();
        let capture = touchlink.run(None, self.options.rounds, is_back).await?;
        let light = find_back(&capture.found);
        self.notes.extend(touchlink.notes);
        if let Some(light) = &light
            && let Err(error) = rename(source, light, &self.record.name).await
        {
            self.note(format!("the old name could not be restored: {error}"));
        }
        Ok(light)
    }
}
