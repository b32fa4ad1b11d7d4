//! `mains setup` by the real binary against `mains emulate plug` on loopback, without a Wi-Fi adapter: the module's
//! address stands for its access point.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod bench;
mod direct;
mod failures;
mod prompts;
mod s20;
mod secrets;
mod usage;
mod verified;
