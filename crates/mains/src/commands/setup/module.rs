//! Short sessions with the module: its scan and its link.

use std::net::Ipv4Addr;

use hiflying::command::{Wmode, Wscan, Wslk, Wsssid};
use hiflying::net::{Interface, UdpConsole, UdpConsoleError, interfaces, select};
use hiflying::session::AtSessionConfig;
use hiflying::settings::{LinkStatus, Mode};
use hiflying::wscan::ScannedNetwork;
use hiflying::{ACCESS_POINT_ADDRESS, Ssid};
use plugs::net::Lan;

use super::timing::STATION_TIMEOUT;
use crate::context::Context;
use crate::error::{Failure, Kind};

/// Opens the sockets on the interface that leads to the module.
pub(super) async fn open_lan(context: &Context, module: Ipv4Addr) -> Result<Lan, Failure> {
    let selected = selected_interfaces(context)?;
    let towards = async |interfaces| {
        let lan = Lan::towards(module, interfaces).await?;
        lan.set_words(context.known_words());
        Ok(lan)
    };
    if selected.iter().any(|interface| interface.contains(module)) {
        return towards(&selected).await;
    }
    if module == ACCESS_POINT_ADDRESS && !is_on_our_network(module) {
        return Err(not_on_plug_network(module));
    }
    towards(&[]).await
}

/// Returns the failure of a computer that is not on the plug's network.
pub(super) fn not_on_plug_network(module: Ipv4Addr) -> Failure {
    Failure::local(format!(
        "this computer is not on the plug's own network, where the module has the address {module}"
    ))
    .hint(
        "join the plug's Wi-Fi network (Reco and nine digits, or WiWo-S20) first; for a plug that is already on a network, pass its \
         address with `--module`",
    )
}

/// Returns the interfaces from which the home network can be reached: the selected ones, or all; and the one that leads
/// to the module, which may be the only one for a plug that is already on a network.
pub(super) fn home_interfaces(
    context: &Context,
    module: Ipv4Addr,
) -> Result<Vec<Interface>, Failure> {
    let mut selected = selected_interfaces(context)?;
    if !selected.iter().any(|interface| interface.contains(module)) {
        selected.extend(
            own_interfaces()
                .into_iter()
                .find(|interface| leads_to(interface, module)),
        );
    }
    if selected.is_empty() {
        return Err(Failure::local("no network interface is up"));
    }
    Ok(selected)
}

fn selected_interfaces(context: &Context) -> Result<Vec<Interface>, Failure> {
    select(&context.settings.interfaces).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => failure.caused_by(source),
            None => failure,
        }
    })
}

/// Tells whether the address is on a network of this computer.
pub(super) fn is_on_our_network(address: Ipv4Addr) -> bool {
    own_interfaces()
        .iter()
        .any(|interface| leads_to(interface, address))
}

/// Tells whether this computer has the address.
pub(super) fn is_own(address: Ipv4Addr) -> bool {
    own_interfaces().iter().any(|interface| {
        interface.address == address || interface.loopback && interface.contains(address)
    })
}

/// Returns this computer's interfaces; none if the system does not list them.
fn own_interfaces() -> Vec<Interface> {
    interfaces().unwrap_or_else(|error| {
        tracing::debug!(%error, "cannot list the network interfaces");
        Vec::new()
    })
}

fn leads_to(interface: &Interface, address: Ipv4Addr) -> bool {
    interface.up && interface.contains(address)
}

/// Link of a module as a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StationStatus {
    /// A station only, linked to this network.
    On(Ssid),
    /// Still an access point, or not linked.
    NotYet,
}

/// Queries whether a module is a station on a network; `None` if it does not reply.
pub(super) async fn station_status(lan: &Lan, address: Ipv4Addr) -> Option<StationStatus> {
    let port = lan.port_towards(address)?;
    let config = AtSessionConfig {
        handshake_timeout: STATION_TIMEOUT,
        ..session_config(lan)
    };
    let mut console = UdpConsole::open(port, address, config).await.ok()?;
    let status = query_station(&mut console).await;
    console.close().await;
    match status {
        Ok(status) => Some(status),
        Err(error) => {
            tracing::debug!(%error, "the module did not report its link");
            None
        }
    }
}

async fn query_station(console: &mut UdpConsole) -> Result<StationStatus, UdpConsoleError> {
    if console.run(&Wmode).await? != Mode::Sta {
        return Ok(StationStatus::NotYet);
    }
    match console.run(&Wslk).await {
        Ok(LinkStatus::Connected {
            ssid,
            bssid: Some(_),
        }) => Ok(StationStatus::On(ssid)),
        Ok(LinkStatus::Disconnected | LinkStatus::RadioOff) => Ok(StationStatus::NotYet),
        // A station that replies at all is on its network; if it does not name it clearly, its setting does.
        Ok(LinkStatus::Connected { bssid: None, .. })
        | Err(UdpConsoleError::Refused { .. } | UdpConsoleError::BadReply { .. }) => {
            let ssid = console.run(&Wsssid).await?;
            Ok(ssid.map_or(StationStatus::NotYet, StationStatus::On))
        }
        Err(error) => Err(error),
    }
}

/// Returns the settings of a session, with the words that plugs were given from here.
pub(super) fn session_config(lan: &Lan) -> AtSessionConfig {
    let mut config = AtSessionConfig::default();
    config.words.extend_from_slice(&lan.words());
    config
}

/// Has the module scan for networks.
pub(super) async fn scan(lan: &Lan, address: Ipv4Addr) -> Result<Vec<ScannedNetwork>, Failure> {
    let no_reply = || {
        Failure::new(
            Kind::NoAnswer,
            format!("no reply from a module at {address}"),
        )
        .hint("check that this computer is on the plug's own network")
    };
    let port = lan.port_towards(address).ok_or_else(no_reply)?;
    let mut console = UdpConsole::open(port, address, session_config(lan))
        .await
        .map_err(|error| no_reply().caused_by(&error))?;
    let networks = console.run(&Wscan).await;
    console.close().await;
    // Some modules cannot scan while they are an access point; the name can still be typed.
    Ok(networks.unwrap_or_else(|error| {
        tracing::debug!(%error, "the module cannot scan");
        Vec::new()
    }))
}

/// Tells whether the module at this address is a station already.
pub(super) async fn is_station(lan: &Lan, address: Ipv4Addr) -> bool {
    let Some(port) = lan.port_towards(address) else {
        return false;
    };
    let config = session_config(lan);
    let Ok(mut console) = UdpConsole::open(port, address, config).await else {
        return false;
    };
    let mode = console.run(&Wmode).await;
    console.close().await;
    matches!(mode, Ok(Mode::Sta | Mode::ApSta))
}
