//! Talking to the module: what it sees, what it says of itself, and the join.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::command::{Wmode, Wscan, Wslk, Wsssid};
use hiflying::net::{Interface, UdpConsole, UdpConsoleError, interfaces, select};
use hiflying::session::AtSessionConfig;
use hiflying::settings::{LinkStatus, Mode};
use hiflying::wscan::ScannedNetwork;
use hiflying::{ACCESS_POINT_ADDRESS, Ssid};
use plugs::net::Lan;

use crate::context::Context;
use crate::error::{Failure, Kind};

/// For a look at a module that may be restarting.
const GLANCE: Duration = Duration::from_millis(1200);

/// Opens the sockets on the interface that leads to the module.
pub(super) async fn reach(context: &Context, module: Ipv4Addr) -> Result<Lan, Failure> {
    let wanted = chosen(context)?;
    if wanted.iter().any(|interface| interface.contains(module)) {
        return Ok(Lan::towards(module, &wanted).await?);
    }
    if module == ACCESS_POINT_ADDRESS && !is_near(module) {
        return Err(not_near(module));
    }
    Ok(Lan::towards(module, &[]).await?)
}

/// The failure of a computer that is not where the module is.
pub(super) fn not_near(module: Ipv4Addr) -> Failure {
    Failure::local(format!(
        "this computer is not on the plug's own network, where the module is {module}"
    ))
    .hint(
        "join the plug's Wi-Fi network (Reco and nine digits) first; a plug that is on a network already is named with \
         `--module`",
    )
}

/// The interfaces from which the home network can be reached: those that were asked for, or all; and the one that leads
/// to the module, which for a plug on a network already may be the only one.
pub(super) fn home_interfaces(
    context: &Context,
    module: Ipv4Addr,
) -> Result<Vec<Interface>, Failure> {
    let mut wanted = chosen(context)?;
    if !wanted.iter().any(|interface| interface.contains(module)) {
        let near = interfaces().unwrap_or_default();
        wanted.extend(
            near.into_iter()
                .find(|interface| leads_to(interface, module)),
        );
    }
    if wanted.is_empty() {
        return Err(Failure::local("no network interface is up"));
    }
    Ok(wanted)
}

fn chosen(context: &Context) -> Result<Vec<Interface>, Failure> {
    select(&context.settings.interfaces).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => failure.caused_by(source),
            None => failure,
        }
    })
}

/// Whether one of this computer's own networks holds the address.
pub(super) fn is_near(address: Ipv4Addr) -> bool {
    interfaces()
        .unwrap_or_default()
        .iter()
        .any(|interface| leads_to(interface, address))
}

/// Whether this computer still has the address.
pub(super) fn is_own(address: Ipv4Addr) -> bool {
    interfaces().unwrap_or_default().iter().any(|interface| {
        interface.address == address || interface.loopback && interface.contains(address)
    })
}

fn leads_to(interface: &Interface, address: Ipv4Addr) -> bool {
    interface.up && interface.contains(address)
}

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Station {
    /// A station only, linked to this network.
    On(Ssid),
    /// Still an access point, or not linked.
    NotYet,
}

/// Asks a module whether it is a station on a network; nothing when it does not answer.
pub(super) async fn station(lan: &Lan, address: Ipv4Addr) -> Option<Station> {
    let port = lan.port_towards(address)?;
    let config = AtSessionConfig {
        handshake_timeout: GLANCE,
        ..AtSessionConfig::default()
    };
    let mut console = UdpConsole::open(port, address, config).await.ok()?;
    let said = ask(&mut console).await;
    console.close().await;
    match said {
        Ok(station) => Some(station),
        Err(error) => {
            tracing::debug!(%error, "the module does not say how it is linked");
            None
        }
    }
}

async fn ask(console: &mut UdpConsole) -> Result<Station, UdpConsoleError> {
    if console.run(&Wmode).await? != Mode::Sta {
        return Ok(Station::NotYet);
    }
    match console.run(&Wslk).await {
        Ok(LinkStatus::Connected { ssid, .. }) => Ok(Station::On(ssid)),
        Ok(LinkStatus::Disconnected | LinkStatus::RadioOff) => Ok(Station::NotYet),
        // A station that answers at all is on its network; one that does not tell its link tells which network that is.
        Err(UdpConsoleError::Refused { .. } | UdpConsoleError::BadReply { .. }) => {
            let ssid = console.run(&Wsssid).await?;
            Ok(ssid.map_or(Station::NotYet, Station::On))
        }
        Err(error) => Err(error),
    }
}

/// Has the module look for networks.
pub(super) async fn networks(lan: &Lan, address: Ipv4Addr) -> Result<Vec<ScannedNetwork>, Failure> {
    let silent = || {
        Failure::new(Kind::NoAnswer, format!("no module answers at {address}"))
            .hint("is this computer on the plug's own network?")
    };
    let port = lan.port_towards(address).ok_or_else(silent)?;
    let mut console = UdpConsole::open(port, address, AtSessionConfig::default())
        .await
        .map_err(|error| silent().caused_by(&error))?;
    let networks = console.run(&Wscan).await;
    console.close().await;
    // Some modules cannot scan while they are an access point; the name can still be typed.
    Ok(networks.unwrap_or_else(|error| {
        tracing::debug!(%error, "the module does not tell what networks it sees");
        Vec::new()
    }))
}
