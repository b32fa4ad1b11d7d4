//! Plugs, documents and settings, which are on the disk when the call returns.

use std::str::FromStr;

use api::{Collection, Id};
use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, SqliteConnection};

use super::Sqlite;
use super::database::{QueryError, SETTING};
use super::transfer::{continue_history, delete_history};
use crate::store::scale::{moment, signed, unsigned};
use crate::store::{
    DocumentStore, EnergyState, PlugRecord, PlugStore, SettingStore, StoreError, StoredDocument,
};

const SAVE_PLUG: &str = "INSERT INTO plugs \
    (mac, family, serial, address, model, name, room, metering, power_on, relay, adopted_ms, seen_ms, revision, \
    relay_since_ms, often_unplugged) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
    ON CONFLICT (mac) DO UPDATE SET family = ?2, serial = ?3, address = ?4, model = ?5, name = ?6, room = ?7, \
    metering = ?8, power_on = ?9, relay = ?10, adopted_ms = ?11, seen_ms = ?12, revision = ?13, \
    relay_since_ms = ?14, often_unplugged = ?15";

const SAVE_DOCUMENT: &str = "INSERT INTO documents (collection, id, revision, body, state) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO UPDATE SET revision = ?3, body = ?4, state = ?5 WHERE revision <= ?3";

#[async_trait]
impl PlugStore for Sqlite {
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError> {
        self.read(|database| async move {
            let query = sqlx::query("SELECT * FROM plugs ORDER BY mac");
            let rows = query.fetch_all(database.readers()).await?;
            Ok(readable(rows, "plug", plug))
        })
        .await
    }

    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            insert_plug(transaction.connection(), plug).await?;
            transaction.commit().await
        })
        .await
    }

    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            remove_plug(transaction.connection(), plug).await?;
            if purge {
                delete_history(transaction.connection(), plug).await?;
            }
            transaction.commit().await
        })
        .await
    }

    async fn replace_plug(
        &self,
        old: Mac,
        record: &PlugRecord,
        documents: &[(Collection, StoredDocument)],
    ) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            let connection = transaction.connection();
            // The old one first, because the new one may take its name.
            remove_plug(connection, old).await?;
            insert_plug(connection, record).await?;
            continue_history(connection, old, record.mac).await?;
            for (collection, document) in documents {
                insert_document(connection, *collection, document).await?;
            }
            transaction.commit().await
        })
        .await
    }

    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError> {
        let sql = "SELECT mac, total_wh, counter_wh, at_ms FROM lifetimes JOIN series ON plug = id";
        self.read(|database| async move {
            let rows = sqlx::query(sql).fetch_all(database.readers()).await?;
            Ok(readable(rows, "lifetime total", energy))
        })
        .await
    }
}

#[async_trait]
impl DocumentStore for Sqlite {
    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError> {
        let sql =
            "SELECT id, revision, body, state FROM documents WHERE collection = ? ORDER BY id";
        self.read(|database| async move {
            let query = sqlx::query(sql).bind(collection.as_str());
            let rows = query.fetch_all(database.readers()).await?;
            Ok(readable(rows, collection.singular(), document))
        })
        .await
    }

    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            insert_document(transaction.connection(), collection, document).await?;
            transaction.commit().await
        })
        .await
    }

    async fn save_state(
        &self,
        collection: Collection,
        id: &Id,
        state: &Value,
    ) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE documents SET state = ? WHERE collection = ? AND id = ?")
            .bind(state.to_string())
            .bind(collection.as_str())
            .bind(id.as_str());
        self.execute(query).await
    }

    async fn delete_document(&self, collection: Collection, id: &Id) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM documents WHERE collection = ? AND id = ?")
            .bind(collection.as_str())
            .bind(id.as_str());
        self.execute(query).await
    }
}

#[async_trait]
impl SettingStore for Sqlite {
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let value = self.read(|database| async move {
            let query = sqlx::query_scalar(SETTING).bind(key);
            Ok(query.fetch_optional(database.readers()).await?)
        });
        let value: Option<Vec<u8>> = value.await?;
        Ok(value.and_then(|value| {
            let text = String::from_utf8(value);
            text.inspect_err(|_| self.note_unreadable_setting(key)).ok()
        }))
    }

    async fn save_settings(&self, values: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            for (key, value) in values {
                let query = match value {
                    Some(value) => {
                        sqlx::query("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)")
                            .bind(*key)
                            .bind(*value)
                    }
                    None => sqlx::query("DELETE FROM settings WHERE key = ?1").bind(*key),
                };
                query.execute(transaction.connection()).await?;
            }
            transaction.commit().await
        })
        .await
    }
}

impl Sqlite {
    /// Executes one statement, on the disk when this returns.
    async fn execute(
        &self,
        query: Query<'_, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<(), StoreError> {
        self.write(|database| async move {
            let mut transaction = database.edit().await?;
            query.execute(transaction.connection()).await?;
            transaction.commit().await
        })
        .await
    }
}

