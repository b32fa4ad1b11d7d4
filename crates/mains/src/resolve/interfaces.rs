//! Which local interfaces a command uses.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::net::{Interface, InterfaceError, bind_device, select, source_for};
use jiff::SignedDuration;
use plugs::net::Lan;
use tokio::net::{TcpSocket, TcpStream};

use super::Target;
use crate::context::Context;
use crate::error::Failure;
use crate::inventory::Inventory;

/// Time for a reply that tells interfaces with the same network apart.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);
/// A plug that was not seen for so long is looked for by broadcast only.
const LATELY: SignedDuration = SignedDuration::from_hours(30 * 24);

impl From<InterfaceError> for Failure {
    fn from(error: InterfaceError) -> Self {
        match &error {
            InterfaceError::Unknown { .. } => Self::usage(error.to_string())
                .hint("give one of these to `--interface` or MAINS_INTERFACE, by name or address"),
            InterfaceError::Down(_) => Self::local(error.to_string())
                .hint("switch it on, or name another with `--interface`"),
            InterfaceError::List(cause) => {
                Self::local("the network interfaces cannot be listed").caused_by(cause)
            }
        }
    }
}

/// The interfaces that a scan starts from: those asked for, else all that are up and not loopback.
pub fn for_scan(context: &Context) -> Result<Vec<Interface>, Failure> {
    Ok(select(&context.settings.interfaces)?)
}

/// The interfaces to search from, and those that lead to these additional addresses. With nothing but loopback addresses, which
/// emulated plugs have, the networks of the house are left in peace.
pub fn for_search(context: &Context, to: &[Ipv4Addr]) -> Result<Vec<Interface>, Failure> {
    let only_loopback = !to.is_empty() && to.iter().all(Ipv4Addr::is_loopback);
    let mut interfaces = if only_loopback && context.settings.interfaces.is_empty() {
        Vec::new()
    } else {
        for_scan(context)?
    };
    for address in to {
        add_towards(&mut interfaces, *address);
    }
    if interfaces.is_empty() {
        Err(none_up())
    } else {
        Ok(interfaces)
    }
}

/// The failure of a scan without any interface.
pub fn none_up() -> Failure {
    Failure::local("no network interface is up, but for loopback")
        .hint("connect to the network of the plugs, or name an interface with `--interface`")
}

/// The interfaces that these targets need: those towards given and last addresses, and those for a scan where one may
/// be needed. Without targets, those of a scan for all plugs.
pub(crate) fn for_targets(
    context: &Context,
    targets: &[Target],
    inventory: &Inventory,
) -> Result<Vec<Interface>, Failure> {
    if targets.is_empty() {
        return for_search(context, &[]);
    }
    let scan = targets.iter().any(|target| target.address().is_none())
        || !context.settings.interfaces.is_empty();
    let mut interfaces = if scan { for_scan(context)? } else { Vec::new() };
    for target in targets {
        let macs = target.remembered(inventory);
        let last = macs
            .iter()
            .filter_map(|mac| inventory.by_mac(*mac))
            .map(|entry| entry.address);
        for address in last.chain(target.address()) {
            add_towards(&mut interfaces, address);
        }
    }
    Ok(interfaces)
}

/// Adds the interface by which the system reaches an address, unless one that is there will do. Without a route
/// nothing is added: the address will be silent.
pub fn add_towards(interfaces: &mut Vec<Interface>, address: Ipv4Addr) {
    if interfaces
        .iter()
        .any(|interface| interface.contains(address))
    {
        return;
    }
    // Several can have the same network; then the plug shows behind which it is.
    let near = select(&[]).into_iter().flatten();
    interfaces.extend(near.filter(|interface| interface.contains(address)));
    if interfaces
        .iter()
        .any(|interface| interface.contains(address))
    {
        return;
    }
    let Ok(source) = source_for(address) else {
        return;
    };
    if interfaces
        .iter()
        .any(|interface| interface.address == source)
    {
        return;
    }
    interfaces.extend(select(&[source.to_string()]).unwrap_or_default());
}

/// Returns the interface, of the named or all, on whose network an address is; of several, that on which it replies.
pub(crate) async fn near(context: &Context, address: Ipv4Addr) -> Option<Interface> {
    let interfaces = select(&context.settings.interfaces).into_iter().flatten();
    let mut near: Vec<Interface> = interfaces.filter(|it| it.contains(address)).collect();
    if near.len() < 2 {
        return near.pop();
    }
    let lan = Lan::open(&near).await.ok()?;
    let reply = lan.presence(address, REPLY_TIMEOUT).await;
    let _ = reply.inspect_err(|error| tracing::debug!(%error, "no reply on any interface"));
    lan.interface_towards(address)
}

/// An address, and the device of the interface on whose network it is, by which connections leave.
#[derive(Debug, Clone)]
pub(crate) struct TcpRoute {
    pub(crate) address: Ipv4Addr,
    device: Option<String>,
}

impl TcpRoute {
    /// Finds the device, if the address is on a network of this computer.
    pub(crate) async fn towards(context: &Context, address: Ipv4Addr) -> Self {
        let near = near(context, address).await.filter(|it| !it.loopback);
        Self {
            address,
            device: near.map(|interface| interface.device().to_owned()),
        }
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(device) = &self.device
            && let Err(error) = bind_device(&socket, device)
        {
            tracing::debug!(device, %error, "the connection is not bound to its device");
        }
        socket.connect((self.address, port).into()).await
    }
}

/// The addresses where plugs were seen lately, and to which one of these interfaces leads. Plugs that have been away for
/// long would only make every scan wait for them.
pub fn reachable(interfaces: &[Interface], inventory: &Inventory) -> Vec<Ipv4Addr> {
    let long_ago = plugs::now() - LATELY;
    let leads = |address| {
        interfaces
            .iter()
            .any(|interface| interface.contains(address))
            || source_for(address).is_ok_and(|source| {
                interfaces
                    .iter()
                    .any(|interface| interface.address == source)
            })
    };
    let lately = inventory
        .entries()
        .iter()
        .filter(|entry| entry.seen > long_ago);
    lately
        .map(|entry| entry.address)
        .filter(|address| leads(*address))
        .collect()
}
