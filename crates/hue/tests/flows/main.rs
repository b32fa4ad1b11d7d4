//! The flows against bridges and bulbs that are a table in memory, in virtual time: every step failing once, and every step as
//! the last one of a run that is cut short.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

mod calls;
mod errors;
mod fallback;
mod interruption;
mod move_light;
mod operator;
mod pairing;
mod simulation;
mod takeover;
