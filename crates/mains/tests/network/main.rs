//! Runs the real binary across real network namespaces: a switch, a client and 200 plug addresses,
//! with real loss by nftables. Needs root, `ip` and `nft`; see [`needs`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod addressing;
mod clients;
mod discovery;
mod figures;
mod fleet;
mod hardening;
mod hue_clients;
mod lab;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../cli/needs.rs"]
mod needs;
mod s20;
mod setup;
mod smartlink;
