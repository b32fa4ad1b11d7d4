//! Plugs, documents and settings as rows: the statements that both databases understand, and the meaning of the columns.

use std::str::FromStr;

use hiflying::Mac;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::rows;
use super::scale::{moment, unsigned};
use super::{EnergyState, PlugRecord, StoredDocument};

pub(super) const SAVE_PLUG: &str = "INSERT INTO plugs \
    (mac, family, serial, address, model, name, room, metering, power_on, relay, adopted_ms, seen_ms, revision, \
    relay_since_ms, often_unplugged) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
    ON CONFLICT (mac) DO UPDATE SET family = $2, serial = $3, address = $4, model = $5, name = $6, room = $7, \
    metering = $8, power_on = $9, relay = $10, adopted_ms = $11, seen_ms = $12, revision = $13, \
    relay_since_ms = $14, often_unplugged = $15";

pub(super) const SAVE_DOCUMENT: &str = "INSERT INTO documents (collection, id, revision, body, state) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (collection, id) DO UPDATE SET revision = $3, body = $4, state = $5 WHERE documents.revision <= $3";

pub(super) const SAVE_STATE: &str =
    "UPDATE documents SET state = $1 WHERE collection = $2 AND id = $3";

pub(super) const DELETE_DOCUMENT: &str = "DELETE FROM documents WHERE collection = $1 AND id = $2";

pub(super) const DOCUMENTS: &str =
    "SELECT id, revision, body, state FROM documents WHERE collection = $1 ORDER BY id";

pub(super) const PLUGS: &str = "SELECT * FROM plugs ORDER BY mac";

pub(super) const DELETE_PLUG: &str = "DELETE FROM plugs WHERE mac = $1";

pub(super) const LIFETIMES: &str =
    "SELECT mac, total_wh, counter_wh, at_ms FROM lifetimes JOIN series ON plug = id";

pub(super) const SAVE_SETTING: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) \
    ON CONFLICT (key) DO UPDATE SET value = $2";

pub(super) const SETTINGS: &str = "SELECT key, value FROM settings ORDER BY key";

pub(super) const DELETE_SETTING: &str = "DELETE FROM settings WHERE key = $1";

pub(super) const SERIES_OF: &str = "SELECT id FROM series WHERE mac = $1";

pub(super) const RENAME_SERIES: &str = "UPDATE series SET mac = $1 WHERE id = $2";

/// Keeps the total of series `$1`, with the counter of `$2` as its reference.
pub(super) const CONTINUE_LIFETIME: &str = "UPDATE lifetimes SET counter_wh = (SELECT counter_wh FROM lifetimes WHERE plug = $2), \
        at_ms = coalesce((SELECT at_ms FROM lifetimes WHERE plug = $2), at_ms) WHERE plug = $1";

pub(super) const TAKE_LIFETIME: &str = "UPDATE lifetimes SET plug = $1 WHERE plug = $2";

/// Deletes a series, its history and its total.
pub(super) const DELETE_SERIES: [&str; 5] = [
    "DELETE FROM readings WHERE plug = $1",
    "DELETE FROM minutes WHERE plug = $1",
    "DELETE FROM quarters WHERE plug = $1",
    "DELETE FROM lifetimes WHERE plug = $1",
    "DELETE FROM series WHERE id = $1",
];

/// Binds the fields of a plug to [`SAVE_PLUG`].
macro_rules! bind_plug {
    ($query:expr, $plug:expr) => {
        $query
            .bind(format!("{:x}", $plug.mac))
            .bind($plug.family.as_str())
            .bind($plug.serial.as_deref())
            .bind($plug.address.to_string())
            .bind($plug.model.as_deref())
            .bind($plug.name.as_deref())
            .bind($plug.room.as_deref())
            .bind($plug.metering.map(|metering| metering.to_string()))
            .bind($plug.power_on.as_ref().and_then(word))
            .bind($plug.relay.map(plugs::RelayState::as_str))
            .bind($plug.adopted.as_millisecond())
            .bind($plug.seen.as_millisecond())
            .bind(signed($plug.revision))
            .bind($plug.relay_since.map(jiff::Timestamp::as_millisecond))
            .bind($plug.often_unplugged)
    };
}
pub(super) use bind_plug;

