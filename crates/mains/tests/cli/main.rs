//! The command as users and programs meet it: the real binary, its output, its exit codes.
//!
//! One binary with a module for each concern, because linking costs more than running. Nothing here reads the home
//! or the environment of whoever runs it, and nothing leaves the machine: see [`home`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

mod home;
mod module;
#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
mod needs;
mod sample_app;
mod scripted;
mod serial_line;

mod at;
mod at_serial;
mod at_tcp;
mod at_typing;
mod codes;
mod config;
mod discovering;
mod documents;
mod emulating;
mod emulating_bridge;
mod field;
mod hardening;
mod help;
mod inspecting;
mod naming;
mod output;
mod probe;
mod recording;
mod s20;
mod setting_up;
mod switching;
mod targets;
mod terminal;
mod watching;
mod without_hub;
