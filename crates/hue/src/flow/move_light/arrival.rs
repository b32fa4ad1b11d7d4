//! B9: the target has the light.

use serde_json::json;

use super::steps::LightMove;
use super::types::{MoveResult, MoveSource};
use crate::error::HueError;
use crate::flow::client::{BridgeClient, lights};
use crate::flow::identify::blink;
use crate::journal::Journal;
use crate::lights::Light;
use crate::operator::{MoveStep, Operator};
use crate::reply::BridgeErrorKind;
use crate::request::{HueRequest, Method};
use crate::transport::HueTransport;

impl<S: HueTransport, T: HueTransport, J: Journal, O: Operator>
    LightMove<'_, '_, '_, '_, S, T, J, O>
{
    /// Checks that the source no longer has the light, and gives it its old name.
    pub(super) async fn finish(&mut self, mut light: Light) -> Result<MoveResult, HueError> {
        let is_at_source = match &self.source {
            MoveSource::Bridge(source) => match lights(source).await {
                Ok(lights) => self.find_at_source(&lights).is_some(),
                Err(error) => {
                    let note = format!("bridge {} cannot be asked any more: {error}", source.name);
                    self.note(note);
                    false
                }
            },
            MoveSource::Gone { .. } => false,
        };
        if is_at_source && self.record.has(MoveStep::Deleted) {
            let (from, to) = (self.record.from.clone(), self.record.to.clone());
            self.note(format!(
                "bridge {to} has the light, but bridge {from} lists it again: switch the bulb off and on, and repeat the command \
                 in a minute"
            ));
            return Ok(self.result(false, Some(light)));
        }
        match is_at_source {
            true => self.note(format!(
                "bridge {} still lists it, as unreachable",
                self.record.from
            )),
            false => self.complete_or_note(MoveStep::Deleted),
        }
        self.complete_or_note(MoveStep::Appeared);
        self.restore_name(&light).await;
        if self.record.has(MoveStep::Renamed) {
            light.name.clone_from(&self.record.name);
        }
        Ok(self.result(true, Some(light)))
    }

    /// Gives the light its old name and makes it blink. The light has arrived, so a failure is only a note.
    async fn restore_name(&mut self, light: &Light) {
        let renamed = match light.name == self.record.name {
            true => Ok(()),
            false => rename(self.target, light, &self.record.name).await,
        };
        match renamed {
            Ok(()) => {
                self.record.ended = true;
                self.complete_or_note(MoveStep::Renamed);
            }
            Err(error) => {
                // The bridge would refuse this name the next time as well.
                self.record.ended = matches!(&error, HueError::Refused { error, .. }
                    if error.kind() == BridgeErrorKind::InvalidValue);
                self.note(format!("the old name could not be restored: {error}"));
                self.save_or_note();
            }
        }
        if let Err(error) = blink(self.target, &light.id).await {
            self.note(format!("it could not be made to blink: {error}"));
        }
    }
}

/// Renames a light.
pub(super) async fn rename<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    light: &Light,
    name: &str,
) -> Result<(), HueError> {
    let request = HueRequest::keyed(Method::Put, format!("/lights/{}", light.id))
        .with(&json!({ "name": name }));
    bridge.change(&request).await.map(drop)
}
