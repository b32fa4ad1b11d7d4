//! The Philips Hue bridge, and bulbs that it does not find by itself.
//!
//! The core has no sockets and no clock; the facts of the protocol and their evidence are in `docs/protocol/hue.md`.
//!
//! * [`identity`]: the public identity of a bridge, and what its model supports; [`address`]: how people name a bridge.
//! * [`request`] and [`reply`]: requests, replies, and the errors in them.
//! * [`tcp30000`]: the older method to take a bulb over, a line protocol without a key.
//! * [`transport`] and [`operator`]: the interfaces of a flow to the network and to people.
//! * [`flow`]: what is done with a bridge, one function each: pair, list, search, identify, take over, move, send a request.
//! * [`lights`], [`serial`], [`json`], [`journal`]: the data of the flows.
//! * [`error`]: the errors. [`key`]: the secret of a bridge; [`keyring`]: the file of these secrets.
//! * `net` (a feature): sockets, certificates, discovery.

/// Implements serde for a type that is read with `FromStr` and written with `Display`.
macro_rules! json_is_text {
    ($kind:ident) => {
        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub mod address;
pub mod error;
pub mod fingerprint;
pub mod flow;
pub mod identity;
pub mod journal;
pub mod json;
pub mod key;
pub mod keyring;
pub mod lights;
#[cfg(feature = "net")]
pub mod net;
pub mod operator;
pub mod reply;
pub mod request;
pub mod serial;
pub mod tcp30000;
pub mod transport;

pub use address::{Address, BridgeName, Scheme};
pub use error::{CertificateProblem, CloudError, HueError, HueNoReplyReason};
pub use fingerprint::Fingerprint;
pub use flow::{
    BridgeClient, ClipReply, MoveOptions, MoveResult, MoveSource, PairOptions, SearchResult,
    TakeoverMethod, TakeoverOptions, TakeoverResult,
};
pub use identity::{ApiVersion, BridgeId, BridgeIdentity, HueModel, TouchlinkMethod};
pub use journal::{Journal, JournalDir, MoveRecord};
pub use key::AppKey;
pub use keyring::{KeyRing, KeyRingError, PairedBridge};
pub use lights::{Light, NewLight};
pub use operator::{FlowProgress, FlowQuestion, MoveStep, Operator};
pub use reply::{BadReply, BridgeError, BridgeErrorKind};
pub use request::{HueRequest, Method, RequestTarget};
pub use serial::BulbSerial;
pub use transport::{BridgeReply, HueTransport};
