//! The log of past events.

use std::sync::Arc;

use api::LogEntry;
use async_trait::async_trait;
use jiff::Timestamp;

use super::Sqlite;
use super::database::{QueryError, SqliteDatabase, encoded, readable_rows};
use crate::store::rows::{LogRow, MAX_LOG_ENTRIES, log_entry, log_row, oldest_entry};
use crate::store::scale::{signed, unsigned};
use crate::store::{LogQuery, LogStore, StoreError};

const APPEND: &str = "INSERT INTO log (id, at_ms, kind, plug, relay, cause, problem, text) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7 \
    FROM json_each(?) WHERE true ON CONFLICT DO NOTHING";

const SELECT: &str = "SELECT CAST(json_group_array(json_array(id, at_ms, kind, plug, relay, cause, problem, text)) AS BLOB) FROM \
    (SELECT * FROM log WHERE id < ?1 AND at_ms >= ?2 AND at_ms < ?3 \
    AND (?4 IS NULL OR kind IN (SELECT value FROM json_each(?4))) \
    AND (?5 IS NULL OR plug IN (SELECT value FROM json_each(?5))) \
    AND (?6 = 0 OR problem = 1) ORDER BY id DESC LIMIT ?7)";

/// Removes what is older than a time, and what is beyond the number of entries.
const REMOVE: &str = "DELETE FROM log WHERE id < max( \
    coalesce((SELECT id FROM log WHERE at_ms >= ?1 ORDER BY id LIMIT 1), 0), \
    coalesce((SELECT max(id) FROM log), 0) - ?2 + 1)";

#[async_trait]
impl LogStore for Sqlite {
    async fn append_log(&self, entries: &[Arc<LogEntry>]) -> Result<(), StoreError> {
        let rows: Vec<LogRow> = entries.iter().map(|entry| log_row(entry)).collect();
        self.write(|database| async move {
            let mut transaction = database.record().await?;
            sqlx::query(APPEND)
                .bind(encoded(&rows))
                .execute(transaction.connection())
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn log(&self, query: &LogQuery) -> Result<Vec<LogEntry>, StoreError> {
        let kinds = (!query.kinds.is_empty()).then(|| encoded(&query.kinds));
        let plugs: Vec<String> = query.plugs.iter().map(|plug| format!("{plug:x}")).collect();
        let plugs = (!plugs.is_empty()).then(|| encoded(&plugs));
        let select = sqlx::query_scalar(SELECT)
            .bind(query.before.map_or(i64::MAX, signed))
            .bind(query.from.map_or(i64::MIN, Timestamp::as_millisecond))
            .bind(query.to.map_or(i64::MAX, Timestamp::as_millisecond))
            .bind(kinds)
            .bind(plugs)
            .bind(query.problems)
            .bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
        self.read(|database| async move {
            let json: Vec<u8> = select.fetch_one(database.readers()).await?;
            let rows: Vec<LogRow> = readable_rows(&json)?;
            Ok(rows.into_iter().filter_map(log_entry).collect())
        })
        .await
    }

    async fn last_log_id(&self) -> Result<u64, StoreError> {
        self.read(|database| async move {
            let query = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM log");
            Ok(unsigned(query.fetch_one(database.readers()).await?))
        })
        .await
    }

    async fn problems_after(&self, id: u64) -> Result<u64, StoreError> {
        self.read(|database| async move {
            let sql = "SELECT count(*) FROM log WHERE problem = 1 AND id > ?";
            let query = sqlx::query_scalar(sql).bind(signed(id));
            Ok(unsigned(query.fetch_one(database.readers()).await?))
        })
        .await
    }
}

impl SqliteDatabase {
    /// Removes entries that are too old or too many.
    pub(super) async fn tidy_log(&self, now: Timestamp) -> Result<(), QueryError> {
        let mut transaction = self.record().await?;
        sqlx::query(REMOVE)
            .bind(oldest_entry(now))
            .bind(MAX_LOG_ENTRIES)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }
}
