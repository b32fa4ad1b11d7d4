//! The sockets of many twins: one task for each twin, shared sockets for broadcasts, thousands in one process.
//!
//! A socket that is bound to a unicast address hears no broadcast. So each twin has a socket on its own address, and each
//! prefix one shared socket on its broadcast address, which hands every datagram to the twins of that prefix.

pub(crate) mod bind;
mod broadcast;
mod connection;
mod driver;

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;

use hiflying::Mac;
use tokio::task::JoinSet;

use crate::config::PlugConfig;
use crate::record::Recorder;
use driver::TwinDriver;

/// A twin that answers from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwinReady {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC.
    pub mac: Mac,
    /// Whether its web page is served too: port 80 needs a privilege and may be taken.
    pub http: bool,
}

/// Why twins cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody else has the port.
    #[error("{protocol} port {port} on {address} is taken by another program")]
    Taken {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// On which address.
        address: Ipv4Addr,
        /// Which port.
        port: u16,
    },
    /// This machine has no such address.
    #[error("{address} is not an address of this machine")]
    NotLocal {
        /// The address.
        address: Ipv4Addr,
    },
    /// Two twins were given one address.
    #[error("two emulated plugs cannot both have the address {address}")]
    Twice {
        /// The address.
        address: Ipv4Addr,
    },
    /// Another failure to open a port.
    #[error("cannot open {protocol} port {port} on {address}")]
    Open {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// On which address.
        address: Ipv4Addr,
        /// Which port.
        port: u16,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The system does not tell its network interfaces.
    #[error("cannot list the network interfaces")]
    Interfaces(#[source] io::Error),
}

/// Serves twins until `shutdown` comes.
///
/// Calls `on_ready` for each twin in order as soon as the sockets of all are open.
///
/// # Errors
///
/// [`ServerError`] when a port cannot be had; then nothing is served. A web page that cannot be served is only a warning.
pub async fn run(
    configs: Vec<PlugConfig>,
    record: Option<Recorder>,
    mut on_ready: impl FnMut(TwinReady),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    bind::allow_many_descriptors();
    bind::refuse_twice(&configs)?;
    let interfaces = hiflying::net::interfaces().map_err(ServerError::Interfaces)?;
    let mut devices = Vec::with_capacity(configs.len());
    for config in configs {
        devices.push(TwinDriver::open(config, record.clone())?);
    }
    warn_of_missing_pages(&devices);
    let mut tasks = JoinSet::new();
    for station in broadcast::open(&interfaces, &devices) {
        tasks.spawn(station.run());
    }
    for driver in devices {
        on_ready(driver.ready());
        tasks.spawn(driver.run());
    }
    tokio::select! {
        () = shutdown => {}
        () = watch(&mut tasks) => {}
    }
    tasks.shutdown().await;
    Ok(())
}

/// Never ends: no task of a twin does by itself, and when a mistake of ours ends one, the others go on.
async fn watch(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "an emulated plug is gone");
        }
    }
    std::future::pending::<()>().await;
}

/// One warning for all: thousands of twins lack the same privilege.
fn warn_of_missing_pages(devices: &[TwinDriver]) {
    let mut missing = devices.iter().filter_map(|driver| driver.no_web.as_ref());
    if let Some(error) = missing.next() {
        let others = missing.count();
        tracing::info!(
            "{}; the web page of {} plugs is not served",
            with_cause(error),
            others + 1
        );
    }
}

fn with_cause(error: &ServerError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
