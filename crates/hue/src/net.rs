//! The sockets: HTTP and HTTPS to a bridge, the certificate that it shows, TCP port 30000, and finding bridges.
//!
//! The order is always the same, and the types keep to it: a [`Connection`] exists only after the bridge was identified and its
//! certificate was judged ([`certificate`]), and nothing but a [`Connection`] ever sends an application key.
//!
//! * [`open`] is what a command and the hub want: a bridge as a person names it, and the key for it. [`reach`] is the same before
//!   pairing, when there is no key yet.
//! * [`discover`] finds bridges; [`locate`] finds one by its id.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::address::BridgeName;
use crate::error::{HueError, Silence};
use crate::flow::Bridge;
use crate::identity::BridgeId;
use crate::key::AppKey;
use crate::keyring::KeyRing;
use crate::tcp30000;

pub use certificate::{Accept, Certificate, Roots, Trust};
pub use connection::Connection;
pub use discovery::{Found, Search, discover, locate};

pub mod certificate;
mod connect;
mod connection;
mod discovery;
mod gate;
mod http;
mod line;

/// The network around this computer, and how long things may take on it.
#[derive(Debug, Clone)]
pub struct Lan {
    /// The interfaces that are searched: name and own address. Connections take the way that the system chooses.
    pub interfaces: Vec<(String, Ipv4Addr)>,
    /// How long things may take.
    pub bounds: Bounds,
    /// The port of [`tcp30000`]; another for emulated bridges that cannot have it.
    pub touchlink_port: u16,
    /// The roots that sign the certificates of bridges.
    pub roots: Roots,
}

impl Default for Lan {
    /// No interface, the usual bounds and port, the vendor's roots.
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            bounds: Bounds::default(),
            touchlink_port: tcp30000::PORT,
            roots: Roots::default(),
        }
    }
}

/// How long one thing may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A TCP connection, with the name's look-up.
    pub connect: Duration,
    /// One answer, with the TLS handshake, to its last byte.
    pub answer: Duration,
    /// How long an overloaded bridge (429, 503) is asked again.
    pub busy: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            // A bridge that searches for lights takes a second or two.
            answer: Duration::from_secs(10),
            busy: Duration::from_secs(30),
        }
    }
}

/// A bridge that can be used.
#[derive(Debug)]
pub struct Opened {
    /// The bridge, identified, its certificate judged.
    pub connection: Connection,
    /// The key for it.
    pub key: AppKey,
}

impl Opened {
    /// Returns the bridge as the flows take it.
    pub fn bridge(&self) -> Bridge<'_, Connection> {
        self.connection.bridge(Some(self.key.clone()))
    }
}

/// Reaches a bridge as a person names it, without a key: identified, and its certificate judged.
///
/// A bridge that is named by its id is tried where it was last seen, then searched.
///
/// # Errors
///
/// [`HueError`]. [`HueError::Certificate`] with [`CertificateProblem::Unknown`](crate::CertificateProblem::Unknown) carries the
/// fingerprint that can be accepted by `trust`.
pub async fn reach(
    lan: &Lan,
    ring: &KeyRing,
    name: &BridgeName,
    trust: &Trust,
) -> Result<Connection, HueError> {
    let known = ring.entries()?;
    let id = match name {
        BridgeName::Address(address) => {
            return connect::connect(lan, address, None, &known, trust).await;
        }
        BridgeName::Id(id) => id,
    };
    let last = known.iter().find(|entry| entry.id == *id);
    let first = match last {
        Some(entry) => {
            let tried = connect::connect(lan, &entry.address, Some(id), &known, trust).await;
            match tried {
                Err(error) if may_have_moved(&error) => Some(error),
                done => return done,
            }
        }
        None => None,
    };
    match locate(lan, id).await {
        Ok(found) => connect::connect(lan, &found.address, Some(id), &known, trust).await,
        // It was there before: what is wrong there says more than that it is nowhere else.
        Err(HueError::NoSuchBridge(id)) => Err(first.unwrap_or(HueError::NoSuchBridge(id))),
        Err(error) => Err(error),
    }
}

/// Reaches a bridge as [`reach`] does, and adds its key: `own`, or the one in the ring. What the bridge now says of itself, and
/// where it is, is kept in the ring.
///
/// # Errors
///
/// As [`reach`], and [`HueError::NotPaired`] when there is no key.
pub async fn open(
    lan: &Lan,
    ring: &KeyRing,
    name: &BridgeName,
    own: Option<AppKey>,
    trust: &Trust,
) -> Result<Opened, HueError> {
    let connection = reach(lan, ring, name, trust).await?;
    let entry = connection.kept_in(ring)?;
    let known = entry.as_ref().map(|entry| entry.key.clone());
    let key = own.or(known);
    let key = key.ok_or_else(|| HueError::NotPaired(connection.label()))?;
    if let Some(entry) = entry {
        remember(ring, &entry.id, &connection);
    }
    Ok(Opened { connection, key })
}

/// Keeps what a bridge that was paired with now says of itself, and where it is. What cannot be kept is found again the next time.
pub fn remember(ring: &KeyRing, id: &BridgeId, connection: &Connection) {
    if let Err(error) = ring.update(id, |entry| connection.note_in(entry)) {
        tracing::warn!(bridge = %id, %error, "where the bridge is cannot be kept");
    }
}

/// Tells whether a bridge may now be elsewhere, so that it is worth searching.
fn may_have_moved(error: &HueError) -> bool {
    use crate::error::CertificateProblem::WrongName;
    match error {
        HueError::NoAnswer { how, .. } => *how != Silence::Closed,
        HueError::NotABridge { .. } | HueError::OtherBridge { .. } => true,
        HueError::Certificate { problem, .. } => matches!(problem, WrongName { .. }),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
