//! The pages as people meet them: the real binary as hub, emulated plugs, and a headless Chromium that WebDriver drives.
//!
//! One binary with a module for each concern, because linking costs more than running. Nothing leaves the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod access;
mod behind;
mod browser;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/home.rs"]
mod home;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../hub/house.rs"]
mod house;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/needs.rs"]
mod needs;

mod editing;
mod history;
mod hue;
mod live;
mod looks;
mod plain;
mod screenshots;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../hub/tests/store/server.rs"]
mod server;
mod sites;
