//! OpenAPI schemas of types from other crates.
//!
//! They are never constructed: they describe the JSON of the real types, and tests compare both.
#![expect(dead_code, reason = "schemas are described, never made")]

mod bridges;

pub(super) use bridges::*;
