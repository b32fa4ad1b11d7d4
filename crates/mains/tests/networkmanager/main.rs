//! Runs the real binary against a real D-Bus with NetworkManager's interfaces mocked by python-dbusmock, and the
//! emulator on loopback in the plug's place. Where `dbus-daemon` or `python3-dbusmock` is missing each test says that
//! it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod bench;
mod cut_short;
mod join;
mod plug;
