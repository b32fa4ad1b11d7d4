//! Copies what is whole in a damaged file into the new one: everything that people made and the lifetime totals first, then
//! history, the coarse tiers before the fine ones. What cannot be reached from above is read page by page.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use api::LostRows;
use futures_util::StreamExt as _;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::database::{QueryError, SqliteDatabase};
use super::repair::RepairedCopy;
use super::schema;

/// Enough for years of history; the rest stays in the damaged file.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);
/// Length of the smallest part of a plug's history that is tried on its own, in seconds.
const MIN_SPAN: i64 = 900;
/// Bound on the parts of a plug's history in one tree that cannot be read: a page has up to 200 of them.
const MAX_FAILED_SPANS: u32 = 512;
/// The times that history can have, in seconds since 1970.
const ALL_TIMES: (i64, i64) = (0, 1 << 33);

/// Tables, their keys, and statements with the columns of the first release, because the damaged file can be older than the new one.
const TABLES: [(&str, &[&str], &str); 6] = [
    (
        "plugs",
        &["mac"],
        "INSERT INTO plugs (mac, family, serial, address, model, name, room, metering, power_on, relay, adopted_ms, \
         seen_ms, revision) SELECT mac, family, serial, address, model, name, room, metering, power_on, relay, \
         adopted_ms, seen_ms, revision FROM damaged.plugs",
    ),
    (
        "documents",
        &["collection", "id"],
        "INSERT INTO documents (collection, id, revision, body, state) SELECT collection, id, revision, body, state \
         FROM damaged.documents",
    ),
    (
        "settings",
        &["key"],
        "INSERT INTO settings (key, value) SELECT key, value FROM damaged.settings",
    ),
    (
        "series",
        &["id"],
        "INSERT INTO series (id, mac) SELECT id, mac FROM damaged.series",
    ),
    (
        "lifetimes",
        &["plug"],
        "INSERT INTO lifetimes (plug, total_wh, counter_wh, at_ms) SELECT plug, total_wh, counter_wh, at_ms \
         FROM damaged.lifetimes",
    ),
    (
        "log",
        &["id"],
        "INSERT INTO log (id, at_ms, kind, plug, relay, cause, problem, text) \
         SELECT id, at_ms, kind, plug, relay, cause, problem, text FROM damaged.log",
    ),
];

/// Tables of history, and statements that copy one plug's rows of a span of seconds.
const HISTORY: [(&str, &str); 3] = [
    (
        "quarters",
        "INSERT OR IGNORE INTO quarters (plug, t, readings, power, low, high, energy) \
         SELECT plug, t, readings, power, low, high, energy FROM damaged.quarters WHERE plug = ?1 AND t >= ?2 AND t < ?3",
    ),
    (
        "minutes",
        "INSERT OR IGNORE INTO minutes (plug, t, readings, power, low, high, energy) \
         SELECT plug, t, readings, power, low, high, energy FROM damaged.minutes WHERE plug = ?1 AND t >= ?2 AND t < ?3",
    ),
    (
        "readings",
        "INSERT OR IGNORE INTO readings (plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms) \
         SELECT plug, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms FROM damaged.readings \
         WHERE plug = ?1 AND at_ms >= ?2 * 1000 AND at_ms < ?3 * 1000",
    ),
];
/// Statements that copy one plug's columns of later releases, which a file of an earlier one does not have.
const LATER_COLUMNS: [&str; 2] = [
    "UPDATE plugs SET relay_since_ms = found.relay_since_ms FROM damaged.plugs AS found WHERE plugs.mac = ?1 AND found.mac = ?1",
    "UPDATE plugs SET often_unplugged = found.often_unplugged FROM damaged.plugs AS found WHERE plugs.mac = ?1 AND found.mac = ?1",
];

/// Copies what can be read. Returns what cannot; it stays in the file that was set aside.
pub(super) async fn rescue(damaged: &Path, database: &SqliteDatabase) -> Vec<LostRows> {
    copy(damaged, database).await.unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "nothing of the damaged database can be read"
        );
        vec![LostRows::all()]
    })
}

async fn copy(damaged: &Path, database: &SqliteDatabase) -> Result<Vec<LostRows>, QueryError> {
    let edits = database.edits()?;
    let mut connection = edits.acquire().await?;
    let mut source = DamagedFile {
        damaged,
        database: database.path(),
        repaired: None,
    };
    if !schema::is_sound(damaged).await.unwrap_or(false) {
        tracing::warn!("the header or the schema is damaged; a copy with new ones is read");
        source.repair().await?;
    }
    source.attach(&mut connection).await?;
    // Each row is a transaction of its own; the disk is waited for once, at the end.
    set(&mut connection, "PRAGMA main.synchronous = OFF").await?;
    let copied = copy_all(&mut connection, &mut source).await;
    set(&mut connection, "PRAGMA main.synchronous = FULL").await?;
    set(&mut connection, "PRAGMA main.wal_checkpoint(FULL)").await?;
    set(&mut connection, "DETACH damaged").await?;
    copied
}

