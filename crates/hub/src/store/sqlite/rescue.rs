//! Copies what is whole in a damaged file into the new one: everything that people made, the lifetime totals, and the quarters
//! of an hour, which are kept for ever. Readings and minutes are not worth the wait.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::database::SqliteDatabase;

/// Enough for years of history; the rest stays in the damaged file.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);

/// Tables, their keys, and statements with the columns of the first release, because the damaged file can be older than the new one.
const TABLES: [(&str, &[&str], &str); 5] = [
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
];

const QUARTERS: &str = "INSERT INTO quarters (plug, t, readings, power, low, high, energy) \
    SELECT plug, t, readings, power, low, high, energy FROM damaged.quarters WHERE plug = ?";

/// Copies what can be read. The rest is logged, and stays in the file that was set aside.
pub(super) async fn rescue(damaged: &Path, database: &SqliteDatabase) {
    let Ok(edits) = database.edits() else { return };
    let rescued = async {
        let mut connection = edits.acquire().await?;
        sqlx::query("ATTACH ? AS damaged")
            .bind(read_only_uri(damaged))
            .execute(&mut *connection)
            .await?;
        copy(&mut connection).await;
        sqlx::query("DETACH damaged")
            .execute(&mut *connection)
            .await
    };
    if let Err(error) = rescued.await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "nothing of the damaged database can be read"
        );
    }
}

async fn copy(connection: &mut SqliteConnection) {
    for (table, keys, sql) in TABLES {
        let (rows, lost) = match sqlx::query(sql).execute(&mut *connection).await {
            Ok(done) => (done.rows_affected(), 0),
            // One row or page that is damaged fails the statement as a whole.
            Err(_) => copy_rows(connection, table, keys, sql).await,
        };
        tracing::info!(table, rows, "copied from the damaged database");
        if lost > 0 {
            tracing::error!(
                table,
                lost,
                "rows cannot be copied from the damaged database"
            );
        }
    }
    let series = sqlx::query_scalar("SELECT id FROM series");
    let series: Vec<i64> = match series.fetch_all(&mut *connection).await {
        Ok(series) => series,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the new database cannot be read"
            );
            return;
        }
    };
    let begun = Instant::now();
    let (mut rows, mut lost) = (0, 0_usize);
    for plug in &series {
        if begun.elapsed() > COPY_TIMEOUT {
            lost += 1;
            continue;
        }
        match copy_quarters(connection, *plug).await {
            Ok(copied) => rows += copied,
            Err(_) => lost += 1,
        }
    }
    tracing::info!(rows, "quarters of an hour copied from the damaged database");
    if lost > 0 {
        tracing::error!(
            plugs = lost,
            "the history of some plugs cannot be copied from the damaged database"
        );
    }
}

/// Copies a table row by row. Returns the number of rows that were copied, and of those that are known and were not.
async fn copy_rows(
    connection: &mut SqliteConnection,
    table: &str,
    keys: &[&str],
    sql: &'static str,
) -> (u64, u64) {
    let mut found = BTreeSet::new();
    // Each order ends at the first page that cannot be read.
    for order in ["ASC", "DESC"] {
        let ordered: Vec<String> = keys.iter().map(|key| format!("{key} {order}")).collect();
        let (keys, ordered) = (keys.join(", "), ordered.join(", "));
        let select = format!("SELECT json_array({keys}) FROM damaged.{table} ORDER BY {ordered}");
        let select = sqlx::query_scalar::<_, String>(AssertSqlSafe(select));
        let mut rows = select.fetch(&mut *connection);
        while let Some(Ok(key)) = rows.next().await {
            found.insert(key);
        }
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
    (copied, lost)
}

/// Copies the quarters of one plug, so that a page that cannot be read costs one plug only.
async fn copy_quarters(connection: &mut SqliteConnection, plug: i64) -> Result<u64, sqlx::Error> {
    let copied = sqlx::query(QUARTERS).bind(plug).execute(connection).await?;
    Ok(copied.rows_affected())
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
