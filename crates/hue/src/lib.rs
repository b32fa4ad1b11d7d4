//! The Philips Hue bridge, and bulbs that it does not find by itself.
//!
//! The core has no sockets and no clock; the protocol's facts and their evidence are in `docs/protocol/hue.md`.
//!
//! * [`identity`]: which bridge answers at an address, and what it can do; [`address`]: how a person says which.
//! * [`call`] and [`reply`]: what is asked, what a bridge answers, and what its errors mean.
//! * [`tcp30000`]: the old way to take a bulb over, a line protocol without a key.
//! * [`transport`] and [`guide`]: what a flow needs of the world and of the person.
//! * [`flow`]: what is done with a bridge, each thing one function: pair, list, search, identify, take over, move, call.
//! * [`lights`], [`serial`], [`json`], [`journal`]: what the flows work with.
//! * [`error`]: why something came to nothing. [`key`]: the secret; [`keyring`]: the file of them.
//! * `net` (a feature): the sockets, the certificates, and finding bridges.

pub mod address;
pub mod call;
pub mod error;
pub mod fingerprint;
pub mod flow;
pub mod guide;
pub mod identity;
pub mod journal;
pub mod json;
pub mod key;
pub mod keyring;
pub mod lights;
#[cfg(feature = "net")]
pub mod net;
pub mod reply;
pub mod serial;
pub mod tcp30000;
pub mod transport;

pub use address::{Address, BridgeName, Scheme};
pub use call::{Call, Method, Target};
pub use error::{CertificateProblem, CloudError, HueError, Silence};
pub use fingerprint::Fingerprint;
pub use flow::{
    Bridge, Clip, MoveOptions, Moved, PairOptions, Paired, Searched, Source, Takeover,
    TakeoverOptions, Way,
};
pub use guide::{Guide, MoveStep, NewLight, Progress, Question};
pub use identity::{ApiVersion, BridgeId, Identity, Model, Via};
pub use journal::{Journal, JournalDir, MoveRecord};
pub use key::AppKey;
pub use keyring::{Entry, KeyRing, KeyRingError};
pub use lights::Light;
pub use reply::{ApiError, BadReply, Meaning};
pub use serial::Serial;
pub use transport::{Answer, Transport};