async fn remove_plug(connection: &mut SqliteConnection, plug: Mac) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM plugs WHERE mac = ?")
        .bind(format!("{plug:x}"))
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_plug(
    connection: &mut SqliteConnection,
    plug: &PlugRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(SAVE_PLUG)
        .bind(format!("{:x}", plug.mac))
        .bind(plug.family.as_str())
        .bind(plug.serial.as_deref())
        .bind(plug.address.to_string())
        .bind(plug.model.as_deref())
        .bind(plug.name.as_deref())
        .bind(plug.room.as_deref())
        .bind(plug.metering.map(|metering| metering.to_string()))
        .bind(plug.power_on.as_ref().and_then(word))
        .bind(plug.relay.map(RelayState::as_str))
        .bind(plug.adopted.as_millisecond())
        .bind(plug.seen.as_millisecond())
        .bind(signed(plug.revision))
        .bind(plug.relay_since.map(Timestamp::as_millisecond))
        .bind(plug.often_unplugged)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_document(
    connection: &mut SqliteConnection,
    collection: Collection,
    document: &StoredDocument,
) -> Result<(), QueryError> {
    let written = sqlx::query(SAVE_DOCUMENT)
        .bind(collection.as_str())
        .bind(document.id.as_str())
        .bind(signed(document.revision))
        .bind(document.body.to_string())
        .bind(document.state.to_string())
        .execute(connection)
        .await?;
    if written.rows_affected() == 0 {
        let message = format!("the {} {} has changed", collection.singular(), document.id);
        return Err(StoreError::Conflict(message).into());
    }
    Ok(())
}

fn plug(row: &SqliteRow) -> Option<PlugRecord> {
    Some(PlugRecord {
        mac: parsed(row, "mac")?,
        // Nothing could command a plug of a family that is not in the table.
        family: named(row.try_get("family").ok()?)
            .filter(|family| plugs::families::all().get(*family).is_some())?,
        // A plug whose name is damaged is still there.
        serial: row.try_get("serial").ok().flatten(),
        address: parsed(row, "address")?,
        model: row.try_get("model").ok().flatten(),
        name: row.try_get("name").ok().flatten(),
        room: row.try_get("room").ok().flatten(),
        metering: optional(row, "metering")?
            .map(|text| text.parse())
            .transpose()
            .ok()?,
        power_on: match optional(row, "power_on")? {
            Some(word) => Some(named(word)?),
            None => None,
        },
        often_unplugged: row.try_get("often_unplugged").ok()?,
        relay: optional(row, "relay")?.and_then(|word| word.parse().ok()),
        relay_since: row
            .try_get::<Option<i64>, _>("relay_since_ms")
            .ok()?
            .and_then(moment),
        adopted: time(row, "adopted_ms")?,
        seen: time(row, "seen_ms")?,
        revision: unsigned(row.try_get("revision").ok()?),
    })
}

fn document(row: &SqliteRow) -> Option<StoredDocument> {
    let json = |column| serde_json::from_str(row.try_get(column).ok()?).ok();
    Some(StoredDocument {
        id: parsed(row, "id")?,
        revision: unsigned(row.try_get("revision").ok()?),
        body: json("body")?,
        state: json("state")?,
    })
}

fn energy(row: &SqliteRow) -> Option<(Mac, EnergyState)> {
    let state = EnergyState {
        total_wh: unsigned(row.try_get("total_wh").ok()?),
        counter_wh: row
            .try_get::<Option<i64>, _>("counter_wh")
            .ok()?
            .map(unsigned),
        at: time(row, "at_ms")?,
    };
    Some((parsed(row, "mac")?, state))
}

/// Reads rows. A row that cannot be understood is logged and left in the table.
fn readable<T>(rows: Vec<SqliteRow>, kind: &str, read: impl Fn(&SqliteRow) -> Option<T>) -> Vec<T> {
    let mut read_rows = Vec::with_capacity(rows.len());
    for row in &rows {
        match read(row) {
            Some(value) => read_rows.push(value),
            None => {
                let name: Option<String> = row.try_get("id").or_else(|_| row.try_get("mac")).ok();
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

fn optional(row: &SqliteRow, column: &str) -> Option<Option<String>> {
    row.try_get(column).ok()
}

fn parsed<T: FromStr>(row: &SqliteRow, column: &str) -> Option<T> {
    row.try_get::<&str, _>(column).ok()?.parse().ok()
}

fn time(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    moment(row.try_get(column).ok()?)
}

/// Returns the word that JSON has for it, too.
fn word<T: Serialize>(value: &T) -> Option<String> {
    let json = serde_json::to_value(value).ok()?;
    json.as_str().map(str::to_owned)
}

fn named<T: DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(Value::String(word)).ok()
}
