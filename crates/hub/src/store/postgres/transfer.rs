//! History that moves from one plug to another, or is deleted.

use sqlx::PgConnection;

use super::append::add_spans;
use crate::store::transfer::transfer;

/// Statements that move the rows of series `$2` to series `$1`, one for each table of history.
const MOVE_ROWS: [&str; 3] = [
    "INSERT INTO readings SELECT $1, at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms \
     FROM readings WHERE plug = $2 ON CONFLICT DO NOTHING",
    add_spans!(
        "minutes",
        "SELECT $1, t, readings, power, low, high, energy FROM minutes WHERE plug = $2"
    ),
    add_spans!(
        "quarters",
        "SELECT $1, t, readings, power, low, high, energy FROM quarters WHERE plug = $2"
    ),
];

transfer!(PgConnection, MOVE_ROWS);
