//! The pages through the router without sockets and without a script: a whole hub with emulated plugs in a network of their own.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may fail like tests"
)]

mod access;
mod browser;
mod charts;
mod documents;
mod events;
mod hardening;
mod hue;
mod naming;
mod s20;
mod secrets;
mod setup;
mod tariffs;

#[allow(dead_code, reason = "shared with the tests of the hub")]
#[path = "../../../hub/tests/http/contract.rs"]
mod contract;
#[path = "../../../hub/tests/http/database.rs"]
mod database;
#[allow(dead_code, reason = "shared with the tests of the hub")]
#[path = "../../../hub/tests/keeper/world.rs"]
mod keeper_world;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../mains/tests/cli/needs.rs"]
mod needs;
#[allow(dead_code, reason = "shared with the tests of the hub")]
#[path = "../../../hub/tests/keeper/twins.rs"]
mod twins;
#[allow(dead_code, reason = "shared with the tests of the hub")]
#[path = "../../../hub/tests/http/world.rs"]
mod world;
