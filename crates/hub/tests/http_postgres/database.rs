//! The kind of database of these tests: a PostgreSQL database, one for each hub on a server for all.

use std::fs;
use std::path::Path;

pub use hub::store::Postgres as TestStore;
use hub::store::Retention;

use crate::needs;
use crate::server::PostgresServer;

/// Opens the database of a hub with this state directory, where its name is noted.
#[expect(
    clippy::exit,
    reason = "a missing server is no failure of the hundred tests that need it"
)]
pub async fn open(state: &Path, retention: Retention) -> TestStore {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        std::process::exit(0);
    };
    let note = state.join("database");
    let name = fs::read_to_string(&note).unwrap_or_else(|_| {
        let name = server.database();
        fs::write(&note, &name).unwrap();
        name
    });
    TestStore::open(server.config(&name), retention)
        .await
        .unwrap()
}
