//! The kind of database of these tests: a file.

use std::path::Path;

use hub::store::{Retention, Sqlite};

pub type TestStore = Sqlite;

/// Opens the database of a hub with this state directory.
pub async fn open(state: &Path, retention: Retention) -> TestStore {
    let opened = Sqlite::open(&state.join("mains.sqlite"), retention).await;
    opened.unwrap().store
}
