//! The registry against emulated plugs on real sockets, each test in a network of its own.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may fail like tests"
)]

mod automation;
mod crowd;
mod daily;
mod dial_in;
mod dial_in_family;
mod faults;
mod made_up;
mod made_up_family;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../../mains/tests/cli/needs.rs"]
mod needs;
mod presence;
mod s20;
mod twins;
mod world;
