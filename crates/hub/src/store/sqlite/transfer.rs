//! History that moves from one plug to another, or is deleted.

use hiflying::Mac;
use sqlx::SqliteConnection;

use crate::store::records::{
    CONTINUE_LIFETIME, DELETE_SERIES, RENAME_SERIES, SERIES_OF, TAKE_LIFETIME,
};

/// Clause that adds a minute or a quarter of an hour to an existing one.
macro_rules! merged {
    () => {
        " ON CONFLICT (plug, t) DO UPDATE SET readings = readings + excluded.readings, \
          power = power + excluded.power, \
          low = coalesce(min(low, excluded.low), low, excluded.low), \
          high = coalesce(max(high, excluded.high), high, excluded.high), \
          energy = energy + excluded.energy"
    };
}
pub(super) use merged;

/// Statements that move the rows of series `?2` to series `?1`, one for each table of history.
const MOVE_ROWS: [&str; 3] = [
    "INSERT INTO readings SELECT ?1, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms \
     FROM readings WHERE plug = ?2 ON CONFLICT DO NOTHING",
    concat!(
        "INSERT INTO minutes SELECT ?1, t, readings, power, low, high, energy FROM minutes WHERE plug = ?2",
        merged!()
    ),
    concat!(
        "INSERT INTO quarters SELECT ?1, t, readings, power, low, high, energy FROM quarters WHERE plug = ?2",
        merged!()
    ),
];

/// Deletes a plug's history and lifetime total.
pub(super) async fn delete_history(
    connection: &mut SqliteConnection,
    plug: Mac,
) -> Result<(), sqlx::Error> {
    if let Some(series) = series(connection, plug).await? {
        delete_series(connection, series).await?;
    }
    Ok(())
}

/// Continues the history and the total of `old` under `new`, whose counter is the new reference. The series of `old` stays and
/// takes the rows of `new`, which usually has fewer.
pub(super) async fn continue_history(
    connection: &mut SqliteConnection,
    old: Mac,
    new: Mac,
) -> Result<(), sqlx::Error> {
    let Some(old) = series(connection, old).await? else {
        return Ok(());
    };
    let absorbed = series(connection, new).await?;
    if absorbed == Some(old) {
        return Ok(());
    }
    move_lifetime(connection, old, absorbed).await?;
    if let Some(new) = absorbed {
        for sql in MOVE_ROWS {
            let query = sqlx::query(sql).bind(old).bind(new);
            query.execute(&mut *connection).await?;
        }
        delete_series(connection, new).await?;
    }
    sqlx::query(RENAME_SERIES)
        .bind(format!("{new:x}"))
        .bind(old)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps the total of `old`, with the counter of `new` as its reference; without a total of `old`, keeps that of `new`.
async fn move_lifetime(
    connection: &mut SqliteConnection,
    old: i64,
    new: Option<i64>,
) -> Result<(), sqlx::Error> {
    let known = sqlx::query(CONTINUE_LIFETIME).bind(old).bind(new);
    if known.execute(&mut *connection).await?.rows_affected() == 0 {
        sqlx::query(TAKE_LIFETIME)
            .bind(old)
            .bind(new)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn delete_series(connection: &mut SqliteConnection, series: i64) -> Result<(), sqlx::Error> {
    for sql in DELETE_SERIES {
        let query = sqlx::query(sql).bind(series);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn series(connection: &mut SqliteConnection, plug: Mac) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(SERIES_OF)
        .bind(format!("{plug:x}"))
        .fetch_optional(connection)
        .await
}
