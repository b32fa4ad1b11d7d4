//! The module that is locked down, as the flow sees it.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hiflying::settings::WebLogin;
use hiflying::{AtRequest, DiscoveryWord, Mac};
use zeroize::Zeroizing;

/// An AT session that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedSession {
    /// MAC in the reply to the discovery word; `None` if command mode was open already, or needs no word.
    pub mac: Option<Mac>,
}

/// One module that can be reached, and a clock.
pub trait HardenModule: Send {
    /// Opens an AT session with these discovery words alone, in place of the present one. `None` without a reply in time.
    fn open(
        &mut self,
        words: &[DiscoveryWord],
        timeout: Duration,
    ) -> impl Future<Output = Option<OpenedSession>> + Send;

    /// Sends a command in the open session. `None` without a reply after all tries.
    fn send(
        &mut self,
        request: AtRequest,
    ) -> impl Future<Output = Option<Zeroizing<Vec<u8>>>> + Send;

    /// Restarts the module, which ends the session. Returns false if it goes on replying.
    fn restart(&mut self) -> impl Future<Output = bool> + Send;

    /// Leaves command mode.
    fn close(&mut self) -> impl Future<Output = ()> + Send;

    /// Requests the web page, with a login or without. Returns the HTTP status; `None` without a reply.
    fn web_status(&mut self, login: Option<&WebLogin>) -> impl Future<Output = Option<u16>> + Send;

    /// Tells whether the plug replies to the scan of its maker's application.
    fn is_heard(&mut self) -> impl Future<Output = bool> + Send;

    /// Looks for the module at other addresses, by its MAC, and goes on there.
    fn search(&mut self, words: &[DiscoveryWord]) -> impl Future<Output = ()> + Send;

    /// Lets time pass.
    fn sleep(&mut self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Returns the address at which it is reached.
    fn address(&self) -> Ipv4Addr;

    /// Returns the time.
    fn now(&self) -> Instant;
}
