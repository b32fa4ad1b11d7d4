//! The kind of database of these tests: a file.

use std::path::Path;

use hub::store::Retention;
pub use hub::store::Sqlite as TestStore;

/// Opens the database of a hub with this state directory.
pub async fn open(state: &Path, retention: Retention) -> TestStore {
    let opened = TestStore::open(&state.join("mains.sqlite"), retention).await;
    opened.unwrap().store
}
