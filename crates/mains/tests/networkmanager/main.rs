//! Runs the real binary against a real D-Bus with NetworkManager's interfaces mocked by python-dbusmock, and the
//! emulator on loopback in the plug's place. Needs `dbus-daemon` and `python3-dbusmock`; see [`needs`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod bench;
mod cut_short;
mod fitting;
mod join;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/needs.rs"]
mod needs;
mod plug;
