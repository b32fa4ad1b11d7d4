//! Hue as its owner meets it: the real binary against twins of bridges, in a network of its own.
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

mod fixture;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/home.rs"]
mod home;
mod interceptor;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/needs.rs"]
mod needs;

mod asking;
mod certificates;
mod clip;
mod codes;
mod failing;
mod interrupted;
mod responders;
mod secrets;
mod takeover;
mod verbs;
