//! The application keys of the paired bridges, in one file that only its owner can read.
//!
//! * `hue.json` in the state directory, 0600, is replaced as a whole.
//! * Changes are made under a lock, so that programs that run at the same time lose nothing. Nothing is cached between two calls, so
//!   the hub sees changes by the command.
//! * A file that cannot be parsed is an error that names it. It is never overwritten, because a lost key can only be replaced by
//!   pressing the button on the bridge.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use statefile::StateFile;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::error::HueError;
use crate::fingerprint::Fingerprint;
use crate::identity::{ApiVersion, BridgeId, BridgeIdentity, HueModel};
use crate::key::AppKey;

/// Maximum number of bridges.
const MAX_BRIDGES: usize = 500;
/// Maximum size of the file.
const MAX_FILE: u64 = 1 << 20;
/// Maximum size of the entry of one bridge.
const MAX_ENTRY: usize = 4096;
/// Maximum time to wait for the lock; other programs hold it for some milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// Version of the file's format. A file of a newer program is not read.
const FORMAT_VERSION: u32 = 1;

/// A paired bridge. `Serialize` writes the key, so it is for the key file only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedBridge {
    /// Its id.
    pub id: BridgeId,
    /// The key.
    #[serde(with = "exposed_key")]
    pub key: AppKey,
    /// Its last address.
    pub address: Address,
    /// The name that the owner gave it.
    #[serde(default)]
    pub name: Option<String>,
    /// The model.
    pub model: HueModel,
    /// The last firmware version.
    #[serde(default)]
    pub software: Option<String>,
    /// The last API version.
    #[serde(default)]
    pub api: Option<ApiVersion>,
    /// The self-signed certificate that the owner accepted; `None` if the vendor signed it, and without HTTPS.
    #[serde(default)]
    pub pin: Option<Fingerprint>,
    /// True once the bridge has shown a certificate signed by the vendor. From then on no other is accepted.
    #[serde(default)]
    pub root_signed: bool,
    /// The time of the pairing.
    pub paired_at: Timestamp,
}

impl PairedBridge {
    /// Updates the entry with the bridge's current identity and address. Returns whether anything changed.
    pub fn update(&mut self, identity: &BridgeIdentity, address: &Address) -> bool {
        let before = self.clone();
        self.address = address.clone();
        self.model = identity.model.clone();
        self.name.clone_from(&identity.name);
        self.software.clone_from(&identity.software);
        self.api = identity.api;
        *self != before
    }
}

/// Reads and writes a key in the clear. Not an implementation of `Serialize`, so that no key is written by accident.
mod exposed_key {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use zeroize::Zeroizing;

    use crate::key::AppKey;

    pub(super) fn serialize<S: Serializer>(key: &AppKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(key.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<AppKey, D::Error> {
        let text = Zeroizing::<String>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct KeyRingFile<B> {
    version: u32,
    bridges: B,
}

/// Failure to read or write the keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be read.
    #[error("the keys in {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file cannot be parsed. It is left unchanged.
    #[error("the keys in {} are damaged; repair the file, or move it away and pair again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The location of the mistake; never an excerpt, which could be a key.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written. Its content is unchanged.
    #[error("the keys in {} cannot be saved", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl From<KeyRingError> for HueError {
    fn from(error: KeyRingError) -> Self {
        let what = error.to_string();
        let (KeyRingError::Read { source, .. }
        | KeyRingError::Broken { source, .. }
        | KeyRingError::Write { source, .. }) = error;
        Self::Local { what, source }
    }
}

/// The keys in a state directory. Clones share the file.
///
/// Every call reads the file, which takes some microseconds; a change waits up to two seconds for other programs.
#[derive(Debug, Clone)]
pub struct KeyRing(StateFile);

impl KeyRing {
    /// The ring of a state directory. Neither the directory nor the file has to exist.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self(StateFile::new(
            directory.as_ref().join("hue.json"),
            MAX_FILE,
        ))
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns all paired bridges, sorted by id.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] if the file cannot be read or parsed.
    pub fn bridges(&self) -> Result<Vec<PairedBridge>, KeyRingError> {
        let path = || self.path().to_owned();
        // The file may have been copied from elsewhere.
        let restricted = self.0.restrict_access();
        let text = restricted
            .and_then(|_| self.0.read())
            .map_err(|source| KeyRingError::Read {
                path: path(),
                source,
            })?;
        match text {
            Some(text) => parse(&text).map_err(|source| KeyRingError::Broken {
                path: path(),
                source,
            }),
            None => Ok(Vec::new()),
        }
    }