async fn set(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// The file to copy from.
struct DamagedFile<'a> {
    damaged: &'a Path,
    /// The new database.
    database: &'a Path,
    /// A copy to read instead.
    repaired: Option<RepairedCopy>,
}

impl DamagedFile<'_> {
    async fn repair(&mut self) -> Result<&mut RepairedCopy, QueryError> {
        let copy = match self.repaired.take() {
            Some(copy) => copy,
            None => RepairedCopy::make(self.damaged, self.database).await?,
        };
        Ok(self.repaired.insert(copy))
    }

    async fn attach(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let file = self
            .repaired
            .as_ref()
            .map_or(self.damaged, RepairedCopy::path);
        let attach = sqlx::query("ATTACH ? AS damaged").bind(read_only_uri(file));
        attach.execute(connection).await?;
        Ok(())
    }
}

async fn copy_all(
    connection: &mut SqliteConnection,
    source: &mut DamagedFile<'_>,
) -> Result<Vec<LostRows>, QueryError> {
    let deadline = Instant::now() + COPY_TIMEOUT;
    let mut all_lost = copy_tables(connection).await;
    copy_pages(connection, source, &all_lost, deadline).await?;
    // It needs the table of its plugs.
    let lost = copy_history(connection, deadline).await?;
    copy_pages(connection, source, &lost, deadline).await?;
    all_lost.extend(lost);
    Ok(all_lost)
}

/// Copies the single pages of the tables that were not read to their end.
async fn copy_pages(
    connection: &mut SqliteConnection,
    source: &mut DamagedFile<'_>,
    lost: &[LostRows],
    deadline: Instant,
) -> Result<(), QueryError> {
    let cut_short = lost.iter().filter(|lost| lost.rows.is_none());
    let cut_short: Vec<&str> = cut_short.map(|lost| lost.table.as_str()).collect();
    if cut_short.is_empty() {
        return Ok(());
    }
    if source.repaired.is_none() {
        if let Err(error) = source.repair().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "no copy of the damaged database can be made to read its single pages"
            );
            return Ok(());
        }
        set(connection, "DETACH damaged").await?;
        source.attach(connection).await?;
    }
    let copy = source.repair().await?;
    for table in cut_short {
        let mut rows = 0;
        for page in copy.pages_of(table) {
            if Instant::now() >= deadline {
                break;
            }
            copy.read_from(table, page).await?;
            rows += copy_page(connection, table, deadline).await?;
        }
        tracing::info!(
            table,
            rows,
            "copied from single pages of the damaged database"
        );
    }
    Ok(())
}

/// Copies the rows that were not copied before from the page at which a table begins now. Returns their number.
async fn copy_page(
    connection: &mut SqliteConnection,
    table: &str,
    deadline: Instant,
) -> Result<u64, sqlx::Error> {
    if let Some((table, keys, sql)) = TABLES.iter().find(|(name, ..)| *name == table) {
        let sql = sql.replacen("INSERT", "INSERT OR IGNORE", 1);
        let (rows, _) = copy_rows(connection, table, keys, &sql).await;
        if *table == "plugs" {
            copy_later_columns(connection).await?;
        }
        return Ok(rows);
    }
    let mut rows = 0;
    if let Some((_, sql)) = HISTORY.iter().find(|(name, _)| *name == table) {
        for plug in plugs_with_history(connection).await? {
            rows += copy_spans(connection, sql, plug, deadline).await.0;
        }
    }
    Ok(rows)
}

async fn copy_tables(connection: &mut SqliteConnection) -> Vec<LostRows> {
    let mut all_lost = Vec::new();
    for (table, keys, sql) in TABLES {
        // A file from an earlier version does not have all of them.
        let listed =
            sqlx::query_scalar("SELECT count(*) FROM damaged.sqlite_schema WHERE name = ?");
        let listed = listed.bind(table).fetch_one(&mut *connection);
        if matches!(listed.await, Ok(0_i64)) {
            continue;
        }
        let (rows, lost) = match sqlx::query(sql).execute(&mut *connection).await {
            Ok(done) => (done.rows_affected(), Some(0)),
            // One row or page that is damaged fails the statement as a whole.
            Err(_) => copy_rows(connection, table, keys, sql).await,
        };
        tracing::info!(table, rows, "copied from the damaged database");
        if lost != Some(0) {
            all_lost.push(LostRows {
                table: table.to_owned(),
                rows: lost,
            });
        }
    }
    if let Err(error) = copy_later_columns(connection).await {
        tracing::warn!(%error, "details of the plugs cannot be copied");
    }
    all_lost
}

