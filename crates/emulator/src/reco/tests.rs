//! Tests of the twin: `vectors` against the published bytes, `joining` through restarts, `faults` for each deviation.

mod bench;
mod faults;
mod joining;
mod setting_faults;
mod vectors;
mod web;