    /// Returns one paired bridge.
    pub fn bridge(&self, id: &BridgeId) -> Result<Option<PairedBridge>, KeyRingError> {
        let bridges = self.bridges()?;
        Ok(bridges.into_iter().find(|bridge| bridge.id == *id))
    }

    /// Saves a bridge, replacing its previous entry.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; nothing is changed then.
    pub fn save(&self, bridge: PairedBridge) -> Result<(), KeyRingError> {
        self.change(|bridges| {
            bridges.retain(|other| other.id != bridge.id);
            bridges.push(bridge);
            true
        })?;
        Ok(())
    }

    /// Changes the entry of a bridge, if there is one; `change` returns whether it did. Returns whether anything was written.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; nothing is changed then.
    pub fn update(
        &self,
        id: &BridgeId,
        change: impl FnOnce(&mut PairedBridge) -> bool,
    ) -> Result<bool, KeyRingError> {
        self.change(|bridges| {
            let bridge = bridges.iter_mut().find(|bridge| bridge.id == *id);
            bridge.is_some_and(change)
        })
    }

    /// Removes a bridge. Returns whether there was an entry.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; nothing is changed then.
    pub fn remove(&self, id: &BridgeId) -> Result<bool, KeyRingError> {
        self.change(|bridges| {
            let before = bridges.len();
            bridges.retain(|bridge| bridge.id != *id);
            bridges.len() < before
        })
    }

    /// Checks that another bridge could be saved, before anyone walks to it for a key.
    pub fn check(&self) -> Result<(), KeyRingError> {
        let locked = self.0.lock(LOCK_TIMEOUT);
        locked
            .and_then(|_lock| self.0.check_writable(MAX_ENTRY))
            .map_err(|source| self.write_error(source))
    }

    /// Reads, changes and writes under the lock. Writes nothing, and returns `false`, if `change` returns `false`.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<PairedBridge>) -> bool,
    ) -> Result<bool, KeyRingError> {
        let locked = self.0.lock(LOCK_TIMEOUT);
        let _lock = locked.map_err(|source| self.write_error(source))?;
        let mut bridges = self.bridges()?;
        if !change(&mut bridges) {
            return Ok(false);
        }
        if bridges.len() > MAX_BRIDGES {
            let message = format!("it already has {MAX_BRIDGES} bridges");
            return Err(self.write_error(io::Error::other(message)));
        }
        bridges.sort_by(|a, b| a.id.cmp(&b.id));
        let written = to_json(&bridges).and_then(|text| self.0.write(&text));
        written.map_err(|source| self.write_error(source))?;
        Ok(true)
    }

    fn write_error(&self, source: io::Error) -> KeyRingError {
        let path = self.path().to_owned();
        KeyRingError::Write { path, source }
    }
}

/// Parses the file. An error names the location and never quotes the file.
fn parse(text: &[u8]) -> io::Result<Vec<PairedBridge>> {
    let broken = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let file: KeyRingFile<Vec<PairedBridge>> = serde_json::from_slice(text).map_err(|error| {
        // The parser's message can quote a wrong value, which can be a key.
        let (line, column) = (error.line(), error.column());
        broken(format!("line {line}, column {column}"))
    })?;
    match file.version {
        FORMAT_VERSION => Ok(file.bridges),
        version => Err(broken(format!("unknown version {version}"))),
    }
}

fn to_json(bridges: &[PairedBridge]) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = KeyRingFile {
        version: FORMAT_VERSION,
        bridges,
    };
    // A vector that grows would leave copies of the keys behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_ENTRY * (bridges.len() + 1)));
    serde_json::to_writer_pretty(&mut *text, &file)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests;
