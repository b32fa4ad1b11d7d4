//! B9: the target has the light.

use serde_json::json;

use super::trip::Trip;
use super::{Moved, Source};
use crate::call::{Call, Method};
use crate::error::HueError;
use crate::flow::identify::blink;
use crate::flow::{Bridge, lights};
use crate::guide::{Guide, MoveStep};
use crate::journal::Journal;
use crate::lights::Light;
use crate::reply::Meaning;
use crate::transport::Transport;

impl<S: Transport, T: Transport, J: Journal, G: Guide> Trip<'_, '_, '_, '_, S, T, J, G> {
    /// Makes sure that the source has it no more, and gives it its old name.
    pub(super) async fn finish(&mut self, light: Light) -> Result<Moved, HueError> {
        let is_back = match &self.source {
            Source::Bridge(source) => match lights(source).await {
                Ok(lights) => self.still_at(lights).is_some(),
                Err(error) => {
                    let note = format!("bridge {} cannot be asked any more: {error}", source.name);
                    self.note(note);
                    false
                }
            },
            Source::Gone { .. } => false,
        };
        if is_back && self.record.has(MoveStep::Deleted) {
            let (from, to) = (self.record.from.clone(), self.record.to.clone());
            self.note(format!(
                "bridge {to} has the light, but bridge {from} lists it again: switch the bulb off and on, and give the same \
                 command again in a minute"
            ));
            return Ok(self.report(false, Some(light)));
        }
        match is_back {
            true => self.note(format!(
                "bridge {} lists it further on, as not reachable",
                self.record.from
            )),
            false => self.done_anyway(MoveStep::Deleted),
        }
        self.done_anyway(MoveStep::Appeared);
        self.name_as_before(&light).await;
        let light = Light {
            name: match self.record.has(MoveStep::Renamed) {
                true => self.record.name.clone(),
                false => light.name,
            },
            ..light
        };
        Ok(self.report(true, Some(light)))
    }

    /// That the name cannot be given is no reason to say that the light was not moved.
    async fn name_as_before(&mut self, light: &Light) {
        let renamed = match light.name == self.record.name {
            true => Ok(()),
            false => rename(self.target, light, &self.record.name).await,
        };
        match renamed {
            Ok(()) => {
                self.record.ended = true;
                self.done_anyway(MoveStep::Renamed);
            }
            Err(error) => {
                // A name that the bridge does not take it will not take the next time either.
                self.record.ended = matches!(&error, HueError::Refused { error, .. }
                    if error.meaning() == Meaning::InvalidValue);
                self.note(format!("it could not be given its old name: {error}"));
                self.keep_anyway();
            }
        }
        if let Err(error) = blink(self.target, &light.id).await {
            self.note(format!("it could not be made to blink: {error}"));
        }
    }
}

/// Gives a light a name.
pub(super) async fn rename<T: Transport>(
    bridge: &Bridge<'_, T>,
    light: &Light,
    name: &str,
) -> Result<(), HueError> {
    let call =
        Call::keyed(Method::Put, format!("/lights/{}", light.id)).with(&json!({ "name": name }));
    bridge.change(&call).await.map(drop)
}
