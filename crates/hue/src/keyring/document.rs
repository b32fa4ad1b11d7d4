//! The text of the file of keys.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Entry;
use crate::address::Address;
use crate::fingerprint::Fingerprint;
use crate::identity::{ApiVersion, BridgeId, Model};

/// A newer program writes another, and then this one must not guess.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    bridges: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: BridgeId,
    key: Zeroizing<String>,
    address: Address,
    #[serde(default)]
    name: Option<String>,
    model: String,
    #[serde(default)]
    software: Option<String>,
    #[serde(default)]
    api: Option<String>,
    #[serde(default)]
    pin: Option<Fingerprint>,
    #[serde(default)]
    root_signed: bool,
    paired_at: Timestamp,
}

/// Reads the file. An error says where it is wrong and never shows what is there.
pub(super) fn parse(text: &[u8]) -> io::Result<Vec<Entry>> {
    let broken = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let document: Document = serde_json::from_slice(text).map_err(|error| {
        // Its own words can hold the value that is wrong, and that can be a key.
        let (line, column) = (error.line(), error.column());
        broken(format!("line {line}, column {column}"))
    })?;
    if document.version != VERSION {
        let version = document.version;
        return Err(broken(format!(
            "it has version {version}, which is not known here"
        )));
    }
    let entries = document.bridges.into_iter().map(|record| {
        let id = record.id.clone();
        entry(record).ok_or_else(|| broken(format!("what it says of bridge {id}")))
    });
    entries.collect()
}

/// Writes the file.
pub(super) fn emit(entries: &[Entry]) -> io::Result<Zeroizing<Vec<u8>>> {
    let document = Document {
        version: VERSION,
        bridges: entries.iter().map(record).collect(),
    };
    // Large enough at once, because a vector that grows leaves its old bytes behind.
    let mut text = Zeroizing::new(Vec::with_capacity(1024 * (entries.len() + 1)));
    serde_json::to_writer_pretty(&mut *text, &document)?;
    text.push(b'\n');
    Ok(text)
}

fn entry(record: Record) -> Option<Entry> {
    Some(Entry {
        id: record.id,
        key: record.key.parse().ok()?,
        address: record.address,
        name: record.name,
        model: Model::from(record.model.as_str()),
        software: record.software,
        api: match record.api {
            Some(text) => Some(ApiVersion::parse(&text)?),
            None => None,
        },
        pin: record.pin,
        root_signed: record.root_signed,
        paired_at: record.paired_at,
    })
}

fn record(entry: &Entry) -> Record {
    Record {
        id: entry.id.clone(),
        key: Zeroizing::new(entry.key.expose().to_owned()),
        address: entry.address.clone(),
        name: entry.name.clone(),
        model: entry.model.as_str().to_owned(),
        software: entry.software.clone(),
        api: entry.api.map(|api| api.to_string()),
        pin: entry.pin,
        root_signed: entry.root_signed,
        paired_at: entry.paired_at,
    }
}
