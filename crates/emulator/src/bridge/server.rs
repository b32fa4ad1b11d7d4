//! The sockets of the bridges in a room, and the person in it.
//!
//! ```no_run
//! use emulator::bridge::{BridgeConfig, BridgeModel, server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut bridge = BridgeConfig::new(BridgeModel::Square, [127, 93, 0, 1].into());
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
mod http;
mod mangle;
mod ports;
mod record;
mod tls;
mod touchlink;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hiflying::Mac;
use tokio::task::JoinSet;

use super::bulb::{BulbSpec, BulbView};
use super::config::{BridgeConfig, RoomError};
use super::fault::BridgeFault;
use super::reply::{BridgeAnswer, BridgeRequest};
use super::room::Room;
use super::touchlink::TouchlinkScript;
use crate::record::Recorder;
use crate::server::ServerError;
#[cfg(test)]
pub(super) use announce::announced;
use ports::BridgePorts;
pub use tls::CertificateError;
#[cfg(test)]
pub(super) use tls::certificate;

/// A bridge that answers from now on, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BridgeReady {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC.
    pub mac: Mac,
    /// Where it speaks HTTP.
    pub http: Option<SocketAddrV4>,
    /// Where it speaks HTTPS.
    pub https: Option<SocketAddrV4>,
    /// Where it takes touchlink orders without a key.
    pub touchlink: Option<SocketAddrV4>,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// HTTP, usually 80.
    Http,
    /// HTTPS, usually 443.
    Https,
    /// Touchlink, usually 30000.
    Touchlink,
}

/// Why bridges cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BridgeServerError {
    /// A port cannot be had.
    #[error("{source}")]
    Port {
        /// What it is for.
        purpose: Purpose,
        /// What is wrong with it.
        source: ServerError,
    },
    /// Two bridges were given one address.
    #[error("two emulated bridges cannot both have the address {0}")]
    Twice(Ipv4Addr),
    /// HTTPS cannot be offered.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A room that several hands can reach into: the sockets of its bridges, and whoever is in it.
#[derive(Debug, Clone)]
pub struct RoomHandle(Arc<Mutex<Room>>);

impl RoomHandle {
    /// Furnishes a room now.
    ///
    /// # Errors
    ///
    /// [`RoomError::Owner`] when a bulb belongs to a bridge that there is not.
    pub fn new(bridges: Vec<BridgeConfig>, bulbs: &[BulbSpec]) -> Result<Self, RoomError> {
        let room = Room::new(Instant::now(), jiff::Timestamp::now(), bridges, bulbs)?;
        Ok(Self(Arc::new(Mutex::new(room))))
    }

    /// Nothing that holds the room can leave it half changed, so a panic elsewhere does not matter.
    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Presses the link button of every bridge.
    pub fn press_all(&self) {
        let mut room = self.room();
        let count = room.bridges().len();
        for bridge in 0..count {
            room.press(Instant::now(), bridge);
        }
    }

    /// Presses the link button of one bridge, counted from 0.
    pub fn press(&self, bridge: usize) {
        self.room().press(Instant::now(), bridge);
    }

    /// Switches every bulb off and on again.
    pub fn power_cycle(&self) {
        for bulb in 0..self.bulbs().len() {
            self.power(bulb, false);
            self.power(bulb, true);
        }
    }

    /// Gives a bulb, counted from 0, mains power, or takes it away.
    pub fn power(&self, bulb: usize, is_powered: bool) {
        self.room().power(Instant::now(), bulb, is_powered);
    }

    /// What each bulb is and does now.
    pub fn bulbs(&self) -> Vec<BulbView> {
        self.room().bulbs(Instant::now())
    }

    /// What each bridge is; ports that were 0 are the ones taken once it is open.
    pub fn bridges(&self) -> Vec<BridgeConfig> {
        self.room().bridges().cloned().collect()
    }

    /// Gives a bridge other faults from now on. Those of its doors and certificate count from its start only.
    pub fn replace_faults(&self, bridge: usize, faults: Vec<BridgeFault>) {
        self.room().replace_faults(Instant::now(), bridge, faults);
    }

    /// Lets a bridge forget every application.
    pub fn revoke_keys(&self, bridge: usize) {
        self.room().revoke_keys(Instant::now(), bridge);
    }

    fn request(&self, bridge: usize, request: &BridgeRequest<'_>) -> BridgeAnswer {
        self.room().request(Instant::now(), bridge, request)
    }

    fn touchlink(&self, bridge: usize) -> TouchlinkScript {
        self.room().touchlink(Instant::now(), bridge)
    }

    fn events(&self, bridge: usize, seen: Option<u64>) -> (u64, String) {
        self.room().events(Instant::now(), bridge, seen)
    }

    fn secrets(&self, bridge: usize) -> Vec<String> {
        self.room().secrets(bridge)
    }
}

/// The open sockets of all bridges of a room.
#[derive(Debug)]
pub struct Server {
    room: RoomHandle,
    doors: Vec<BridgePorts>,
    recorder: Option<Recorder>,
}

/// Opens the ports of every bridge of a room. Nobody is answered before [`Server::run`].
///
/// # Errors
///
/// [`BridgeServerError`] when a port cannot be had; then none is held.
pub fn open(room: RoomHandle, recorder: Option<Recorder>) -> Result<Server, BridgeServerError> {
    crate::server::bind::allow_many_descriptors();
    let configs = room.bridges();
    let addresses: Vec<Ipv4Addr> = configs.iter().map(|config| config.listen).collect();
    for (index, address) in addresses.iter().enumerate() {
        if addresses
            .iter()
            .take(index)
            .any(|earlier| earlier == address)
        {
            return Err(BridgeServerError::Twice(*address));
        }
    }
    let doors: Result<Vec<BridgePorts>, BridgeServerError> = (0..configs.len())
        .map(|bridge| BridgePorts::open(&mut room.room(), bridge))
        .collect();
    let doors = doors?;
    Ok(Server {
        room,
        doors,
        recorder,
    })
}

impl Server {
    /// Which bridges will answer, and where.
    #[must_use]
    pub fn ready(&self) -> Vec<BridgeReady> {
        self.doors.iter().map(BridgePorts::ready).collect()
    }

    /// Serves until `shutdown` comes.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        for (bridge, doors) in self.doors.into_iter().enumerate() {
            let host = BridgeHost {
                room: self.room.clone(),
                bridge,
                mac: doors.ready().mac,
                recorder: self.recorder.clone(),
            };
            doors.serve(&mut tasks, &host);
        }
        tokio::select! {
            () = shutdown => {}
            () = watch(&mut tasks) => {}
        }
        tasks.shutdown().await;
    }
}

/// Opens and serves the bridges of a room until `shutdown` comes.
///
/// Calls `on_ready` for each bridge in order as soon as the ports of all are open.
///
/// # Errors
///
/// As [`open`].
pub async fn run(
    room: RoomHandle,
    recorder: Option<Recorder>,
    on_ready: impl FnMut(BridgeReady),
    shutdown: impl Future<Output = ()>,
) -> Result<(), BridgeServerError> {
    let server = open(room, recorder)?;
    server.ready().into_iter().for_each(on_ready);
    server.run(shutdown).await;
    Ok(())
}

/// Never ends: no task of a bridge does by itself, and when a mistake of ours ends one, the others go on.
async fn watch(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a port of an emulated bridge is gone");
        }
    }
    std::future::pending::<()>().await;
}

/// One bridge of the room, as its connections see it.
#[derive(Debug, Clone)]
struct BridgeHost {
    room: RoomHandle,
    bridge: usize,
    mac: Mac,
    recorder: Option<Recorder>,
}
