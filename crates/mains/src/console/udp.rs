//! The AT session of one module on UDP 48899.

use std::net::Ipv4Addr;

use hiflying::net::{BindError, UdpConsole, UdpConsoleError, UdpPort, interfaces, source_for};
use hiflying::{AtRequest, AtSessionConfig, DiscoveryWord, ModuleIdentity};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::resolve::interfaces::for_scan;
use crate::ui::clean;

/// A socket on the interface that leads to a module: on port 48899 if that can be had.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    /// The socket.
    pub(crate) port: UdpPort,
    /// Why it is on another port, if it is.
    taken: Option<BindError>,
}

impl UdpSocket {
    /// Opens it; the user is warned when an SP-2 would not be heard.
    pub(crate) async fn towards(context: &Context, target: Ipv4Addr) -> Result<Self, Failure> {
        refuse_group(target)?;
        let own = own_address(context, target)?;
        let (port, taken) = UdpPort::bind_or_ephemeral(own)
            .await
            .map_err(Failure::from)?;
        if let Some(taken) = &taken {
            context.ui.warn(format_args!(
                "{taken}; a device that answers only there, as an SP-2 does, is not heard"
            ));
        }
        Ok(Self { port, taken })
    }

    /// The failure of a module that does not answer: its own fault, or that of whoever has the port.
    pub(crate) fn silence(&self, message: String) -> Failure {
        match &self.taken {
            Some(taken) => Failure::local(format!("{message}, but {taken}"))
                .hint("an SP-2 answers to that port only: end that program, then try again"),
            None => Failure::new(Kind::NoAnswer, message)
                .hint("is the device on, and is this its address? `mains discover` finds plugs"),
        }
    }
}

/// A broadcast address is that of many, and from our own address we take nothing.
fn refuse_group(target: Ipv4Addr) -> Result<(), Failure> {
    // What cannot be listed cannot be checked; the device will be silent then.
    let interfaces = interfaces().unwrap_or_default();
    if interfaces
        .iter()
        .any(|interface| interface.address == target)
    {
        let message = format!("{target} is this computer's own address");
        return Err(Failure::new(Kind::NoAnswer, message)
            .hint("an emulated plug needs another address than the client, e.g. 127.0.0.2"));
    }
    if interfaces
        .iter()
        .any(|interface| interface.broadcast == target)
    {
        return Err(Failure::usage(format!(
            "{target} is a broadcast address, not that of one plug"
        ))
        .hint("`mains discover` finds all plugs"));
    }
    Ok(())
}

/// Where to send from: the interface asked for, else where the system would.
fn own_address(context: &Context, target: Ipv4Addr) -> Result<Ipv4Addr, Failure> {
    if !context.settings.interfaces.is_empty() {
        let asked_for = for_scan(context)?;
        let towards = asked_for
            .iter()
            .find(|interface| interface.contains(target));
        if let Some(interface) = towards.or(asked_for.first()) {
            return Ok(interface.address);
        }
    }
    source_for(target).map_err(|error| {
        // As with every address that nobody answers at.
        Failure::new(
            Kind::NoAnswer,
            format!("there is no way from this machine to {target}"),
        )
        .caused_by(&error)
    })
}

/// A session that is opened again after a command that has ended it.
#[derive(Debug)]
pub(super) struct UdpLink {
    socket: UdpSocket,
    target: Ipv4Addr,
    config: AtSessionConfig,
    console: Option<UdpConsole>,
}

impl UdpLink {
    pub(super) async fn open(
        context: &Context,
        target: Ipv4Addr,
        words: &[DiscoveryWord],
    ) -> Result<Self, Failure> {
        let socket = UdpSocket::towards(context, target).await?;
        let mut config = AtSessionConfig::default();
        config.words.splice(0..0, words.iter().cloned());
        let mut link = Self {
            socket,
            target,
            config,
            console: None,
        };
        link.start().await?;
        Ok(link)
    }

    /// Opens a session, unless there is one.
    async fn start(&mut self) -> Result<&mut UdpConsole, Failure> {
        let console = match self.console.take() {
            Some(console) => console,
            None => UdpConsole::open(self.socket.port.clone(), self.target, self.config.clone())
                .await
                .map_err(|error| self.failure(&error))?,
        };
        Ok(self.console.insert(console))
    }

    pub(super) fn description(&self) -> String {
        let identity = self.console.as_ref().and_then(UdpConsole::identity);
        match identity {
            Some(ModuleIdentity {
                mac,
                module: Some(module),
                ..
            }) if !module.is_empty() => {
                format!("{} ({mac}) at {}", clean(module), self.target)
            }
            Some(ModuleIdentity { mac, .. }) => format!("{mac} at {}", self.target),
            None => format!(
                "the module at {}, whose session was open already",
                self.target
            ),
        }
    }

    pub(super) async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let reply = self.start().await?.send(request.clone()).await;
        // These end the session at the far end, whether they are answered or not.
        if matches!(request.verb(), "Q" | "Z" | "RELD") {
            self.console = None;
        }
        reply.map_err(|error| self.failure(&error))
    }

    /// Sends `AT+W` now and then. A module that goes meanwhile is looked for again with the next command.
    pub(super) async fn keep_alive(&mut self) {
        while let Some(console) = &mut self.console {
            console.idle().await;
            self.console = None;
        }
        std::future::pending::<()>().await;
    }

    pub(super) async fn close(self) {
        if let Some(console) = self.console {
            console.close().await;
        }
    }

    fn failure(&self, error: &UdpConsoleError) -> Failure {
        match error {
            UdpConsoleError::NoReply(target) => self
                .socket
                .silence(format!("no Wi-Fi module answers at {target}")),
            UdpConsoleError::Lost { .. } => Failure::new(Kind::NoAnswer, error.to_string()),
            UdpConsoleError::Refused { .. } => Failure::new(Kind::Refused, error.to_string()),
            UdpConsoleError::BadReply { .. } => Failure::new(Kind::BadAnswer, error.to_string()),
            UdpConsoleError::Io { source, .. } => {
                Failure::new(Kind::NoAnswer, error.to_string()).caused_by(source)
            }
        }
    }
}
