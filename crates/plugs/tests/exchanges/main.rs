//! The exchange of each family against scripted plugs, in virtual time.

#![expect(clippy::panic, reason = "a failed expectation in a test's helper")]

mod bench;
mod orvibo;
mod reco;
