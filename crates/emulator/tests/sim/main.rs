//! The client's cores joined with twins in virtual time, over a network that loses, doubles, delays and reorders.
//!
//! Every run is decided by its seed. `MAINS_TEST_SCALE=20` makes twenty times as many runs as usual.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests may fail like tests"
)]

mod confirmation;
mod discovery;
mod harden;
mod join;
mod orvibo;
mod session;
mod smartlink;
mod switch;
mod world;

/// The seeds of a test.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let scale = std::env::var("MAINS_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    0..usual * scale.unwrap_or(1)
}