async fn copy_later_columns(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let plugs = sqlx::query_scalar("SELECT mac FROM plugs");
    let plugs: Vec<String> = plugs.fetch_all(&mut *connection).await?;
    for sql in LATER_COLUMNS {
        for plug in &plugs {
            let copied = sqlx::query(sql).bind(plug).execute(&mut *connection);
            if let Err(error) = copied.await {
                tracing::debug!(plug, %error, "a detail cannot be copied");
            }
        }
    }
    Ok(())
}

/// Copies a table row by row. Returns the number of rows that were copied, and of those that were not; `None` if that is unknown.
async fn copy_rows(
    connection: &mut SqliteConnection,
    table: &str,
    keys: &[&str],
    sql: &str,
) -> (u64, Option<u64>) {
    let (mut found, mut is_whole) = (BTreeSet::new(), false);
    // Each order ends at the first page that cannot be read.
    for order in ["ASC", "DESC"] {
        let ordered: Vec<String> = keys.iter().map(|key| format!("{key} {order}")).collect();
        let (keys, ordered) = (keys.join(", "), ordered.join(", "));
        let select = format!("SELECT json_array({keys}) FROM damaged.{table} ORDER BY {ordered}");
        let select = sqlx::query_scalar::<_, String>(AssertSqlSafe(select));
        let mut rows = select.fetch(&mut *connection);
        is_whole |= loop {
            match rows.next().await {
                Some(Ok(key)) => drop(found.insert(key)),
                Some(Err(_)) => break false,
                None => break true,
            }
        };
    }
    let conditions = keys.iter().enumerate();
    let conditions = conditions.map(|(at, key)| format!("{key} = json_extract(?1, '$[{at}]')"));
    let conditions: Vec<String> = conditions.collect();
    let insert = format!("{sql} WHERE {}", conditions.join(" AND "));
    let (mut copied, mut lost) = (0, 0);
    for key in &found {
        let insert = sqlx::query(AssertSqlSafe(insert.clone())).bind(key);
        match insert.execute(&mut *connection).await {
            Ok(done) => copied += done.rows_affected(),
            Err(_) => lost += 1,
        }
    }
    (copied, is_whole.then_some(lost))
}

/// Copies history, as far as there is time.
async fn copy_history(
    connection: &mut SqliteConnection,
    deadline: Instant,
) -> Result<Vec<LostRows>, sqlx::Error> {
    let series = plugs_with_history(connection).await?;
    let mut all_lost = Vec::new();
    for (table, sql) in HISTORY {
        let (mut rows, mut is_whole) = (0, true);
        for plug in &series {
            let (copied, is_plug_whole) = copy_spans(connection, sql, *plug, deadline).await;
            rows += copied;
            is_whole &= is_plug_whole;
        }
        tracing::info!(table, rows, "copied from the damaged database");
        if !is_whole {
            all_lost.push(LostRows {
                table: table.to_owned(),
                rows: None,
            });
        }
    }
    Ok(all_lost)
}

async fn plugs_with_history(connection: &mut SqliteConnection) -> Result<Vec<i64>, sqlx::Error> {
    let series = sqlx::query_scalar("SELECT id FROM series");
    series.fetch_all(connection).await
}

/// Copies the rows of one plug: as a whole or, around what cannot be read, in parts. Returns the number of rows, and whether they are
/// all.
async fn copy_spans(
    connection: &mut SqliteConnection,
    sql: &'static str,
    plug: i64,
    deadline: Instant,
) -> (u64, bool) {
    let (mut rows, mut failed, mut is_whole) = (0, 0, true);
    let mut spans = vec![ALL_TIMES];
    while let Some((from, to)) = spans.pop() {
        let copied = async {
            let query = sqlx::query(sql).bind(plug).bind(from).bind(to);
            query.execute(&mut *connection).await
        };
        match copied.await {
            Ok(done) => rows += done.rows_affected(),
            // Below a page that cannot be read, no part can.
            Err(_) if failed >= MAX_FAILED_SPANS || Instant::now() >= deadline => {
                return (rows, false);
            }
            Err(_) if to - from > MIN_SPAN => {
                failed += 1;
                let middle = from + (to - from) / 2;
                spans.extend([(from, middle), (middle, to)]);
            }
            Err(_) => {
                failed += 1;
                is_whole = false;
            }
        }
    }
    (rows, is_whole)
}

/// Returns the URI that attaches a file for reading only; by its name alone it would be written to.
fn read_only_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            _ => {
                write!(uri, "%{byte:02X}").expect("writing to a String cannot fail");
            }
        }
    }
    uri + "?mode=ro"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_stay_names() {
        let uri = read_only_uri(Path::new("/a b/ü?mode=rw#x%41.sqlite"));
        assert_eq!(
            uri,
            "file:/a%20b/%C3%BC%3Fmode%3Drw%23x%2541.sqlite?mode=ro"
        );
    }
}
