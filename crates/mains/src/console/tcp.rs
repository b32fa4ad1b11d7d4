//! The plug's own parser on TCP port 8899: a line goes out, whatever comes back is the reply.
//!
//! Framing as in the protocol notes on that port: a command in one write, up to 3 s for the first byte, then
//! `\r\n\r\n` or 300 ms of silence.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::{AtRequest, DATA_PORT, Terminator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use crate::error::{Failure, Kind};

const CONNECT_WAIT: Duration = Duration::from_secs(3);
const FIRST_BYTE_WAIT: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_millis(300);
/// Whoever never falls silent is cut off.
const REPLY_WAIT: Duration = Duration::from_secs(10);
const REPLY_LIMIT: usize = 64 * 1024;

/// One connection, opened again when the plug has closed it between two commands.
#[derive(Debug)]
pub(crate) struct TcpConsole {
    address: SocketAddrV4,
    stream: TcpStream,
}

impl TcpConsole {
    /// Connects.
    pub(crate) async fn open(address: SocketAddrV4) -> Result<Self, Error> {
        Ok(Self {
            address,
            stream: connect(address).await?,
        })
    }

    /// Sends a line and returns what came back, raw. `TimedOut` when nothing came in time.
    pub(crate) async fn send(&mut self, request: &AtRequest) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.is_stale() {
            self.stream = connect(self.address).await?;
        }
        self.stream
            .write_all(&request.emit(Terminator::CrLf))
            .await?;
        self.receive().await
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Drops what came late and tells whether the plug has hung up (it does after 300 s).
    fn is_stale(&self) -> bool {
        let mut late = [0; 1024];
        // Bounded: a plug that floods us is read no further.
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
        let end = Instant::now() + REPLY_WAIT;
        let mut wait = FIRST_BYTE_WAIT;
        let mut reply = Zeroizing::new(Vec::with_capacity(4096));
        while reply.len() < REPLY_LIMIT && !ends(&reply) && Instant::now() < end {
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
                Ok(Ok(count)) => reply.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Ok(Err(error)) => return Err(error),
            }
            wait = SILENCE;
        }
        Ok(reply)
    }
}

async fn connect(address: SocketAddrV4) -> Result<TcpStream, Error> {
    let stream = timeout(CONNECT_WAIT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A blank line ends a reply, unless nothing but blanks has come so far.
fn ends(reply: &[u8]) -> bool {
    reply.ends_with(b"\r\n\r\n") && !reply.trim_ascii().is_empty()
}

/// A console that is connected again when it broke.
#[derive(Debug)]
pub(super) struct TcpLink {
    address: SocketAddrV4,
    console: Option<TcpConsole>,
}

impl TcpLink {
    pub(super) async fn open(target: Ipv4Addr) -> Result<Self, Failure> {
        let address = SocketAddrV4::new(target, DATA_PORT);
        let console = TcpConsole::open(address)
            .await
            .map_err(|error| failure(address, &error))?;
        Ok(Self {
            address,
            console: Some(console),
        })
    }

    pub(super) fn description(&self) -> String {
        format!("the plug's own console at {}", self.address)
    }

    pub(super) async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let address = self.address;
        // Taken out, so that a connection that breaks, or is given up in the middle of a reply, is not used again.
        let mut console = match self.console.take() {
            Some(console) => console,
            None => TcpConsole::open(address)
                .await
                .map_err(|error| failure(address, &error))?,
        };
        tracing::debug!(%address, %request, "sending");
        let silent = || {
            Failure::new(
                Kind::NoAnswer,
                format!("{address} did not answer {request}"),
            )
        };
        match console.send(request).await {
            Err(error) if error.kind() != ErrorKind::TimedOut => Err(failure(address, &error)),
            reply => {
                self.console = Some(console);
                reply.map_err(|_| silent())
            }
        }
    }

    pub(super) async fn close(self) {
        if let Some(console) = self.console {
            console.close().await;
        }
    }
}

/// A known address that is silent, refuses TCP or has nothing there is "no answer".
fn failure(address: SocketAddrV4, error: &Error) -> Failure {
    let no_answer = |message| Failure::new(Kind::NoAnswer, message);
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::AddrNotAvailable => {
            Failure::local(format!("{address} cannot be reached from this machine"))
                .caused_by(error)
        }
        ErrorKind::TimedOut => no_answer(format!("{address} does not answer"))
            .hint("is the plug on, and is this its address? `mains discover` finds plugs"),
        ErrorKind::ConnectionRefused => no_answer(format!("{address} refuses connections"))
            .hint(
                "a plug that is restarting, or whose few connections are all taken, refuses more; a mere Wi-Fi module has no \
                 such console (leave `--tcp` away)",
            ),
        _ => no_answer(format!("the connection to {address} broke"))
            .caused_by(error)
            .hint(
                "a plug serves few connections at a time; is an app or another program using it?",
            ),
    }
}
