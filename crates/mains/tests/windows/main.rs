//! The program for Windows, run by wine, against twins that the program for this machine emulates.
//!
//! It runs where `MAINS_TEST_WINDOWS` names the file that `scripts/build-windows` has made; wine and the compiler for Windows are
//! Debian packages:
//!
//! ```console
//! $ MAINS_TEST_WINDOWS=$(scripts/build-windows --debug) cargo test -p mains --test windows
//! ```
//!
//! What it shows holds under wine; on Windows itself nothing was run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

#[path = "../cli/needs.rs"]
#[allow(dead_code, reason = "other tests share this file")]
mod needs;
#[path = "../cli/serial_line.rs"]
#[allow(dead_code, reason = "other tests share this file")]
mod serial_line;

mod bad_input;
mod bench;
mod bridges;
mod cards;
mod serial;
mod serving;
mod setting_up;
mod terminal;
mod verbs;
