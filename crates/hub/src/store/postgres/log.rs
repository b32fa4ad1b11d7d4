//! The log of past events.

use std::sync::Arc;

use api::LogEntry;
use async_trait::async_trait;
use jiff::Timestamp;

use super::Postgres;
use crate::store::records::word;
use crate::store::rows::{LogRow, encoded, log_entry, log_row, readable_rows};
use crate::store::scale::{signed, unsigned};
use crate::store::{LogQuery, LogStore, StoreError};

const APPEND: &str = "INSERT INTO log (id, at_ms, kind, plug, relay, cause, problem, text) \
    SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
    (value ->> 6)::integer, value ->> 7 FROM json_array_elements($1::text::json) AS value ON CONFLICT DO NOTHING";

const SELECT: &str = "SELECT coalesce(json_agg(json_build_array(id, at_ms, kind, plug, relay, cause, problem, text) \
    ORDER BY id DESC), '[]')::text FROM \
    (SELECT * FROM log WHERE id < $1 AND at_ms >= $2 AND at_ms < $3 \
    AND ($4::text[] IS NULL OR kind = ANY($4)) AND ($5::text[] IS NULL OR plug = ANY($5)) \
    AND (NOT $6 OR problem = 1) ORDER BY id DESC LIMIT $7) AS found";

#[async_trait]
impl LogStore for Postgres {
    async fn append_log(&self, entries: &[Arc<LogEntry>]) -> Result<(), StoreError> {
        let rows: Vec<LogRow> = entries.iter().map(|entry| log_row(entry)).collect();
        // PostgreSQL has no character of the number 0.
        let rows = encoded(&rows).replace("\\u0000", "\\ufffd");
        self.write(|pool| async move {
            sqlx::query(APPEND).bind(rows).execute(&pool).await?;
            Ok(())
        })
        .await
    }

    async fn log(&self, query: &LogQuery) -> Result<Vec<LogEntry>, StoreError> {
        let kinds: Vec<String> = query.kinds.iter().filter_map(word).collect();
        let plugs: Vec<String> = query.plugs.iter().map(|plug| format!("{plug:x}")).collect();
        let select = sqlx::query_scalar(SELECT)
            .bind(query.before.map_or(i64::MAX, signed))
            .bind(query.from.map_or(i64::MIN, Timestamp::as_millisecond))
            .bind(query.to.map_or(i64::MAX, Timestamp::as_millisecond))
            .bind(Some(kinds).filter(|kinds| !kinds.is_empty()))
            .bind(Some(plugs).filter(|plugs| !plugs.is_empty()))
            .bind(query.problems)
            .bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
        self.read(|pool| async move {
            let json: String = select.fetch_one(&pool).await?;
            let rows: Vec<LogRow> = readable_rows(json.as_bytes())?;
            Ok(rows.into_iter().filter_map(log_entry).collect())
        })
        .await
    }

    async fn last_log_id(&self) -> Result<u64, StoreError> {
        self.read(|pool| async move {
            let query = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM log");
            Ok(unsigned(query.fetch_one(&pool).await?))
        })
        .await
    }

    async fn problems_after(&self, id: u64) -> Result<u64, StoreError> {
        self.read(|pool| async move {
            let sql = "SELECT count(*) FROM log WHERE problem = 1 AND id > $1";
            let query = sqlx::query_scalar(sql).bind(signed(id));
            Ok(unsigned(query.fetch_one(&pool).await?))
        })
        .await
    }
}
