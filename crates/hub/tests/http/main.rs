//! The API through the router without sockets: a whole hub in a directory of its own, with emulated plugs in a network of their
//! own. Every response is checked against the description.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may fail like tests"
)]

mod bridges;
mod contract;
mod database;
mod described;
mod documents;
mod file;
mod hang_up;
mod hang_up_routes;
mod history;
mod junk;
mod listening;
mod log;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../mains/tests/cli/needs.rs"]
mod needs;
mod plugs;
mod s20;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../store/server.rs"]
mod server;
mod sites;
#[path = "../keeper/twins.rs"]
mod twins;
mod usage;
mod world;