/// A row of either database; `None` for a column that cannot be read.
pub(super) trait StoredRow {
    fn text(&self, column: &str) -> Option<Option<String>>;
    fn number(&self, column: &str) -> Option<Option<i64>>;
    fn flag(&self, column: &str) -> Option<bool>;
}

macro_rules! stored_row {
    ($row:ty) => {
        impl StoredRow for $row {
            fn text(&self, column: &str) -> Option<Option<String>> {
                self.try_get(column).ok()
            }

            fn number(&self, column: &str) -> Option<Option<i64>> {
                self.try_get(column).ok()
            }

            fn flag(&self, column: &str) -> Option<bool> {
                self.try_get(column).ok()
            }
        }
    };
}

stored_row!(SqliteRow);
stored_row!(PgRow);

/// Reads a plug.
pub(super) fn plug(row: &impl StoredRow) -> Option<PlugRecord> {
    Some(PlugRecord {
        mac: parsed(row, "mac")?,
        // Nothing could command a plug of a family that is not in the table.
        family: named(row.text("family")??)
            .filter(|family| plugs::families::all().get(*family).is_some())?,
        // A plug whose name is damaged is still there.
        serial: row.text("serial").flatten(),
        address: parsed(row, "address")?,
        model: row.text("model").flatten(),
        name: row.text("name").flatten(),
        room: row.text("room").flatten(),
        metering: row
            .text("metering")?
            .map(|text| text.parse())
            .transpose()
            .ok()?,
        power_on: match row.text("power_on")? {
            Some(word) => Some(named(word)?),
            None => None,
        },
        often_unplugged: row.flag("often_unplugged")?,
        relay: row.text("relay")?.and_then(|word| word.parse().ok()),
        relay_since: row.number("relay_since_ms")?.and_then(moment),
        adopted: time(row, "adopted_ms")?,
        seen: time(row, "seen_ms")?,
        revision: unsigned(row.number("revision")??),
    })
}

/// Reads a document.
pub(super) fn document(row: &impl StoredRow) -> Option<StoredDocument> {
    let json = |column| serde_json::from_str(&row.text(column)??).ok();
    Some(StoredDocument {
        id: parsed(row, "id")?,
        revision: unsigned(row.number("revision")??),
        body: json("body")?,
        state: json("state")?,
    })
}

/// Reads a lifetime total.
pub(super) fn energy(row: &impl StoredRow) -> Option<(Mac, EnergyState)> {
    let columns = ["total_wh", "counter_wh", "at_ms"].map(|column| row.number(column));
    let [total, counter, at] = columns;
    Some((parsed(row, "mac")?, rows::total((total?, counter?, at?))?))
}

/// Reads rows. A row that cannot be understood is logged and left in the table.
pub(super) fn readable<R: StoredRow, T>(
    rows: Vec<R>,
    kind: &str,
    read: impl Fn(&R) -> Option<T>,
) -> Vec<T> {
    let mut read_rows = Vec::with_capacity(rows.len());
    for row in &rows {
        match read(row) {
            Some(value) => read_rows.push(value),
            None => {
                let name = row.text("id").or_else(|| row.text("mac")).flatten();
                tracing::warn!(
                    kind,
                    name,
                    "a stored row cannot be understood and is ignored"
                );
            }
        }
    }
    read_rows
}

fn parsed<T: FromStr>(row: &impl StoredRow, column: &str) -> Option<T> {
    row.text(column)??.parse().ok()
}

fn time(row: &impl StoredRow, column: &str) -> Option<Timestamp> {
    moment(row.number(column)??)
}

/// Returns the word that JSON has for it, too.
pub(super) fn word<T: Serialize>(value: &T) -> Option<String> {
    let json = serde_json::to_value(value).ok()?;
    json.as_str().map(str::to_owned)
}

fn named<T: DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(Value::String(word)).ok()
}
