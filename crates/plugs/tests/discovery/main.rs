//! Discovery on simulated networks, in virtual time: loss, delay, copies, forged datagrams.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

mod course;
mod datagrams;
mod loss;
mod network;

use std::time::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
