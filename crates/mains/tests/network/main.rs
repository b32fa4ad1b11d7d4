//! Runs the real binary across real network namespaces: a switch, a client and 200 plug addresses,
//! with real loss by nftables. Needs root, `ip` and `nft`; elsewhere each test says that it was skipped.

mod clients;
mod discovery;
mod lab;
mod setup;
