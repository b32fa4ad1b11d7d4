//! The interface between the flows and the outside world: a bridge that takes requests, and a clock.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::HueError;
use crate::key::AppKey;
use crate::request::HueRequest;
use crate::tcp30000::TouchlinkOutcome;

/// The HTTP reply of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeReply {
    /// The HTTP status.
    pub status: u16,
    /// The body, of bounded size.
    pub body: Vec<u8>,
}

/// One bridge, and the time. Implemented by [`BridgeConnection`](crate::net::BridgeConnection), and by simulations in tests.
pub trait HueTransport: Send + Sync {
    /// Sends a request and returns the reply, whatever its status.
    ///
    /// An overloaded bridge (429, 503) is asked again within bounds; no other request is repeated.
    fn send(
        &self,
        request: &HueRequest,
        key: Option<&AppKey>,
    ) -> impl Future<Output = Result<BridgeReply, HueError>> + Send;

    /// Starts one touchlink on port 30000 and waits for its outcome.
    ///
    /// An error means that nothing was sent. Once the request is sent, a timeout and a closed connection are
    /// [`TouchlinkOutcome::Unknown`].
    fn touchlink(&self) -> impl Future<Output = Result<TouchlinkOutcome, HueError>> + Send;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Returns the current time.
    fn now(&self) -> Instant;
}
