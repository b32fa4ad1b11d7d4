//! The plug's own parser on TCP port 8899: a line is sent, and the reply is all that comes back.
//!
//! Framing as in the protocol notes on that port: a command in one write, up to 3 s for the first byte, then
//! `\r\n\r\n` or 300 ms of silence.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::{AtReply, AtRequest, DATA_PORT, Terminator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::resolve::interfaces::TcpRoute;

/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for the first byte of a reply.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time without a further byte that ends a reply.
const IDLE_TIMEOUT: Duration = Duration::from_millis(300);

/// Time for a whole reply, for a device that never falls silent.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a reply.
const MAX_REPLY: usize = 64 * 1024;

/// A connection that is opened again if the plug has closed it between two commands.
#[derive(Debug)]
pub(crate) struct TcpConsole {
    route: TcpRoute,
    stream: TcpStream,
}

impl TcpConsole {
    /// Connects.
    pub(crate) async fn open(route: TcpRoute) -> Result<Self, Error> {
        Ok(Self {
            stream: connect(&route).await?,
            route,
        })
    }

    /// Sends a line and returns the raw reply; `TimedOut` without one.
    pub(crate) async fn send(&mut self, request: &AtRequest) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.is_stale() {
            self.stream = connect(&self.route).await?;
        }
        self.stream
            .write_all(&request.emit(Terminator::CrLf))
            .await?;
        self.receive().await
    }

    /// Closes the connection.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Drops late bytes and tells whether the plug has closed the connection (it does so after 300 s).
    fn is_stale(&self) -> bool {
        let mut late = [0; 1024];
        // Bounded, for a plug that never stops sending.
        for _ in 0..64 {
            match self.stream.try_read(&mut late) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
        true
    }

    async fn receive(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let end = Instant::now() + REPLY_TIMEOUT;
        let mut wait = FIRST_BYTE_TIMEOUT;
        let mut reply = Zeroizing::new(Vec::with_capacity(4096));
        while reply.len() < MAX_REPLY && !is_complete(&reply) && Instant::now() < end {
            let mut chunk = Zeroizing::new([0; 2048]);
            match timeout_at(
                end.min(Instant::now() + wait),
                self.stream.read(chunk.as_mut()),
            )
            .await
            {
                Err(_) if reply.is_empty() => return Err(ErrorKind::TimedOut.into()),
                Err(_) => break,
                Ok(Ok(0)) if reply.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(Ok(0)) => break,
                Ok(Ok(count)) => reply.extend_from_slice(chunk.split_at(count).0),
                Ok(Err(error)) => return Err(error),
            }
            // A greeting or an echo is not the reply yet.
            wait = match AtReply::parse(&reply) {
                AtReply::Unknown(line) if line.as_bytes().starts_with(b"AT+") => FIRST_BYTE_TIMEOUT,
                _ => IDLE_TIMEOUT,
            };
        }
        Ok(reply)
    }
}

async fn connect(route: &TcpRoute) -> Result<TcpStream, Error> {
    let stream = timeout(CONNECT_TIMEOUT, route.connect(DATA_PORT)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Tells whether a reply is complete: it is one, and ends in a blank line.
fn is_complete(reply: &[u8]) -> bool {
    reply.ends_with(b"\r\n\r\n") && !matches!(AtReply::parse(reply), AtReply::Unknown(_))
}

/// A console that is connected again after an error.
#[derive(Debug)]
pub struct TcpLink {
    route: TcpRoute,
    console: Option<TcpConsole>,
}

impl TcpLink {
    pub(super) async fn open(context: &Context, target: Ipv4Addr) -> Result<Self, Failure> {
        let mut link = Self {
            route: TcpRoute::towards(context, target).await,
            console: None,
        };
        link.console = Some(link.connect().await?);
        Ok(link)
    }

    fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.route.address, DATA_PORT)
    }

    async fn connect(&self) -> Result<TcpConsole, Failure> {
        let console = TcpConsole::open(self.route.clone()).await;
        console.map_err(|error| failure(self.address(), &error))
    }

    pub(super) fn description(&self) -> String {
        format!("the plug's own console at {}", self.address())
    }

    pub(super) async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let address = self.address();
        // Taken out, so that a connection that fails, or is cancelled in the middle of a reply, is not used again.
        let mut console = match self.console.take() {
            Some(console) => console,
            None => self.connect().await?,
        };
        tracing::debug!(%address, %request, "sending");
        match console.send(request).await {
            Err(error) if error.kind() != ErrorKind::TimedOut => Err(failure(address, &error)),
            reply => {
                self.console = Some(console);
                reply.map_err(|_| {
                    let message = format!("no reply from {address} to {request}");
                    Failure::new(Kind::NoAnswer, message)
                })
            }
        }
    }

    pub(super) async fn close(self) {
        if let Some(console) = self.console {
            console.close().await;
        }
    }
}

/// Returns the failure of a connection. An address without a reply, or one that refuses TCP, is "no answer".
fn failure(address: SocketAddrV4, error: &Error) -> Failure {
    let no_answer = |message| Failure::new(Kind::NoAnswer, message);
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::AddrNotAvailable => {
            Failure::local(format!("cannot reach {address} from this computer"))
                .caused_by(error)
        }
        ErrorKind::TimedOut => no_answer(format!("no reply from {address}"))
            .hint("check that the plug has power and this is its address; `mains discover` finds plugs"),
        ErrorKind::ConnectionRefused => no_answer(format!("connection refused by {address}"))
            .hint(
                "wait if the plug is restarting, and close other connections to it, because it serves few; for a plain Wi-Fi \
                 module, which has no such console, leave out `--tcp`",
            ),
        _ => no_answer(format!("lost the connection to {address}"))
            .caused_by(error)
            .hint(
                "close other programs that use the plug, because it serves few connections at a time",
            ),
    }
}
