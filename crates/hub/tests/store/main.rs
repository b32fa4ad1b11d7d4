//! The store as the hub uses it: real files, real damage, real crashes.
//!
//! One binary with a module for each concern, because linking costs more than running.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod fixture;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../mains/tests/cli/needs.rs"]
mod needs;

mod backup;
mod copy;
mod crash;
mod damage;
mod first;
mod first_page;
mod history;
mod keeping;
mod log;
mod model;
mod place;
mod postgres;
mod restore;
mod server;
mod takeover;
mod trouble;
