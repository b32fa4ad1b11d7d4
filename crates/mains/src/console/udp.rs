//! The AT session of one module on UDP 48899.

use std::net::Ipv4Addr;

use hiflying::net::{BindError, UdpConsole, UdpConsoleError, UdpPort, interfaces, source_for};
use hiflying::{AtRequest, AtSessionConfig, DiscoveryWord, ModuleIdentity};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::resolve::interfaces::{for_scan, near};
use crate::ui::clean;

/// A socket on the interface that leads to a module: on port 48899 if that can be had.
#[derive(Debug)]
pub(crate) struct ModuleSocket {
    /// The socket.
    pub(crate) port: UdpPort,
    /// Reason why it is on another port.
    taken: Option<BindError>,
}

impl ModuleSocket {
    /// Opens the socket, and warns if an SP-2 cannot reply to it.
    pub(crate) async fn towards(context: &Context, target: Ipv4Addr) -> Result<Self, Failure> {
        refuse_own_address(target)?;
        let own = own_address(context, target).await?;
        let (port, taken) = UdpPort::bind_or_ephemeral(own)
            .await
            .map_err(Failure::from)?;
        if let Some(taken) = &taken {
            context.ui.warn(format_args!(
                "{taken}; no reply can come from a device that replies only there, such as an SP-2"
            ));
        }
        Ok(Self { port, taken })
    }

    /// Returns true if a device that replies only to UDP port 48899 is not heard, because another program has that port.
    pub(crate) fn is_deaf(&self) -> bool {
        self.taken.is_some()
    }

    /// Returns the failure of a module without a reply, which may be due to the taken port.
    pub(crate) fn no_reply(&self, message: String) -> Failure {
        match &self.taken {
            Some(taken) => Failure::local(format!("{message}, but {taken}"))
                .hint("end that program and try again: an SP-2 replies to that port only"),
            None => Failure::new(Kind::NoAnswer, message)
                .hint("check that the device has power and this is its address; `mains discover` finds plugs"),
        }
    }
}

/// Refuses a broadcast address, which is that of many devices, and our own, whose datagrams are ignored.
fn refuse_own_address(target: Ipv4Addr) -> Result<(), Failure> {
    // Without a list there is no check, and such a target does not reply.
    let interfaces = interfaces().unwrap_or_else(|_| Vec::new());
    if interfaces
        .iter()
        .any(|interface| interface.address == target)
    {
        let message = format!("{target} is this computer's own address");
        return Err(Failure::new(Kind::NoAnswer, message)
            .hint("give an emulated plug another address than the client's, e.g. 127.0.0.2"));
    }
    if interfaces
        .iter()
        .any(|interface| interface.is_broadcast(target))
    {
        return Err(Failure::usage(format!(
            "{target} is a broadcast address, not the address of a plug"
        ))
        .hint("find all plugs with `mains discover`"));
    }
    Ok(())
}

/// Returns the address to send from: on a selected interface, or by the route of the system.
async fn own_address(context: &Context, target: Ipv4Addr) -> Result<Ipv4Addr, Failure> {
    if let Some(interface) = near(context, target).await {
        return Ok(interface.address);
    }
    if !context.settings.interfaces.is_empty()
        && let Some(first) = for_scan(context)?.first()
    {
        return Ok(first.address);
    }
    source_for(target).map_err(|error| {
        Failure::new(
            Kind::NoAnswer,
            format!("no route from this computer to {target}"),
        )
        .caused_by(&error)
    })
}

/// A session that is opened again after a command that ends it.
#[derive(Debug)]
pub struct UdpLink {
    socket: ModuleSocket,
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
        let socket = ModuleSocket::towards(context, target).await?;
        let mut config = AtSessionConfig::default();
        config.words.splice(0..0, words.iter().cloned());
        config.words.extend(context.known_words());
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
                "the module at {}, whose session was already open",
                self.target
            ),
        }
    }

    pub(super) async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let reply = self.start().await?.send(request.clone()).await;
        // These end the session on the module, with or without a reply.
        if matches!(request.verb(), "Q" | "Z" | "RELD") {
            self.console = None;
        }
        reply.map_err(|error| self.failure(&error))
    }

    /// Sends `AT+W` at intervals. A module that is lost meanwhile is looked for again with the next command.
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
                .no_reply(format!("no reply from a Wi-Fi module at {target}")),
            UdpConsoleError::Lost { .. } => Failure::new(Kind::NoAnswer, error.to_string()),
            UdpConsoleError::Refused { .. } => Failure::new(Kind::Refused, error.to_string()),
            UdpConsoleError::BadReply { .. } => Failure::new(Kind::BadAnswer, error.to_string()),
            UdpConsoleError::Io { source, .. } => {
                Failure::new(Kind::NoAnswer, error.to_string()).caused_by(source)
            }
        }
    }
}
