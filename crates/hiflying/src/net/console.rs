//! An AT session over a socket, one command after the other.

use std::io;
use std::net::Ipv4Addr;
use std::time::Instant;

use zeroize::Zeroizing;

use super::UdpPort;
use super::drive::PeerSocket;
use crate::session::{
    AtSession, AtSessionConfig, AtSessionEvent, CommandId, NoReply, RestartStatus,
};
use crate::{AtCommand, AtCommandError, AtRequest, ErrorCode, ModuleIdentity};

/// Failure of a command over the network.
#[derive(Debug, thiserror::Error)]
pub enum UdpConsoleError {
    /// The module does not reply.
    #[error("no reply from {0}")]
    NoReply(Ipv4Addr),
    /// The module understood and refused.
    #[error("{target} refused {request}: {code}")]
    Refused {
        /// Address of the module.
        target: Ipv4Addr,
        /// Masked request.
        request: String,
        /// The refusal.
        code: ErrorCode,
    },
    /// The reply is unintelligible.
    #[error("unintelligible reply from {target} to {request}: expected {expected}")]
    BadReply {
        /// Address of the module.
        target: Ipv4Addr,
        /// Masked request.
        request: String,
        /// Expected form.
        expected: &'static str,
    },
    /// The module replied before, but not to this command.
    #[error("no reply from {target} to {request}")]
    Lost {
        /// Address of the module.
        target: Ipv4Addr,
        /// Masked request.
        request: String,
    },
    /// The socket failed.
    #[error("the connection to {target} failed")]
    Io {
        /// Address of the module.
        target: Ipv4Addr,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
}

/// An open AT session with the module at one address.
///
/// Leave it with [`UdpConsole::close`]; a console that is merely dropped still sends `AT+Q` if the socket
/// takes it at once.
///
/// ```no_run
/// use hiflying::command::{Mid, Wmode};
/// use hiflying::net::{UdpConsole, UdpPort};
/// use hiflying::AtSessionConfig;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let port = UdpPort::bind([10, 10, 100, 150].into()).await?;
/// let mut console = UdpConsole::open(port, hiflying::ACCESS_POINT_ADDRESS, AtSessionConfig::default()).await?;
/// println!("{} in mode {}", console.run(&Mid).await?, console.run(&Wmode).await?);
/// console.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UdpConsole {
    target: Ipv4Addr,
    line: PeerSocket,
    session: AtSession,
}

impl UdpConsole {
    /// Finds the module and opens command mode.
    ///
    /// # Errors
    ///
    /// [`UdpConsoleError::NoReply`] after the handshake timeout, or [`UdpConsoleError::Io`].
    pub async fn open(
        port: UdpPort,
        target: Ipv4Addr,
        config: AtSessionConfig,
    ) -> Result<Self, UdpConsoleError> {
        let session = AtSession::new(config, Instant::now());
        let mut console = Self {
            target,
            line: PeerSocket::new(port, target),
            session,
        };
        let opened = console.line.drive(&mut console.session, |session| {
            loop {
                match session.poll_event()? {
                    AtSessionEvent::Opened { .. } => return Some(true),
                    AtSessionEvent::Lost | AtSessionEvent::Closed => return Some(false),
                    AtSessionEvent::Reply { .. } | AtSessionEvent::Failed { .. } => {}
                }
            }
        });
        match opened.await {
            Ok(true) => Ok(console),
            Ok(false) => {
                console.close().await;
                Err(UdpConsoleError::NoReply(target))
            }
            Err(source) => Err(UdpConsoleError::Io { target, source }),
        }
    }

    /// Returns the module's address.
    pub fn target(&self) -> Ipv4Addr {
        self.target
    }

    /// Returns the module's reply to the discovery word, unless its session was open already.
    pub fn identity(&self) -> Option<&ModuleIdentity> {
        self.session.identity()
    }

    /// Sends a typed command and reads its reply.
    pub async fn run<C: AtCommand>(&mut self, command: &C) -> Result<C::Reply, UdpConsoleError> {
        let request = command.request();
        let masked = request.masked();
        let raw = self.send(request).await?;
        let target = self.target;
        command.parse(&raw).map_err(|error| match error {
            AtCommandError::Refused(code) => UdpConsoleError::Refused {
                target,
                request: masked,
                code,
            },
            AtCommandError::Malformed { expected, .. } => UdpConsoleError::BadReply {
                target,
                request: masked,
                expected,
            },
        })
    }

