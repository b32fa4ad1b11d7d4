//! One plug's TCP connection, kept between commands.
//!
//! A plug has few slots, so there is never more than one connection: a command takes it, and returns it when the plug's reply has
//! ended. A plug closes an idle connection after some minutes, and loses it when it restarts; the next command then opens another
//! transparently.

use std::io;
use std::net::Ipv4Addr;

use futures_util::FutureExt;
use jiff::tz::TimeZone;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::driver::{
    DriveError, ExchangeDriver, ExchangeRoute, KeptStream, Leftover, Opening, connect,
};
use super::{ContactError, Lan};
use crate::Plug;
use crate::command::{PlugCommand, PlugReply};
use crate::exchange::{Exchange, ExchangeError, NoReplyReason, PlugTransport};

/// Unread bytes tolerated on an idle connection.
const MAX_STALE_BYTES: usize = 4096;

/// The one connection to a plug. Dropping it, or a command in progress, closes it.
pub(super) struct PlugConnection {
    state: ConnectionState,
    is_lost: bool,
    /// `true` if the command in progress, or the last one, has been sent.
    sent: watch::Sender<bool>,
}

enum ConnectionState {
    Closed,
    /// Being opened ahead of a command, to this port.
    Opening(Opening, u16),
    /// Idle: no command is in progress.
    Idle(TcpStream),
    /// The plug may not have finished its last reply.
    Unfinished(Box<dyn Exchange>, TcpStream),
}

impl PlugConnection {
    /// Makes a connection that is not open yet.
    pub(super) fn new() -> Self {
        Self {
            state: ConnectionState::Closed,
            is_lost: false,
            sent: watch::Sender::new(false),
        }
    }

    /// Returns whether there is a connection.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, ConnectionState::Closed)
    }

    /// Returns whether the plug has lost or closed a connection since the last call. It loses it when it restarts.
    pub(super) fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.is_lost)
    }

    /// Closes the connection, if there is one.
    pub(super) fn close(&mut self) {
        self.state = ConnectionState::Closed;
    }

    /// Returns a flag that becomes `true` when the command in progress is sent.
    pub(super) fn sent(&self) -> watch::Receiver<bool> {
        self.sent.subscribe()
    }

    /// Returns whether the last command may have reached the plug.
    pub(super) fn has_sent(&self) -> bool {
        *self.sent.borrow()
    }

    /// Begins to open a connection, for a command that follows once the device is identified.
    pub(super) fn open_ahead(&mut self, lan: &Lan, address: Ipv4Addr, port: u16) {
        // Of several networks with the address, the plug's report shows the right one.
        if self.is_open() || lan.networks_towards(address).len() > 1 {
            return;
        }
        let mut opening = connect(lan, address, port);
        // The first poll sends the SYN; the kernel does the rest. What comes of it is for the exchange.
        self.state = match (&mut opening).now_or_never() {
            None => ConnectionState::Opening(opening, port),
            Some(opened) => ConnectionState::Opening(Box::pin(std::future::ready(opened)), port),
        };
    }

    /// Closes a connection that was opened ahead to a different port.
    pub(super) fn keep_if_to(&mut self, transport: Option<PlugTransport>) {
        if let ConnectionState::Opening(_, port) = self.state
            && transport != Some(PlugTransport::Tcp { port })
        {
            self.close();
        }
    }

    /// Waits until the plug closes the connection; forever without one. May be dropped and called again.
    pub(super) async fn closed(&mut self) {
        // What an exchange has not finished is heard by the next command.
        let ConnectionState::Idle(stream) = &self.state else {
            return std::future::pending().await;
        };
        while stream.readable().await.is_ok() && is_quiet(stream) {}
        self.is_lost = true;
        self.close();
    }

    /// Executes a command, over the existing connection or a new one.
    ///
    /// A refusal or an unintelligible reply on a used connection is tried once more on a new one, because it may have been a late
    /// reply to an earlier command.
    pub(super) async fn run(
        &mut self,
        lan: &Lan,
        plug: &Plug,
        command: PlugCommand,
        deadline: Instant,
    ) -> Result<PlugReply, ContactError> {
        self.sent.send_replace(false);
        let sent = self.sent.clone();
        let route = route(lan, plug, command, &sent)?;
        let Ok(kept) = timeout_at(deadline, self.take(route)).await else {
            return Err(no_reply(plug.address, NoReplyReason::NoReply));
        };
        let was_used = matches!(kept, Some(KeptStream::Used(_)));
        match self.attempt(route, plug, command, kept, deadline).await {
            Err(ContactError::Refused { .. } | ContactError::BadAnswer { .. }) if was_used => {
                self.close();
                self.attempt(route, plug, command, None, deadline).await
            }
            result => result,
        }
    }

    async fn attempt(
        &mut self,
        route: ExchangeRoute<'_>,
        plug: &Plug,
        command: PlugCommand,
        kept: Option<KeptStream>,
        deadline: Instant,
    ) -> Result<PlugReply, ContactError> {
        let exchange = exchange(route.lan, plug, command)?;
        let was_used = matches!(kept, Some(KeptStream::Used(_)));
        let mut driver = ExchangeDriver::new(exchange, route, kept);
        let outcome = timeout_at(deadline, driver.outcome()).await;
        self.is_lost |= driver.is_replaced() || (was_used && !matches!(outcome, Ok(Ok(_))));
        match outcome {
            Ok(Ok(reply)) => {
                self.state = driver.leftover().into();
                Ok(reply)
            }
            // A refusal is a reply like any other; a connection with unintelligible bytes on it is not kept.
            Ok(Err(DriveError::Plug(error @ ExchangeError::Refused(_)))) => {
                self.state = driver.leftover().into();
                Err(ContactError::of_exchange(plug.address, command, error))
            }
            Ok(Err(DriveError::Plug(error))) => {
                Err(ContactError::of_exchange(plug.address, command, error))
            }
            Ok(Err(DriveError::Local(source))) => Err(ContactError::Io {
                address: plug.address,
                source,
            }),
            Err(_) if self.has_sent() => Err(no_reply(plug.address, NoReplyReason::NoReply)),
            Err(_) => Err(no_reply(plug.address, NoReplyReason::NoConnection)),
        }
    }

    /// Takes the connection, if it is reusable: the plug has finished its reply, and has not closed it.
    async fn take(&mut self, route: ExchangeRoute<'_>) -> Option<KeptStream> {
        let stream = match std::mem::replace(&mut self.state, ConnectionState::Closed) {
            ConnectionState::Closed => return None,
            ConnectionState::Opening(opening, _) => return Some(KeptStream::Opening(opening)),
            ConnectionState::Idle(stream) => stream,
            ConnectionState::Unfinished(exchange, stream) => {
                let mut driver = ExchangeDriver::resume(exchange, stream, route);
                driver.finish().await.ok()?;
                match driver.leftover() {
                    Leftover::Idle(stream) => stream,
                    Leftover::Nothing | Leftover::Unfinished(..) => return None,
                }
            }
        };
        let is_good = is_quiet(&stream);
        self.is_lost |= !is_good;
        is_good.then_some(KeptStream::Used(stream))
    }
}

