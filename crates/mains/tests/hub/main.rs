//! The hub as its owner meets it: the real binary as hub and as its client, in a network of its own.
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
mod house;
mod kept;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/needs.rs"]
mod needs;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../hub/tests/store/server.rs"]
mod server;

mod beside;
mod check;
mod clock;
mod conformance;
mod copied;
mod demo;
mod disk;
mod following;
mod hardening;
mod hostile;
mod hung;
mod listening;
mod moved;
mod owner;
mod packaging;
mod past;
mod postgres;
mod screen;
mod serving;
mod site;
mod standby;
mod through;
mod tls;
mod tmux;
mod verbs;
mod year;
