//! Requests to a bridge, with the replies parsed.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::HueError;
use crate::identity::BridgeIdentity;
use crate::key::AppKey;
use crate::lights::{self, Light, LightNameError};
use crate::reply::{self, BridgeErrorKind, ReplyError};
use crate::request::{HueRequest, Method};
use crate::transport::{BridgeReply, HueTransport};

/// Delay before the one retry after an internal error of the bridge.
pub(super) const INTERNAL_ERROR_DELAY: Duration = Duration::from_secs(5);

/// A bridge that a flow works with.
#[derive(Debug)]
pub struct BridgeClient<'a, T> {
    /// The transport of the requests.
    pub transport: &'a T,
    /// The public identity of the bridge.
    pub identity: BridgeIdentity,
    /// The name in messages and results: its id, or its address where it reports no id.
    pub name: String,
    /// The key, absent before pairing.
    pub key: Option<AppKey>,
}

impl<'a, T: HueTransport> BridgeClient<'a, T> {
    /// Creates a client. The address serves as the name of a bridge that reports no id.
    pub fn new(
        transport: &'a T,
        identity: BridgeIdentity,
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

    /// Reads a resource below `/api/<key>`.
    pub(super) async fn get(&self, path: &str) -> Result<Map<String, Value>, HueError> {
        self.send_with_retry(&HueRequest::keyed(Method::Get, path), reply::object)
            .await
    }

    /// Changes something.
    pub(super) async fn change(&self, request: &HueRequest) -> Result<Vec<Value>, HueError> {
        self.send_with_retry(request, reply::changes).await
    }

    /// Sends a request, and once more after an internal error of the bridge.
    async fn send_with_retry<R>(
        &self,
        request: &HueRequest,
        parse: fn(u16, &[u8]) -> Result<R, ReplyError>,
    ) -> Result<R, HueError> {
        match self.send_once(request, parse).await {
            Err(HueError::Refused { error, .. }) if error.kind() == BridgeErrorKind::Internal => {
                self.transport.sleep(INTERNAL_ERROR_DELAY).await;
                self.send_once(request, parse).await
            }
            result => result,
        }
    }

    /// Sends a request once and parses the reply.
    pub(super) async fn send_once<R>(
        &self,
        request: &HueRequest,
        parse: fn(u16, &[u8]) -> Result<R, ReplyError>,
    ) -> Result<R, HueError> {
        let not_paired = || HueError::NotPaired(self.name.clone());
        let key = self.key.as_ref().ok_or_else(not_paired)?;
        let reply = self.transport.send(request, Some(key)).await?;
        self.parse(&reply, parse)
    }

    /// Parses a reply. Errors quote it, so the key is masked first: some servers repeat the path.
    pub(super) fn parse<R>(
        &self,
        reply: &BridgeReply,
        parse: fn(u16, &[u8]) -> Result<R, ReplyError>,
    ) -> Result<R, HueError> {
        let parsed = match &self.key {
            Some(key) => parse(reply.status, &key.mask(&reply.body)),
            None => parse(reply.status, &reply.body),
        };
        parsed.map_err(|error| HueError::from_reply(&self.name, error))
    }
}

/// Lists the lights of a bridge, sorted by number.
///
/// # Errors
///
/// [`HueError`]: no reply, a key that the bridge does not know, an unintelligible reply.
pub async fn lights<T: HueTransport>(bridge: &BridgeClient<'_, T>) -> Result<Vec<Light>, HueError> {
    Ok(lights::parse_all(&bridge.get("/lights").await?))
}

/// Finds a light by its number, its unique id or its name.
///
/// # Errors
///
/// As [`lights()`]; [`HueError::NoSuchLight`], [`HueError::SeveralLights`].
pub async fn find_light<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    name: &str,
) -> Result<Light, HueError> {
    let lights = lights(bridge).await?;
    let (at, light) = (bridge.name.clone(), lights::find(&lights, name));
    light.cloned().map_err(|error| {
        let name = name.to_owned();
        match error {
            LightNameError::NotFound => HueError::NoSuchLight { at, name },
            LightNameError::Ambiguous(ids) => HueError::SeveralLights {
                at,
                name,
                ids: ids.join(", "),
            },
        }
    })
}
