//! Errors of opening a serial port on Unix.

/// Codes for a file that is not a terminal device: `ENOTTY`, which has no kind of its own.
pub(super) const NOT_SERIAL: &[i32] = &[25];
