//! What is done with a bridge: each thing one function over a [`Transport`], with a [`Guide`](crate::Guide) that hears of the steps and
//! answers the questions.
//!
//! The functions know no runtime and no socket, so a test can run them against a script in virtual time, and command line and
//! hub do the same. Dropping one stops it between two calls; only [`relocate`] leaves something in between, and keeps a journal
//! of it.

mod clip;
mod identify;
mod pair;
mod relocate;
mod search;
mod takeover;

use std::time::Duration;

use serde_json::{Map, Value};

use crate::call::{Call, Method};
use crate::error::HueError;
use crate::identity::Identity;
use crate::key::AppKey;
use crate::lights::{self, Light, NamingError};
use crate::reply::{self, Meaning, ReplyError};
use crate::transport::{Answer, Transport};

pub use clip::{Clip, ClipTarget, check_body, clip};
pub use identify::identify;
pub use pair::{PairOptions, Paired, device_type, pair};
pub use relocate::{MoveOptions, Moved, Source, relocate};
pub use search::{Searched, search};
pub use takeover::{Takeover, TakeoverOptions, Way, takeover};

/// After an internal error a bridge is asked once more, so much later.
const INTERNAL_ERROR_PAUSE: Duration = Duration::from_secs(5);

/// A bridge that a flow works with.
#[derive(Debug)]
pub struct Bridge<'a, T> {
    /// The way to it.
    pub transport: &'a T,
    /// What it says of itself.
    pub identity: Identity,
    /// How messages and results call it: its id, and where it tells none, its address.
    pub name: String,
    /// The key for it.
    pub key: Option<AppKey>,
}

impl<'a, T: Transport> Bridge<'a, T> {
    /// Makes it. The address is its name when it does not tell its id.
    pub fn new(
        transport: &'a T,
        identity: Identity,
        address: impl ToString,
        key: Option<AppKey>,
    ) -> Self {
        let name = match &identity.id {
            Some(id) => id.to_string(),
            None => address.to_string(),
        };
        Self {
            transport,
            identity,
            name,
            key,
        }
    }

    /// Asks for something below `/api/<key>`.
    async fn ask(&self, path: &str) -> Result<Map<String, Value>, HueError> {
        self.twice(&Call::keyed(Method::Get, path), reply::object)
            .await
    }

    /// Changes something. An internal error of the bridge is tried once more.
    async fn change(&self, call: &Call) -> Result<Vec<Value>, HueError> {
        self.twice(call, reply::changes).await
    }

    async fn twice<R>(
        &self,
        call: &Call,
        read: fn(u16, &[u8]) -> Result<R, ReplyError>,
    ) -> Result<R, HueError> {
        match self.once(call, read).await {
            Err(HueError::Refused { error, .. }) if error.meaning() == Meaning::Internal => {
                self.transport.sleep(INTERNAL_ERROR_PAUSE).await;
                self.once(call, read).await
            }
            result => result,
        }
    }

    /// Calls once and reads the reply.
    async fn once<R>(
        &self,
        call: &Call,
        read: fn(u16, &[u8]) -> Result<R, ReplyError>,
    ) -> Result<R, HueError> {
        let key = self
            .key
            .as_ref()
            .ok_or_else(|| HueError::NotPaired(self.name.clone()))?;
        let answer = self.transport.call(call, Some(key)).await?;
        self.read(&answer, read)
    }

    /// Reads a reply. What it says is shown in errors, so the key is taken out of it before: some servers repeat the path.
    fn read<R>(
        &self,
        answer: &Answer,
        read: fn(u16, &[u8]) -> Result<R, ReplyError>,
    ) -> Result<R, HueError> {
        let read = match &self.key {
            Some(key) => read(answer.status, &key.taken_out_of(&answer.body)),
            None => read(answer.status, &answer.body),
        };
        read.map_err(|error| HueError::of_reply(&self.name, error))
    }
}

/// Lists the lights of a bridge, in the order of their numbers.
///
/// # Errors
///
/// [`HueError`]: no answer, a key that the bridge does not know, a reply that cannot be understood.
pub async fn lights<T: Transport>(bridge: &Bridge<'_, T>) -> Result<Vec<Light>, HueError> {
    Ok(lights::read_all(&bridge.ask("/lights").await?))
}

/// Finds a light by its number, its unique id or its name.
///
/// # Errors
///
/// As [`lights()`]; [`HueError::NoSuchLight`], [`HueError::SeveralLights`].
pub async fn light_named<T: Transport>(
    bridge: &Bridge<'_, T>,
    name: &str,
) -> Result<Light, HueError> {
    let lights = lights(bridge).await?;
    let at = bridge.name.clone();
    lights::named(&lights, name)
        .cloned()
        .map_err(|error| match error {
            NamingError::Nobody => HueError::NoSuchLight {
                at,
                name: name.to_owned(),
            },
            NamingError::Several(ids) => HueError::SeveralLights {
                at,
                name: name.to_owned(),
                ids: ids.join(", "),
            },
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::Guide;
    use crate::journal::Journal;

    /// A flow runs as a task of the hub, so its future has to be `Send`; that it compiles is the test.
    #[expect(dead_code, reason = "compiled, not called")]
    fn flows_can_move_between_threads<T: Transport, G: Guide, J: Journal>(
        bridge: &Bridge<'_, T>,
        guide: &G,
        journal: &J,
        pairing: &PairOptions,
        way: &TakeoverOptions,
        moving: &MoveOptions,
        path: &ClipTarget,
    ) {
        fn is_send(_: impl Send) {}
        is_send(pair(bridge, guide, pairing));
        is_send(search(bridge, guide, &[]));
        is_send(identify(bridge, "1"));
        is_send(takeover(bridge, guide, way));
        is_send(clip(bridge, Method::Get, path, None));
        is_send(relocate(
            Source::Bridge(bridge),
            bridge,
            "1",
            journal,
            guide,
            moving,
        ));
    }
}