impl From<Leftover> for ConnectionState {
    fn from(leftover: Leftover) -> Self {
        match leftover {
            Leftover::Nothing => Self::Closed,
            Leftover::Idle(stream) => Self::Idle(stream),
            Leftover::Unfinished(exchange, stream) => Self::Unfinished(exchange, stream),
        }
    }
}

impl std::fmt::Debug for PlugConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlugConnection")
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

fn no_reply(address: Ipv4Addr, how: NoReplyReason) -> ContactError {
    ContactError::NoAnswer { address, how }
}

fn route<'a>(
    lan: &'a Lan,
    plug: &Plug,
    command: PlugCommand,
    sent: &'a watch::Sender<bool>,
) -> Result<ExchangeRoute<'a>, ContactError> {
    let unsupported = || ContactError::unsupported(plug, command);
    let family = lan.families().get(plug.family).ok_or_else(unsupported)?;
    Ok(ExchangeRoute {
        lan,
        address: plug.address,
        family,
        transport: family.transport().ok_or_else(unsupported)?,
        sent,
    })
}

/// Begins the exchange of a plug's family that executes a command.
fn exchange(
    lan: &Lan,
    plug: &Plug,
    command: PlugCommand,
) -> Result<Box<dyn Exchange>, ContactError> {
    let now = Instant::now().into_std();
    let local = crate::now().to_zoned(TimeZone::system()).datetime();
    lan.families()
        .get(plug.family)
        .and_then(|family| family.exchange(plug.mac, command, local, now))
        .ok_or_else(|| ContactError::unsupported(plug, command))
}

/// Drops the bytes that arrived since the last reply. Returns whether there were few, and the connection is still open.
fn is_quiet(stream: &TcpStream) -> bool {
    let mut buffer = [0; 512];
    let mut stale = 0;
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) => stale += length,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
        if stale > MAX_STALE_BYTES {
            return false;
        }
    }
}
