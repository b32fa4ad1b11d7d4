//! The tests of the API once more, on a hub with a PostgreSQL database: the files are those of `tests/http`, except for what is about
//! a file.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may fail like tests"
)]

#[path = "../http/bridges.rs"]
mod bridges;
#[path = "../http/contract.rs"]
mod contract;
mod database;
#[path = "../http/described.rs"]
mod described;
#[path = "../http/documents.rs"]
mod documents;
#[path = "../http/hang_up.rs"]
mod hang_up;
#[path = "../http/hang_up_routes.rs"]
mod hang_up_routes;
#[path = "../http/history.rs"]
mod history;
#[path = "../http/junk.rs"]
mod junk;
#[path = "../http/listening.rs"]
mod listening;
#[path = "../http/log.rs"]
mod log;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../mains/tests/cli/needs.rs"]
mod needs;
#[path = "../http/plugs.rs"]
mod plugs;
#[path = "../http/s20.rs"]
mod s20;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../store/server.rs"]
mod server;
#[path = "../keeper/twins.rs"]
mod twins;
#[path = "../http/usage.rs"]
mod usage;
#[path = "../http/world.rs"]
mod world;