    /// Sends a raw line and returns everything that came back, which is empty where silence is success.
    ///
    /// # Errors
    ///
    /// [`UdpConsoleError::Lost`] or [`UdpConsoleError::Io`]; a refusal is a reply.
    pub async fn send(
        &mut self,
        request: AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, UdpConsoleError> {
        let target = self.target;
        let masked = request.masked();
        tracing::debug!(%target, request = masked, "sending");
        let id = self.session.submit(Instant::now(), request);
        let reply = self
            .line
            .drive(&mut self.session, |session| outcome(session, id))
            .await;
        match reply {
            Ok(Ok(raw)) => Ok(raw),
            Ok(Err(_)) => Err(UdpConsoleError::Lost {
                target,
                request: masked,
            }),
            Err(source) => Err(UdpConsoleError::Io { target, source }),
        }
    }

    /// Keeps the session alive until it is lost, while an interactive console waits for its user.
    ///
    /// Safe to cancel at any time.
    pub async fn idle(&mut self) -> UdpConsoleError {
        let target = self.target;
        let lost = self
            .line
            .drive(&mut self.session, |session| match session.poll_event()? {
                AtSessionEvent::Lost | AtSessionEvent::Closed => Some(()),
                _ => None,
            });
        match lost.await {
            Ok(()) => UdpConsoleError::NoReply(target),
            Err(source) => UdpConsoleError::Io { target, source },
        }
    }

    /// Restarts the module with `AT+Z`, which ends the session. Returns false for a module that goes on replying.
    ///
    /// # Errors
    ///
    /// [`UdpConsoleError::Io`].
    pub async fn restart(mut self) -> Result<bool, UdpConsoleError> {
        let target = self.target;
        let mut watch = self.session.restart(Instant::now());
        let gone = self.line.drive(&mut watch, |watch| match watch.status() {
            RestartStatus::Pending => None,
            status => Some(status == RestartStatus::Gone),
        });
        gone.await
            .map_err(|source| UdpConsoleError::Io { target, source })
    }

    /// Leaves command mode (`AT+Q`).
    pub async fn close(mut self) {
        self.session.close(Instant::now());
        self.line.flush(&mut self.session).await;
    }
}

impl Drop for UdpConsole {
    fn drop(&mut self) {
        self.session.close(Instant::now());
        self.line.flush_now(&mut self.session);
    }
}

fn outcome(
    session: &mut AtSession,
    wanted: CommandId,
) -> Option<Result<Zeroizing<Vec<u8>>, NoReply>> {
    loop {
        match session.poll_event()? {
            AtSessionEvent::Reply { id, raw } if id == wanted => return Some(Ok(raw)),
            AtSessionEvent::Failed { id, error } if id == wanted => return Some(Err(error)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PORT;
    use crate::command::{Mid, Wmode};
    use tokio::net::UdpSocket;

    const IDENTITY: &[u8] = b"127.61.1.2,ACCF235676D6,HF-LPB100";

    /// A module on a real socket that answers to port 48899 of the sender; returns all that it
    /// heard.
    async fn module(address: Ipv4Addr) -> tokio::task::JoinHandle<Vec<Vec<u8>>> {
        let socket = UdpSocket::bind((address, PORT)).await.unwrap();
        tokio::spawn(async move {
            let mut heard = Vec::new();
            let mut buffer = [0; 512];
            while heard.last().is_none_or(|last: &Vec<u8>| last != b"AT+Q\r") {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let reply: &[u8] = match &buffer[..length] {
                    b"HF-A11ASSISTHREAD" => IDENTITY,
                    b"AT+\r" => b"+ok\r\n\r\n",
                    b"AT+MID\r" => b"+ok=HF-LPB100\r\n\r\n",
                    b"AT+WMODE\r" => b"+ERR=-5\r\n\r\n",
                    _ => b"",
                };
                heard.push(buffer[..length].to_vec());
                if !reply.is_empty() {
                    socket.send_to(reply, (from.ip(), PORT)).await.unwrap();
                }
            }
            heard
        })
    }

    #[tokio::test]
    async fn commands_over_a_real_socket() {
        let (ours, theirs) = (Ipv4Addr::new(127, 61, 1, 1), Ipv4Addr::new(127, 61, 1, 2));
        let module = module(theirs).await;
        let start = Instant::now();
        let port = UdpPort::bind(ours).await.unwrap();
        let mut console = UdpConsole::open(port, theirs, AtSessionConfig::default())
            .await
            .unwrap();
        assert_eq!(
            console.identity().unwrap().module.as_deref(),
            Some("HF-LPB100")
        );
        assert_eq!(console.run(&Mid).await.unwrap(), "HF-LPB100");
        let refused = console.run(&Wmode).await;
        assert!(
            matches!(
                refused,
                Err(UdpConsoleError::Refused {
                    code: ErrorCode::NotPermitted,
                    ..
                })
            ),
            "{refused:?}"
        );
        console.close().await;
        let heard = module.await.unwrap();
        assert_eq!(heard.last().unwrap(), b"AT+Q\r");
        assert!(
            start.elapsed().as_millis() < 350,
            "no flat waits: {:?}",
            start.elapsed()
        );
    }

    #[tokio::test]
    async fn a_dropped_console_leaves_command_mode_too() {
        let (ours, theirs) = (Ipv4Addr::new(127, 61, 2, 1), Ipv4Addr::new(127, 61, 2, 2));
        let module = module(theirs).await;
        let port = UdpPort::bind(ours).await.unwrap();
        drop(
            UdpConsole::open(port, theirs, AtSessionConfig::default())
                .await
                .unwrap(),
        );
        assert_eq!(module.await.unwrap().last().unwrap(), b"AT+Q\r");
    }

    #[tokio::test]
    async fn a_stranger_is_not_heard() {
        let (ours, theirs) = (Ipv4Addr::new(127, 61, 3, 1), Ipv4Addr::new(127, 61, 3, 2));
        let port = UdpPort::bind(ours).await.unwrap();
        let stranger = UdpSocket::bind("127.61.3.3:0").await.unwrap();
        let config = AtSessionConfig {
            handshake_timeout: std::time::Duration::from_millis(300),
            ..Default::default()
        };
        let (opened, ()) = tokio::join!(UdpConsole::open(port, theirs, config), async {
            for _ in 0..10 {
                stranger.send_to(IDENTITY, (ours, PORT)).await.unwrap();
                stranger
                    .send_to(b"+ok=AP\r\n\r\n", (ours, PORT))
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
            }
        });
        assert!(matches!(opened, Err(UdpConsoleError::NoReply(address)) if address == theirs));
    }
}
