//! The description's words for types that are made elsewhere.
//!
//! None of them is ever made: they say in OpenAPI what the real types are in JSON, and tests hold both side by side.
#![expect(dead_code, reason = "schemas are described, never made")]

mod bridges;

pub(super) use bridges::*;
