//! MQTT as its user meets it: the real binary as hub, a real mosquitto as broker, its clients as other programs. Brokers that
//! misbehave are scripted sockets.
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

mod broker;
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
mod proxy;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../hub/tests/store/server.rs"]
mod server;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../hub/site.rs"]
mod site;

mod access;
mod bad_brokers;
mod check;
mod commands;
mod discovery;
mod outages;
mod states;
mod takeover;
