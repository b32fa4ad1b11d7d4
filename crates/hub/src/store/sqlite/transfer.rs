//! History that moves from one plug to another, or is deleted.

use sqlx::SqliteConnection;

use crate::store::transfer::transfer;

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

transfer!(SqliteConnection, MOVE_ROWS);
