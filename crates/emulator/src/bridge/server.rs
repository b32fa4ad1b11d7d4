//! The sockets of the bridges in a room.
//!
//! ```no_run
//! use emulator::bridge::{BridgeConfig, TwinModel, server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut bridge = BridgeConfig::new(TwinModel::Square, [127, 93, 0, 1].into());
//! (bridge.http_port, bridge.https_port) = (0, 0);
//! let room = server::RoomHandle::new(vec![bridge], &["near:foreign".parse()?])?;
//! let server = server::open(room.clone(), None)?;
//! println!("{:?}", server.ready()); // the ports that were free
//! let serving = tokio::spawn(server.run(std::future::pending()));
//! room.press_all();
//! # serving.abort(); Ok(())
//! # }
//! ```

mod announce;
mod handle;
mod host;
mod http;
mod mangle;
mod ports;
mod tls;
mod touchlink;

use std::future::Future;

use tokio::task::JoinSet;

use crate::record::RecordWriter;
use crate::server::{bind, watch};
#[cfg(test)]
pub(super) use announce::announced;
pub use handle::RoomHandle;
use host::BridgeHost;
use ports::BridgePorts;
pub use ports::{BridgeReady, BridgeServerError, Purpose};
pub use tls::CertificateError;
#[cfg(test)]
pub(super) use tls::certificate;

/// The open sockets of all bridges of a room.
#[derive(Debug)]
pub struct BridgeServer {
    room: RoomHandle,
    ports: Vec<BridgePorts>,
    recorder: Option<RecordWriter>,
}

/// Opens the ports of every bridge of a room. No client is answered before [`BridgeServer::run`].
///
/// # Errors
///
/// [`BridgeServerError`] when a port cannot be opened; then none is held.
pub fn open(
    room: RoomHandle,
    recorder: Option<RecordWriter>,
) -> Result<BridgeServer, BridgeServerError> {
    bind::allow_many_descriptors();
    let configs = room.bridges();
    bind::refuse_duplicates(configs.iter().map(|config| config.listen))?;
    let ports = configs
        .into_iter()
        .map(BridgePorts::open)
        .collect::<Result<Vec<_>, _>>()?;
    for (bridge, ports) in ports.iter().enumerate() {
        room.0.lock().set_ports(bridge, ports.ready().ports());
    }
    Ok(BridgeServer {
        room,
        ports,
        recorder,
    })
}

impl BridgeServer {
    /// Returns the addresses at which the bridges will answer.
    #[must_use]
    pub fn ready(&self) -> Vec<BridgeReady> {
        self.ports.iter().map(BridgePorts::ready).collect()
    }

    /// Serves until `shutdown` completes.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        for (bridge, ports) in self.ports.into_iter().enumerate() {
            let host = BridgeHost {
                room: self.room.clone(),
                bridge,
                mac: ports.ready().mac,
                recorder: self.recorder.clone(),
            };
            ports.serve(&mut tasks, &host);
        }
        tokio::select! {
            () = shutdown => {}
            () = watch(&mut tasks) => {}
        }
        tasks.shutdown().await;
    }
}
