//! What the flows need of the world: a bridge that can be called, and a clock.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::error::HueError;
use crate::key::AppKey;
use crate::tcp30000::Outcome;

/// What a bridge answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, of bounded size.
    pub body: Vec<u8>,
}

/// One bridge, and the time. Sockets implement it, and tests with a script.
pub trait Transport: Send + Sync {
    /// Calls the bridge and returns what it answers, whatever that is.
    ///
    /// An overloaded bridge (429, 503) is asked again within bounds; nothing else is repeated.
    fn call(
        &self,
        call: &Call,
        key: Option<&AppKey>,
    ) -> impl Future<Output = Result<Answer, HueError>> + Send;

    /// Tries one touchlink on port 30000.
    ///
    /// An error means that nothing was sent: the port is not there. Once it is sent, silence and a closed connection are
    /// [`Outcome::Unknown`].
    fn touchlink(&self) -> impl Future<Output = Result<Outcome, HueError>> + Send;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Tells the time.
    fn now(&self) -> Instant;
}
