//! History that goes from one plug to another, or away.

use api::PlugId;
use hiflying::Mac;
use sqlx::SqliteConnection;

/// What a minute or a quarter of an hour does when there is one already: both count.
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

/// For each table of history: what gives the rows of series `?2` to series `?1`.
const GIVE: [&str; 3] = [
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

const FORGET: [&str; 5] = [
    "DELETE FROM readings WHERE plug = ?",
    "DELETE FROM minutes WHERE plug = ?",
    "DELETE FROM quarters WHERE plug = ?",
    "DELETE FROM lifetimes WHERE plug = ?",
    "DELETE FROM series WHERE id = ?",
];

/// Deletes a plug's history and lifetime total.
pub(super) async fn forget_history(
    connection: &mut SqliteConnection,
    plug: Mac,
) -> Result<(), sqlx::Error> {
    if let Some(series) = series(connection, plug).await? {
        forget(connection, series).await?;
    }
    Ok(())
}

/// Carries the history and the total of `old` on under `new`, whose counter is the new reference. What `new` has of its
/// own goes along: it usually is the shorter one, so its rows are those that move.
pub(super) async fn carry_on(
    connection: &mut SqliteConnection,
    old: Mac,
    new: Mac,
) -> Result<(), sqlx::Error> {
    let Some(old) = series(connection, old).await? else {
        return Ok(());
    };
    let taken_over = series(connection, new).await?;
    if taken_over == Some(old) {
        return Ok(());
    }
    refer_to_counter_of(connection, old, taken_over).await?;
    if let Some(new) = taken_over {
        for sql in GIVE {
            let query = sqlx::query(sql).bind(old).bind(new);
            query.execute(&mut *connection).await?;
        }
        forget(connection, new).await?;
    }
    sqlx::query("UPDATE series SET mac = ? WHERE id = ?")
        .bind(PlugId(new).to_string())
        .bind(old)
        .execute(connection)
        .await?;
    Ok(())
}

/// The total stays that of `old`; where `old` never had one, that of `new` does.
async fn refer_to_counter_of(
    connection: &mut SqliteConnection,
    old: i64,
    new: Option<i64>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE lifetimes SET counter_wh = (SELECT counter_wh FROM lifetimes WHERE plug = ?2), \
        at_ms = coalesce((SELECT at_ms FROM lifetimes WHERE plug = ?2), at_ms) WHERE plug = ?1";
    let known = sqlx::query(sql).bind(old).bind(new);
    if known.execute(&mut *connection).await?.rows_affected() == 0 {
        sqlx::query("UPDATE lifetimes SET plug = ?1 WHERE plug = ?2")
            .bind(old)
            .bind(new)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn forget(connection: &mut SqliteConnection, series: i64) -> Result<(), sqlx::Error> {
    for sql in FORGET {
        let query = sqlx::query(sql).bind(series);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn series(connection: &mut SqliteConnection, plug: Mac) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM series WHERE mac = ?")
        .bind(PlugId(plug).to_string())
        .fetch_optional(connection)
        .await
}
