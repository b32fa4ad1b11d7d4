//! The log of past events.

use std::sync::Arc;

use api::{LogEntry, LogKind};
use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;

use super::Sqlite;
use super::database::{QueryError, SqliteDatabase, encoded, readable_rows};
use crate::store::scale::{moment, signed, unsigned};
use crate::store::{LogQuery, LogStore, StoreError};

/// Age at which entries are removed, in days.
const MAX_AGE_DAYS: i64 = 366;
/// Maximum number of entries. Their texts are short, so that the log stays below a hundred megabytes.
const MAX_ENTRIES: i64 = 200_000;

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

/// One row, in the order of the columns.
type LogRow = (
    i64,
    i64,
    LogKind,
    Option<String>,
    Option<RelayState>,
    Option<String>,
    u8,
    String,
);

#[async_trait]
impl LogStore for Sqlite {
    async fn append_log(&self, entries: &[Arc<LogEntry>]) -> Result<(), StoreError> {
        let rows: Vec<LogRow> = entries.iter().map(|entry| row(entry)).collect();
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
            Ok(rows.into_iter().filter_map(entry).collect())
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
        let oldest = now.as_millisecond() - MAX_AGE_DAYS * 24 * 3600 * 1000;
        let mut transaction = self.record().await?;
        sqlx::query(REMOVE)
            .bind(oldest)
            .bind(MAX_ENTRIES)
            .execute(transaction.connection())
            .await?;
        transaction.commit().await
    }
}

fn row(entry: &LogEntry) -> LogRow {
    (
        signed(entry.id),
        entry.at.as_millisecond(),
        entry.kind,
        entry.plug.map(|plug| format!("{plug:x}")),
        entry.relay,
        entry.cause.clone(),
        entry.problem.into(),
        entry.text.clone(),
    )
}

fn entry((id, at, kind, plug, relay, cause, problem, text): LogRow) -> Option<LogEntry> {
    Some(LogEntry {
        id: unsigned(id),
        at: moment(at)?,
        kind,
        plug: plug.and_then(|plug| plug.parse::<Mac>().ok()),
        relay,
        cause,
        problem: problem != 0,
        text,
    })
}
